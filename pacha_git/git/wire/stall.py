"""Ends a transfer in which nothing moves, after ``pacha.stallSeconds``; one that is only slow goes on for ever.

What our gits read and write counts, on sockets and pipes too, and that they are at work: so does the keep-alive of a
server that is busy. What ssh says for itself doesn't.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pacha_git.errors import RemoteError
from pacha_git.system.process import CommandFailed, run
from pacha_git.system.proctree import family, work
from pacha_git.system.secrets import mask_urls

STALLED_SECONDS: Final = 900
_KEY: Final = "pacha.stallSeconds"
_LOOKS: Final = 10
_LONGEST_PAUSE: Final = 1.0
_LEAST_SECONDS: Final = 1.0
# A library that waits wakes now and then: less than this, in one look, is no work.
_LEAST_TICKS: Final = 2


class Patience:
    """Watches one transfer.

    Args:
        path: The repository whose configuration says how long.
        remote: Whom it is with.
        verb: What to try again.
        measure: Something more that grows as long as it moves.
    """

    def __init__(self, path: Path, remote: str, verb: str, measure: Callable[[], int] = lambda: 0) -> None:
        self._path = path
        self._remote = remote
        self._verb = verb
        self._measure = measure
        self._limit = 0.0
        self._since = self._looked = time.monotonic()
        self._done = (0, 0, 0)
        self._lines = 0

    def heard(self) -> None:
        """Say that the transfer said something."""
        self._lines += 1

    def __call__(self, pid: int) -> None:
        """Look whether it moves; raises RemoteError once it has not for too long.

        Args:
            pid: The git that does the transfer.
        """
        now = time.monotonic()
        if now - self._looked < min(_LONGEST_PAUSE, (self._limit or _LEAST_SECONDS) / _LOOKS):
            return
        self._looked = now
        done = work(family(pid), "git")
        before, self._done = self._done, (done.bytes, done.ticks, self._lines + self._measure())
        # That one of them ended makes sums smaller: that is movement, too.
        if self._done[0] != before[0] or self._done[2] != before[2] or abs(done.ticks - before[1]) >= _LEAST_TICKS:
            self._since = now
            return
        if not self._limit and now - self._since > _LEAST_SECONDS / 2:  # most transfers are over by then
            self._limit = _limit(self._path)
        if self._limit and now - self._since > self._limit:
            raise RemoteError(
                f"{mask_urls(self._remote)}: nothing moved for {self._limit:.0f} seconds",
                hint=f"git pacha {self._verb} goes on from what arrived; to wait longer: git config --global {_KEY} "
                f"{4 * self._limit:.0f}",
            )


def _limit(path: Path) -> float:
    try:
        said = run(["git", f"--git-dir={path}", "config", "--type=int", "--get", _KEY]).stdout
        return max(_LEAST_SECONDS, float(said))
    except CommandFailed:
        return float(STALLED_SECONDS)
