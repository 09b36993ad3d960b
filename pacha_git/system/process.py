"""Runs other programs, git above all, in an environment where nothing inherited can point them at another repository.

The sole home of ``subprocess``. It knows how a child is started, fed and ended.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from pacha_git.errors import NotFound, PachaError
from pacha_git.system.environment import clean_environment
from pacha_git.system.proctree import end_family, family

Child = subprocess.Popen[bytes]

_FOREIGN: Final = re.compile(r"detected dubious ownership in repository at '(.+)'")
_KEPT_LINES: Final = 40
_LONGEST_LINE: Final = 1 << 16
_GUARD_SECONDS: Final = 0.1
_INTERRUPT_SECONDS: Final = 1.0
_FINISH_SECONDS: Final = 20.0


class CommandFailed(PachaError):
    """A program ended with another status than 0; ``status`` and what it wrote are kept."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str, stdout: bytes = b"") -> None:
        said = stderr.strip().splitlines()
        foreign = foreign_folder(stderr)
        if foreign is not None:
            super().__init__(f"Git refuses {foreign}: its owner is another user", hint=trust_line(foreign))
        else:
            super().__init__(f"{' '.join(argv[:3])} … ended with {status}" + (f": {said[-1]}" if said else ""))
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        self.stdout = stdout


def foreign_folder(stderr: str) -> str | None:
    """Return the folder that git refuses because somebody else owns it; None if it says no such thing."""
    match = _FOREIGN.search(stderr)
    return match[1] if match is not None else None


def trust_line(folder: str) -> str:
    """Return the command that lets Git work in a folder that somebody else owns."""
    import shlex  # seldom needed

    return f"git config --global --add safe.directory {shlex.quote(folder)}"


class Completed(NamedTuple):
    """What a program that ended with status 0 wrote."""

    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    timeout: float | None = None,
    keeps: int | None = None,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: The program and its arguments.
        cwd: Where it runs.
        env: What to add to the clean environment.
        stdin: What it reads: bytes, or a file from where it stands; nothing if None.
        stdout: A file that it writes to, instead of into our memory.
        timeout: Seconds after which it is killed.
        keeps: A descriptor that it has, too: a lock, which then lasts as long as the program if we are killed.

    Raises:
        CommandFailed: it ended with another status than 0, or was killed for its time.
        NotFound: there is no such program.
    """
    data = stdin if isinstance(stdin, bytes) else None
    file: Any = None if data is not None else stdin or subprocess.DEVNULL
    try:
        with _installed(argv):
            done: subprocess.CompletedProcess[bytes] = subprocess.run(
                list(argv),
                cwd=cwd,
                env=clean_environment(env),
                input=data,
                stdin=file,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout,
                pass_fds=() if keeps is None else (keeps,),
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise CommandFailed(argv, -1, f"no answer within {timeout} s") from None
    stderr = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise CommandFailed(argv, done.returncode, stderr, done.stdout or b"")
    return Completed(done.stdout or b"", stderr)


@contextmanager
def _installed(argv: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        program = argv[0]
        if error.filename not in (None, program):
            raise NotFound(f"no such folder: {error.filename}") from None
        raise NotFound(f"{program} is not installed, or not on PATH", hint=f"install {program} and try again") from None


def run_watched(
    argv: Sequence[str],
    *,
    on_stderr: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    most: int | None = None,
    guard: Callable[[int], None] | None = None,
) -> Completed:
    """Run a program, handing on each line and each step of progress on its stderr as it comes.

    Args:
        argv: The program and its arguments.
        on_stderr: Is given the lines.
        cwd: Where it runs.
        env: What to add to the clean environment.
        stdin: What it reads; nothing if None.
        most: Bytes that it may write to stdout before it is ended; None for any number.
        guard: Asked ten times a second, with the program's id; if it raises, the program and all that it started are
            ended and the error passed on.

    Raises:
        CommandFailed, NotFound: as ``run``; CommandFailed with status -2 if it wrote more than ``most``.
    """
    kept: deque[str] = deque(maxlen=_KEPT_LINES)

    def hand_on(text: str) -> None:
        kept.append(text)
        on_stderr(text)

    with started(argv, cwd=cwd, env=env) as child, _guarded(child, guard):
        reader = threading.Thread(target=_each_line, args=(child.stderr, hand_on), daemon=True)
        feeder = threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True)
        reader.start()
        feeder.start()
        assert child.stdout is not None
        stdout = child.stdout.read() if most is None else child.stdout.read(most + 1)
        if most is not None and len(stdout) > most:
            _stop(child)
            raise CommandFailed(argv, -2, f"it wrote more than {most} bytes")
        status = child.wait()
        reader.join()
        feeder.join()
    if status:
        raise CommandFailed(argv, status, "\n".join(kept), stdout)
    return Completed(stdout, "\n".join(kept))


def run_attached(argv: Sequence[str], *, env: Mapping[str, str], stdout_to_stderr: bool = False) -> int:
    """Run a program that has our streams and our environment, to its end.

    An interrupt from a terminal reaches the program by itself; what is sent to us alone is handed on to it.

    Args:
        argv: The program and its arguments.
        env: What to add to the environment.
        stdout_to_stderr: Whether what it writes to its standard output goes to our standard error.

    Returns:
        Its status; minus the number of the signal that ended it, if one did.

    Raises:
        NotFound: there is no such program.
        PachaError: it can't be started.
    """
    try:
        with _installed(argv):
            child = subprocess.Popen(
                list(argv), env={**os.environ, **env}, stdout=sys.stderr.fileno() if stdout_to_stderr else None
            )
    except OSError as error:
        hint = "is it made for this machine? a script wants a first line such as #!/bin/sh"
        raise PachaError(f"can't run {argv[0]}: {error.strerror}", hint=hint) from None
    with _handing_on(child):
        return child.wait()


@contextmanager
def _handing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    # Nobody can tell whether an interrupt that no terminal sent went to the whole group, and a second one might cut off
    # what the program does about the first: it has a moment to end.
    interrupt = threading.Timer(_INTERRUPT_SECONDS, child.send_signal, (signal.SIGINT,))
    interrupt.daemon = True

    def hand_on(number: int, _: object) -> None:
        if number != signal.SIGINT:
            child.send_signal(number)
        elif interrupt.ident is None and not _in_terminal():
            interrupt.start()

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        interrupt.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_terminal() -> bool:
    """Tell whether Ctrl-C in a terminal reaches this process and those it started."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)


@contextmanager
def _guarded(child: subprocess.Popen[bytes], guard: Callable[[int], None] | None) -> Iterator[None]:
    """Ask ``guard`` again and again while the block lasts; what it raises ends the child and comes out of the block."""
    if guard is None:
        yield
        return
    over = threading.Event()
    raised: list[Exception] = []

    def watch(ask: Callable[[int], None]) -> None:
        while not over.wait(_GUARD_SECONDS):
            try:
                ask(child.pid)
            except Exception as error:
                raised.append(error)
                started_by_it = family(child.pid)[1:]
                _stop(child)
                end_family(started_by_it)
                return

    thread = threading.Thread(target=watch, args=(guard,), daemon=True)
    thread.start()
    try:
        yield
    except CommandFailed:
        if not raised:
            raise
    finally:
        over.set()
        thread.join()
    if raised:
        raise raised[0]


def within_memory(argv: Sequence[str], most: int) -> list[str]:
    """Return the same program with at most so many bytes of address space, where the system can say so."""
    return ["sh", "-c", 'ulimit -v "$0" 2>/dev/null; exec "$@"', str(most >> 10), *argv]


def _feed(pipe: IO[bytes] | None, data: bytes | None) -> None:
    assert pipe is not None
    try:
        if data:
            pipe.write(data)
        pipe.close()
    except BrokenPipeError:
        pass  # it ended before it had read all; its status says why


def _each_line(pipe: IO[bytes] | None, hand_on: Callable[[str], None]) -> None:
    assert pipe is not None
    rest = b""
    while block := pipe.read1(65536) if hasattr(pipe, "read1") else pipe.read(1):
        *lines, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line:
                hand_on(line.decode("utf-8", "replace"))
        rest = rest[-_LONGEST_LINE:]
    if rest:
        hand_on(rest.decode("utf-8", "replace"))


@contextmanager
def started(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, apart: bool = False
) -> Iterator[Child]:
    """Start a program with three pipes; it is ended when the block is left. ``apart``: Ctrl-C is for us alone.

    Raises:
        NotFound: there is no such program.
    """
    with _installed(argv):
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=clean_environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=apart,
        )
    try:
        yield child
    finally:
        _end(child)


def begin(argv: Sequence[str]) -> Child:
    """Start a program that answers line by line; whoever does so ends it, with ``end``.

    Its pipes have no buffer of ours, what it complains of comes among its answers, and Ctrl-C is for us alone.

    Raises:
        NotFound: there is no such program.
    """
    with _installed(argv):
        return subprocess.Popen(
            list(argv),
            bufsize=0,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(child: Child) -> int:
    """Close a program's pipes and see it end; it may finish what it was told to do. Returns its status."""
    _close_pipes(child)
    try:
        return child.wait(_FINISH_SECONDS)
    except subprocess.TimeoutExpired:
        _stop(child)
        return child.wait()


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _end(child: Child) -> None:
    _stop(child)
    _close_pipes(child)


def _close_pipes(child: Child) -> None:
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what it did not read no longer matters
                pipe.close()
