"""Shows on stderr how far a long step is: amount, rate, time left; on a terminal only, and once it takes a while."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from click import Context

from pacha_git.cli.invocation import invocation
from pacha_git.cli.showing.units import size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE: Final = 0.5  # seconds without a bar: what is done by then needs none


@contextmanager
def progress(ctx: Context) -> Iterator[Bars | None]:
    """Give the callback that verbs report to; None where nobody would see it."""
    if invocation(ctx).quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


class Bars:
    """One bar for each thing that is reported, gone when all is done. Safe to call from several threads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._drawn: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Note that ``done`` of ``total`` units of ``what`` are behind us."""
        now = time.monotonic()
        with self._lock:
            since, before = self._first.setdefault(what, (now, done))
            if self._drawn is None:
                if now - self._began < _PATIENCE:
                    return
                self._drawn = _draw()
            if what not in self._tasks:
                self._tasks[what] = self._drawn.add_task(what, total=total, amounts="")
            text = _amounts(done, total, unit) + _pace(done - before, now - since, (total or done) - done, unit)
            self._drawn.update(self._tasks[what], completed=done, total=total, amounts=text)

    def close(self) -> None:
        """Take the bars away."""
        if self._drawn is not None:
            self._drawn.stop()


def _amounts(done: int, total: int | None, unit: str) -> str:
    return _amount(done, unit) if total is None else f"{_amount(done, unit)} of {_amount(total, unit)}"


def _pace(done: int, seconds: float, left: int, unit: str) -> str:
    """Rate and time left, by all that was done so far; nothing while that says too little."""
    if not done or seconds < _PATIENCE:
        return ""
    rate = done / seconds
    minutes, rest = divmod(round(left / rate), 60)
    return f", {_amount(rate, unit)}/s" + (f", {minutes}:{rest:02} left" if left else "")


def _amount(count: float, unit: str) -> str:
    return size(count) if unit == "bytes" else f"{count:,.0f} {unit}"


def _draw() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    what, amounts = (TextColumn(f"{{task.{of}}}", markup=False) for of in ("description", "fields[amounts]"))
    drawn = Progress(what, BarColumn(), amounts, console=Console(stderr=True), transient=True)
    drawn.start()
    return drawn
