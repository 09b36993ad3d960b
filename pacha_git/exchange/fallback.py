"""Several remotes: which is asked next, and which is left alone for a while because it failed lately.

It knows names and times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from pacha_git.errors import RemoteError
from pacha_git.session.session import Session

T = TypeVar("T")

_FILE: Final = "pacha/failing.json"
_FIRST_WAIT: Final = 60.0
_LONGEST_WAIT: Final = 3600.0


class Attempts:
    """One verb's tries at several remotes.

    Args:
        session: The registry.
        names: The remotes, in the order in which they are asked; a single one is asked whatever happened before.

    Attributes:
        warnings: What a person should be told.
        failures: What went wrong with which.
    """

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        self._path = session.path / _FILE
        self._names = list(names)
        self.warnings: list[str] = []
        self.failures: dict[str, RemoteError] = {}

    def first(self, question: Callable[[str], T]) -> T:
        """Tell what the first remote answers that can be reached.

        Raises:
            RemoteError: of the first one, if none can.
        """
        names = self._names
        if len(names) > 1:
            names = [name for name in names if not self._rests(name)] or names
        for name in names:
            for found in self.ask(name, partial(question, name)):
                return found
        raise next(iter(self.failures.values()))

    def others(self, than: str) -> list[str]:
        """Return the remotes to ask for what that one had not."""
        return [name for name in self._names if name != than and not self._rests(name)]

    def ask(self, name: str, question: Callable[[], T]) -> list[T]:
        """Tell what one remote answers; nothing if it can't be reached or breaks off."""
        try:
            found = [question()]
        except RemoteError as error:
            self.failures.setdefault(name, error)
            if len(self._names) > 1:
                self.warnings.append(f"{error.message}; going on without it")
                self._remember(name, failed=True)
            return []
        self._remember(name, failed=False)
        return found

    # Who failed lately --------------------------------------------------------------------------------------------

    def _rests(self, name: str) -> bool:
        """Tell whether a remote failed so lately that it is left alone: a minute at first, twice as long each time."""
        count, at = self._failures().get(name, (0, 0.0))
        wait = min(_FIRST_WAIT * 2 ** (count - 1), _LONGEST_WAIT) if count else 0.0
        return 0 <= time.time() - at < wait

    def _failures(self) -> dict[str, tuple[int, float]]:
        try:
            read = json.loads(self._path.read_bytes())
            return {str(name): (int(count), float(at)) for name, (count, at) in read.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # it is only a memory; without it a remote is asked once more

    def _remember(self, name: str, *, failed: bool) -> None:
        known = self._failures()
        if failed:
            known[name] = (known.get(name, (0, 0.0))[0] + 1, time.time())
        elif known.pop(name, None) is None:
            return
        try:
            self._path.write_text(json.dumps(known))
        except OSError:
            return  # as above
