"""Runs Python of ours in a process that is killed, or whose call fails, at the N-th step that it takes on a disk.

A step is a call that changes what lies below a folder (rename, link, remove, mkdir, rmdir, a file opened to be written)
or starts a program. The interpreter tells of each before it is done, so "at N" means after N-1 of them. Nothing has to
be built; what other programs do is not counted.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KILL = "kill"

_PRELUDE = """
import os, signal, sys
_folder, _at, _fault, _count = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
_steps = []
_writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

def _is_step(event, args):
    if event == "subprocess.Popen":
        return True
    if event == "open":
        return bool(args[2] & _writing) and str(args[0]).startswith(_folder)
    if event in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"):
        return any(isinstance(a, (str, os.PathLike)) and os.fspath(a).startswith(_folder) for a in args[:2])
    return False

def _hook(event, args):
    if _at < 0 or not _is_step(event, args):
        return
    _steps.append(" ".join([event, *(os.fspath(a) for a in args[:2] if isinstance(a, (str, os.PathLike)))]))
    if len(_steps) == _at:
        if _fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(int(_fault), os.strerror(int(_fault)))

sys.addaudithook(_hook)
sys.argv[1:5] = []
try:
    exec(compile(sys.stdin.read(), "faulty", "exec"), {"__name__": "__main__"})
finally:
    _at = -1
    with open(_count, "w") as file:
        file.write("\\n".join(_steps))
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a faulty process ended: the steps that it took, none if it was killed, and all that it wrote."""

    returncode: int
    steps: tuple[str, ...]
    output: str

    @property
    def killed(self) -> bool:
        """Whether it did not live to its end."""
        return self.returncode == -signal.SIGKILL


def run(code: str, folder: Path, *arguments: str, at: int = 0, fault: str | int = KILL, seconds: float = 60) -> Outcome:
    """Run code to its end or to a step.

    Args:
        code: What is run; it finds the arguments from ``sys.argv[1]`` on.
        folder: Below it, steps count.
        arguments: For the code.
        at: The step before which it is killed or fails; 0 for none, to count them.
        fault: ``KILL``, or the number of the error that the call fails with.
        seconds: When to give up: nothing may hang.
    """
    count = folder.with_name(folder.name + ".steps")
    count.unlink(missing_ok=True)
    argv = [sys.executable, "-c", _PRELUDE, str(folder), str(at), str(fault), str(count), *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, input=code, text=True, capture_output=True, env=env, timeout=seconds, check=False)
    steps = tuple(count.read_text().splitlines()) if count.exists() else ()
    return Outcome(done.returncode, steps, done.stdout + done.stderr)


def steps(code: str, folder: Path, *arguments: str) -> tuple[str, ...]:
    """The steps that code takes, each as its call says it; ``folder`` is what it changes, so a copy to throw away."""
    whole = run(code, folder, *arguments)
    assert whole.returncode == 0, whole.output
    assert whole.steps, "the code takes no step"
    return whole.steps


FULL = errno.ENOSPC
NO_MORE_FILES = errno.EMFILE
"""Faults to try: a full disk, and no descriptor left."""
