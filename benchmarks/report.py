"""The rows of the table, its print, its JSON, and its drawing. It refuses to know how they were measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One figure beside its target; ``value`` may be at most ``target``, or with ``least`` must be at least that."""

    letter: str
    work: str
    value: float | None
    target: float | None
    unit: str = "x"
    least: bool = False
    cpu: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None if there is nothing to compare."""
        if self.value is None or self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target


def compared(letter: str, work: str, found: Ratio | None, target: float | None, *, least: bool = False) -> Row:
    """The row of a ratio."""
    return Row(letter, work, found and found.wall, target, "x", least, found and found.cpu)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {
        "system": platform.platform(), "cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(),
        "git": git, "load": round(load, 1),
    }  # fmt: skip


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| # | work | measured | target | CPU only | |", "|---|---|---|---|---|---|"]
    for row in rows:
        target = "" if row.target is None else f"{'≥' if row.least else '≤'} {_figure(row.target, row.unit)}"
        verdict = {True: "met", False: "missed", None: ""}[row.met]
        cpu = "" if row.cpu is None else _figure(row.cpu, row.unit)
        lines.append(f"| {row.letter} | {row.work} | {_figure(row.value, row.unit)} | {target} | {cpu} | {verdict} |")
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "not measured"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {'times' if unit == 'x' else unit}"


def write(rows: Sequence[Row], rounds: Any, about: dict[str, Any]) -> Path:
    """Keep everything as JSON; returns the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    result = {
        "machine": machine(),
        **about,
        "rows": [{**asdict(row), "met": row.met} for row in rows],
        "rounds": rounds,
    }
    path.write_text(json.dumps(result, indent=2))
    return path


def drawing(times: dict[str, float], title: str) -> str:
    """Bars of seconds as SVG, shortest first; ours dark."""
    longest, height = max(times.values()), 28
    bars = []
    for at, (name, seconds) in enumerate(sorted(times.items(), key=lambda item: item[1])):
        top = 40 + at * height
        colour = "#1f5f8b" if name.startswith("pacha") else "#b9c7d3"
        bars.append(
            f'<text x="150" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="160" y="{top}" width="{max(1, 420 * seconds / longest):.1f}" height="20" fill="{colour}"/>'
            f'<text x="{168 + 420 * seconds / longest:.1f}" y="{top + 15}">{seconds:.2f} s</text>'
        )
    total = 50 + len(times) * height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {total}" font-family="sans-serif" font-size="13">'
        f'<rect width="680" height="{total}" fill="white"/>'
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>' + "".join(bars) + "</svg>\n"
    )
