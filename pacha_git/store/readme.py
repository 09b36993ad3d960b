"""The README on the main branch, for whoever comes with plain git."""

from __future__ import annotations

from typing import Final

from pacha_git.format.commits import SYSTEM_IDENTITY
from pacha_git.git.changes import Changes
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import commit_bytes
from pacha_git.gitobjects.trees import tree_bytes

MAIN: Final = "refs/heads/main"
_README: Final = b"""\
# A pacha registry

This bare Git repository holds models, datasets, recipes and runs, with their lineage, stages and signatures.
It has no branch to check out: the records lie below refs/pacha, the events below refs/notes/pacha.

    pip install pacha-git
    git pacha clone URL
    git pacha model list

With stock git alone:

    git ls-remote URL
    git fetch URL 'refs/pacha/*:refs/pacha/*' 'refs/notes/pacha/*:refs/notes/pacha/*'
    git log refs/pacha/models/NAME/VERSION
"""


def write_readme(repo: GitRepository, changes: Changes) -> None:
    """Put a README on the main branch for whoever comes with plain git."""
    if repo.ref(MAIN) is not None:
        return
    tree = changes.add("tree", tree_bytes([("100644", b"README.md", changes.add("blob", _README))]))
    commit = commit_bytes(tree=tree, parents=(), identity=SYSTEM_IDENTITY, seconds=0, message="README\n")
    changes.move(MAIN, changes.add("commit", commit), None)
