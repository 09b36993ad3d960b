"""Shows on stderr how far a long step is: amount, rate, time left; on a terminal only, and once it takes a while."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from typer import Context

from pacha_git.cli.invocation import invocation
from pacha_git.cli.units import size

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

    def __call__(self, what: str, done: int, total: int | None, unit: str = "bytes") -> None:
        """Note that ``done`` of ``total`` units of ``what`` are behind us."""
        with self._lock:
            if self._drawn is None:
                if time.monotonic() - self._began < _PATIENCE:
                    return
                self._drawn = _draw()
            if what not in self._tasks:
                self._tasks[what] = self._drawn.add_task(what, total=total, unit=unit)
            self._drawn.update(self._tasks[what], completed=done, total=total)

    def close(self) -> None:
        """Take the bars away."""
        if self._drawn is not None:
            self._drawn.stop()


def _draw() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        """How much of how much."""

        def render(self, task: Task) -> Text:
            """Write the amounts in the unit of the task."""
            amounts = [task.completed] + ([task.total] if task.total is not None else [])
            return Text(" of ".join(_amount(amount, task) for amount in amounts))

    class Rate(ProgressColumn):
        """How fast."""

        def render(self, task: Task) -> Text:
            """Write the speed in the unit of the task."""
            return Text(f"{_amount(task.speed, task)}/s" if task.speed else "")

    def _amount(count: float, task: Task) -> str:
        unit = task.fields["unit"]
        return size(count) if unit == "bytes" else f"{count:,.0f} {unit}"

    console = Console(stderr=True)
    text = TextColumn("{task.description}", markup=False)
    drawn = Progress(text, BarColumn(), Amount(), Rate(), TimeRemainingColumn(), console=console, transient=True)
    drawn.start()
    return drawn
