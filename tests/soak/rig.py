"""Runs one command of a trial in a process of its own, with a fault at the so-manieth call that changes something.

It must be started by ``python -m tests.soak``: the library that counts the calls is loaded with the interpreter. The
same seed chooses the same call, and within one build the same call is met again.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

COUNT, KILL_ALL, KILL_ONE, HALF, FAIL = range(5)
_CONTROL: Final = "PACHA_SOAK_CONTROL"
_SOURCE: Final = Path(__file__).with_name("fault.c")
_SUBREAPER: Final = 36
_BUG: Final = 71


class _Control(ctypes.Structure):
    _fields_ = (
        ("armed", ctypes.c_int), ("mode", ctypes.c_int), ("error", ctypes.c_int), ("times", ctypes.c_int),
        ("fired", ctypes.c_int), ("processes", ctypes.c_int), ("at", ctypes.c_long), ("calls", ctypes.c_long),
        ("pids", ctypes.c_int * 1024), ("below", ctypes.c_char * 512), ("where", ctypes.c_char * 512),
    )  # fmt: skip


class Fault(NamedTuple):
    """What happens at which call; ``times`` of them in a row fail."""

    mode: int
    at: int = 1
    error: int = 0
    times: int = 1


class Ended(NamedTuple):
    """How a command ended: its code (minus a signal), what it wrote, and what it met."""

    code: int
    out: str
    err: str
    fired: int
    calls: int
    where: str
    hung: bool

    @property
    def is_bug(self) -> bool:
        """Whether it ended as nothing may end."""
        return self.hung or self.code in (70, _BUG) or self.code in (-signal.SIGSEGV, -signal.SIGABRT)


def with_faults(root: Path) -> None:
    """Start this program again with the library loaded, unless it is; HOME is the rig's own from then on."""
    if os.environ.get(_CONTROL):
        return
    root.mkdir(parents=True, exist_ok=True)
    library, control, home = root / "fault.so", root / f"control.{os.getpid()}", root / "home"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("soak: a C compiler is needed: install gcc")
    new = library.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-w", "-o", new, _SOURCE, "-ldl"], check=True)
    new.rename(library)
    control.write_bytes(bytes(ctypes.sizeof(_Control)))
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text(
        '[user]\n\tname = Ada Tester\n\temail = ada@example.org\n[protocol "file"]\n\tallow = always\n'
    )
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PACHA_", "GIT_", "XDG_"))}
    env.update({_CONTROL: str(control), "LD_PRELOAD": str(library), "HOME": str(home), "PYTHONHASHSEED": "0"})
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', '')}"
    os.execve(sys.executable, [sys.executable, "-m", "tests.soak", *sys.argv[1:]], env)


class Rig:
    """The one that runs commands; ``below`` is the folder in which calls count."""

    def __init__(self, below: Path) -> None:
        with open(os.environ[_CONTROL], "r+b") as file:  # noqa: PTH123
            self._map = mmap.mmap(file.fileno(), ctypes.sizeof(_Control))
        self._control = _Control.from_buffer(self._map)
        self._below = below
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)

    def cli(self, *words: object, registry: Path, fault: Fault | None = None, timeout: float = 120) -> Ended:
        """Run a command of ``git pacha``."""
        argv = ["git-pacha", "--registry", str(registry), *map(str, words)]

        def go() -> int:
            from pacha_git.cli.main import main

            return main(argv)

        return self.call(go, fault=fault, timeout=timeout)

    def call(self, work: Callable[[], int], *, fault: Fault | None = None, timeout: float = 120) -> Ended:
        """Run some work in a process of its own; what it returns is its code."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._arm(fault)
            pid = os.fork()
            if not pid:
                self._be_child(work, out.fileno(), err.fileno())
            status, hung = _wait(pid, timeout)
            self._control.armed = 0
            _reap()
            out.seek(0)
            err.seek(0)
            where = self._control.where.decode("utf-8", "replace") if self._control.fired else ""
            return Ended(
                os.waitstatus_to_exitcode(status), out.read().decode("utf-8", "replace"),
                err.read().decode("utf-8", "replace"), self._control.fired, self._control.calls, where, hung,
            )  # fmt: skip

    def _arm(self, fault: Fault | None) -> None:
        control = self._control
        control.calls = control.fired = control.processes = 0
        if fault is not None:
            control.mode, control.at, control.error, control.times = fault
            control.below = f"{self._below}/".encode()
            control.armed = 1

    def _be_child(self, work: Callable[[], int], out: int, err: int) -> None:
        code = _BUG
        try:
            os.setsid()
            if self._control.armed:
                self._control.pids[self._control.processes] = os.getpid()
                self._control.processes += 1
            for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
                os.dup2(target, number)
            sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "r" if not number else "w") for number in range(3))
            code = work() or 0
            sys.stdout.flush()
            sys.stderr.flush()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)


def _wait(pid: int, timeout: float) -> tuple[int, bool]:
    until = time.monotonic() + timeout
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status, False
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            return os.waitpid(pid, 0)[1], True
        time.sleep(0.002)


def _reap() -> None:
    """Let what outlived a command end by itself for a moment, then end it."""
    until = time.monotonic() + 2
    while True:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not found:
            if time.monotonic() > until:
                children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
                for child in children:
                    os.kill(int(child), signal.SIGKILL)
            time.sleep(0.005)


class Shard:
    """The trials of one kind and seed, in a file: what was done in an earlier call is not done again."""

    def __init__(self, root: Path, kind: str, seed: int) -> None:
        self.path = root / f"{kind}-{seed}.jsonl"
        self.done: dict[int, list[str]] = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                trial = json.loads(line)
                self.done[trial["trial"]] = trial["wrong"]

    def missing(self, first: int, count: int) -> Iterable[int]:
        """The numbers of the trials still to be done."""
        return (number for number in range(first, first + count) if number not in self.done)

    def note(self, number: int, wrong: list[str], **more: Any) -> None:
        """Keep what a trial found; each is one line."""
        self.done[number] = wrong
        with self.path.open("a") as file:
            file.write(json.dumps({"trial": number, "wrong": wrong, **more}, default=str) + "\n")
