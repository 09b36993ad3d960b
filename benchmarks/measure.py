"""Runs programs and says what they took; compares rounds of several contestants. It refuses to know who they are."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import NamedTuple

PACHA = [sys.executable, "-m", "pacha_git"]
ROOT = Path(__file__).parent.parent
_IDENTITY = {
    f"GIT_{who}_{what}": word
    for who in ("AUTHOR", "COMMITTER")
    for what, word in (("NAME", "Bench"), ("EMAIL", "bench@example.org"))
}


class Spent(NamedTuple):
    """What a program took: seconds until its result was on the disk, seconds of all cores, MiB at its peak."""

    wall: float
    cpu: float
    peak: float


Steps = dict[str, Spent]
Player = Callable[[Path], Steps]
Rounds = dict[str, list[Spent]]


def environment(folder: Path) -> dict[str, str]:
    """What every program is given: a home of its own, an identity, and the words that peers ask for."""
    return {
        **os.environ,
        **_IDENTITY,
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "PACHA_REGISTRY": str(folder / "registry.git"),
        "PYTHONPATH": str(ROOT),
        "RESTIC_PASSWORD": "bench",
        "BORG_BASE_DIR": str(folder),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BUP_DIR": str(folder / "bup"),
        "DVC_NO_ANALYTICS": "1",
    }


def run(command: Sequence[str | Path], folder: Path, *, sync: bool = False, where: Path | None = None) -> Spent:
    """Run a program, with ``sync`` until what it wrote is on the disk.

    Raises:
        SystemExit: it failed.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            list(map(str, command)), cwd=where or folder, env=environment(folder), stdout=said, stderr=subprocess.STDOUT
        )
        peak = _Peak(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))}: exit {child.returncode}\n{said.read()[-2000:].decode()}")
    if sync:
        subprocess.run(["sync", "-f", folder], check=True)
    return Spent(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, peak.mebibytes)


class _Peak:
    """Looks at a process until it ends. (What wait4 tells includes what our own memory was when it was forked.)"""

    def __init__(self, process: int) -> None:
        self._status = Path(f"/proc/{process}/status")
        self.mebibytes = 0.0
        Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                text = self._status.read_text()
            except OSError:
                return
            line = next((line for line in text.splitlines() if line.startswith("VmHWM")), None)
            if line is None:
                return
            self.mebibytes = int(line.split()[1]) / 1024
            time.sleep(0.02)


def python(*arguments: str | Path) -> list[str | Path]:
    """A command that runs this interpreter."""
    return [sys.executable, *arguments]


def play(players: Mapping[str, Player], rounds: int, tell: Callable[[str], None]) -> Rounds:
    """Let everybody do their work in turn, round after round, each time in an empty folder.

    Returns:
        ``player step`` → what it took in each round.
    """
    found: Rounds = {}
    for number in range(rounds):
        for name, player in players.items():
            tell(f"round {number + 1} of {rounds}: {name}")
            with tempfile.TemporaryDirectory(prefix="pacha-bench-") as folder:
                for step, spent in player(Path(folder)).items():
                    found.setdefault(f"{name} {step}", []).append(spent)
    return found


class Ratio(NamedTuple):
    """The median over the rounds of ours divided by theirs, by the clock and by the cores."""

    wall: float
    cpu: float


def ratio(
    rounds: Rounds, ours: str, theirs: Sequence[str], choose: Callable[[list[float]], float] = max
) -> Ratio | None:
    """Compare a step with one or several others, of which ``choose`` takes one in each round; None if none was run."""
    others = [rounds[step] for step in theirs if step in rounds]
    if not others or ours not in rounds:
        return None
    walls, cores = [], []
    for at, own in enumerate(rounds[ours]):
        walls.append(own.wall / choose([other[at].wall for other in others]))
        cores.append(own.cpu / max(choose([other[at].cpu for other in others]), 1e-3))
    return Ratio(statistics.median(walls), statistics.median(cores))


def median(rounds: Rounds, step: str) -> float:
    """Seconds by the clock."""
    return statistics.median(spent.wall for spent in rounds[step])


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
