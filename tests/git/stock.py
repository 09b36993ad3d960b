"""Stock git as the judge of what we write, and as the other program that repacks under us."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pacha_git.errors import NotFound
from pacha_git.git.packs.reader import PackSet
from pacha_git.gitobjects.oid import Oid


def git(repo: Path, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
    """What a git command in a repository writes."""
    done = subprocess.run(["git", "-C", str(repo), *arguments], input=stdin, capture_output=True, check=False)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done.stdout


def bare(path: Path) -> Path:
    """Make a bare repository."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return path


def read_by_git(repo: Path, oid: Oid) -> tuple[str, bytes]:
    """The fallback of a reader."""
    kind = git(repo, "cat-file", "-t", oid, check=False).decode().strip()
    if not kind:
        raise NotFound(f"object {oid} is not here")
    return kind, git(repo, "cat-file", kind, oid)


def no_fallback(oid: Oid) -> tuple[str, bytes]:
    raise NotFound(f"object {oid} is not here")


def packs_of(repo: Path) -> PackSet:
    """A reader that has no other means."""
    return PackSet(repo / "objects", no_fallback)


def hold(repo: Path, *oids: Oid) -> None:
    """Let a ref reach blobs, as gc sees it."""
    lines = b"".join(b"100644 blob %s\t%d\n" % (oid.encode(), number) for number, oid in enumerate(oids))
    tree = git(repo, "mktree", stdin=lines).decode().strip()
    commit = git(repo, "commit-tree", "-m", "held", tree).decode().strip()
    git(repo, "update-ref", "refs/heads/held", commit)


def files_in(repo: Path) -> list[str]:
    """The suffixes of what lies in ``objects/pack``, sorted."""
    return sorted(path.suffix for path in (repo / "objects" / "pack").iterdir())


def age(path: Path, seconds: int) -> None:
    """Make a file older."""
    stat = path.stat()
    os.utime(path, (stat.st_atime - seconds, stat.st_mtime - seconds))
