"""The hooks that look at documents before they are committed: which there are, and what each finds.

It decides over paths and bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pacha_git.errors import NotFound
from pacha_git.format.documents.kinds import check_document
from pacha_git.format.documents.problem import Problem
from pacha_git.format.documents.recipe import parse_recipe
from pacha_git.hooks.pushed import read_pushed
from pacha_git.hooks.receive import Move
from pacha_git.hooks.recognise import SUFFIXES, kind_of
from pacha_git.hooks.worktree import read_files, read_staged
from pacha_git.vocabulary.kinds import Kind

HOOKS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "pacha-recipe": (Kind.RECIPE,),
    "pacha-card": (Kind.MODEL, Kind.DATASET),
    "pre-commit": (Kind.RECIPE, Kind.MODEL, Kind.DATASET),
    "pre-merge-commit": (Kind.RECIPE, Kind.MODEL, Kind.DATASET),
}
"""Each hook, and the kinds of which it checks the documents."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One file that was looked at.

    Attributes:
        path: As Git has it.
        kind: What it is a document of.
        problems: Why it can't be committed; empty if it can.
        missing: Sections that it should have.
    """

    path: str
    kind: Kind
    problems: tuple[Problem, ...]
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """path, kind, problems, missing."""
        problems = [{"line": p.line, "column": p.column, "key": p.key, "message": p.message} for p in self.problems]
        return {"path": self.path, "kind": self.kind.value, "problems": problems, "missing": list(self.missing)}


def run_hook(
    name: str, paths: Sequence[str] = (), *, strict: bool = False, inherited: Mapping[str, str] | None = None
) -> list[Checked]:
    """Check the documents that a hook is about.

    Args:
        name: One of ``HOOKS``.
        paths: Files on disk; none: what is staged.
        strict: A section that is missing is a problem too.
        inherited: What Git said through the environment, for what is staged.

    Raises:
        NotFound: no such hook, or no such file.
        PachaError: a file can't be read.
    """
    kinds = HOOKS.get(name)
    if kinds is None:
        raise NotFound(f"no hook is called {name!r}", hint="one of " + ", ".join(HOOKS))
    files = read_files(paths) if paths else read_staged(SUFFIXES, inherited or {})
    return list(_checked(files, kinds, strict))


def check_pushed(moves: Iterable[Move], inherited: Mapping[str, str]) -> list[Checked]:
    """Check the documents that a push would bring into a repository of code."""
    return list(_checked(read_pushed(moves, SUFFIXES, inherited), HOOKS["pre-commit"], strict=False))


def _checked(files: Iterable[tuple[str, bytes]], kinds: Sequence[Kind], strict: bool) -> Iterator[Checked]:
    for path, data in files:
        kind = kind_of(path.replace("\\", "/"), data)
        if kind not in kinds or kind is None:
            continue
        if kind is Kind.RECIPE:
            yield Checked(path, kind, parse_recipe(data).problems)
            continue
        document = check_document(kind, data)
        lacking = tuple(Problem(None, "", f"no section {title!r}") for title in document.missing) if strict else ()
        yield Checked(path, kind, document.problems + lacking, () if strict else document.missing)
