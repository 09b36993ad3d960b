"""The errors a caller can meet: one tree, each with the exit code that the command line gives it.

    PachaError                 failed         1   it can't be carried out
    ├── InvalidInput           usage          2   a word that can never be right: a bad version, an unknown stage
    │   └── Ambiguous          usage          2   several things answer to it (``candidates``)
    ├── NotFound               not_found      3   no such name, version, registry, remote, file in a version
    ├── Conflict               conflict       4   exists already, a ref moved, two sides diverged
    ├── VerificationFailed     verification   5   bytes, a signature or a signer are not what the record says
    │   └── Corrupt            verification   5   an object in the registry can't be read as what it must be
    └── RemoteError            failed         1   the other machine refused, vanished or answered nonsense

``code`` is the word scripts see under ``--json``; ``hint`` says what to try next.
It knows nothing of Git and imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REPAIR = "git pacha fsck lists what is damaged; git pacha doctor --repair brings back what a remote has"


class PachaError(Exception):
    """Something can't be carried out; the message says what, ``hint`` what to do next, and ``str`` gives both.

    Errors can be pickled, so that a worker's reach whoever waits for it.

    Args:
        message: One line, naming the ref, path or oid it concerns.
        hint: The next command or step to try; empty if there is none.
    """

    code = "failed"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Each class takes other arguments; what they came to is all in its attributes.
        return _restored, (type(self), self.message), self.__dict__


class InvalidInput(PachaError):
    """A word that was given can never be right (exit 2)."""

    code = "usage"
    exit_code = 2


class Ambiguous(InvalidInput):
    """Several things answer to what was asked for (exit 2)."""

    def __init__(self, message: str, candidates: Sequence[str], *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "say which: " + ", ".join(candidates))
        self.candidates = tuple(candidates)


class NotFound(PachaError):
    """No such thing here (exit 3)."""

    code = "not_found"
    exit_code = 3


class Conflict(PachaError):
    """It exists already, moved under us, or two sides diverged (exit 4)."""

    code = "conflict"
    exit_code = 4


class VerificationFailed(PachaError):
    """Bytes, a signature or a signer are not what the record says (exit 5)."""

    code = "verification"
    exit_code = 5


class Corrupt(VerificationFailed):
    """Something stored can't be read as what it must be (exit 5)."""


class RemoteError(PachaError):
    """The other machine refused, vanished, or answered nonsense (exit 1)."""


def _restored(kind: type[PachaError], message: str) -> PachaError:
    """Make an error of a pickled one, whose attributes the pickle sets next."""
    return kind.__new__(kind, message)
