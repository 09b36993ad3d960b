"""From what a person types to the one run that is meant; what is then done with it is no matter here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from pacha_git.errors import Ambiguous, InvalidInput, NotFound
from pacha_git.session.session import Session
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import RunId
from pacha_git.vocabulary.kinds import Kind


class HasId(Protocol):
    """A run as an object: one that goes on, or what is known of one."""

    @property
    def id(self) -> str:
        """Its id."""


WhichRun = str | HasId

_WORDS: Final = ("pacha://run/", "pacha://runs/", "run:", "runs:")
_LEAST: Final = 8


def says_run(spec: str) -> bool:
    """Tell whether a SPEC says of itself that it is a run."""
    return spec.lower().startswith(_WORDS)


def find_runs(session: Session, which: WhichRun | Iterable[WhichRun]) -> list[str]:
    """Return the ids of the runs that are meant, each once; raises as ``find_run``."""
    several = which if isinstance(which, Iterable) and not isinstance(which, str) else [which]
    return list(dict.fromkeys(find_run(session, each) for each in several))


def find_run(session: Session, which: WhichRun) -> str:
    """The id of the run that is meant: by its id, ``run:ID``, the first 8 or more digits of one, or the run itself.

    Raises:
        InvalidInput: it can't be an id, or the beginning of one.
        Ambiguous: several begin like that.
        NotFound: none does.
    """
    text = which if isinstance(which, str) else which.id
    wanted = text.lower()
    for word in _WORDS:
        wanted = wanted.removeprefix(word)
    if len(wanted) < _LEAST or not set(wanted) <= set("0123456789abcdef-"):
        raise InvalidInput(
            f"{text[:80]!r} is no run id",
            hint="it is what `git pacha run start` printed, or 8 digits or more of that",
        )
    if session.repo.ref(RunId(wanted).ref) is not None:
        return wanted
    found = [run_id for run_id in run_commits.all_runs(session.repo) if run_id.startswith(wanted)]
    if len(found) > 1:
        raise Ambiguous(f"several {Kind.RUN.plural} begin with {wanted}", found[:20])
    if not found:
        raise NotFound(f"no run {wanted} here", hint="git pacha run list shows what there is")
    return found[0]
