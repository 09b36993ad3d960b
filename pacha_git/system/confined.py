"""Does work in a child with limits of memory and time, for libraries that a file can make die: its death is an answer.

The child is a fork, so that work may read what is open here. It has no say in what comes back but JSON.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")

_HEAD: Final = struct.Struct("<Q")
_MOST_ANSWER: Final = 64 << 20
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended that gave no answer."""

    reason: str


def confined(
    jobs: Sequence[T], work: Callable[[T], Any], *, memory: int, seconds: Callable[[T], float]
) -> Iterator[Any | Death]:
    """Do work for each of several things; one child does as many as it lives for.

    Args:
        jobs: The things.
        work: What is done; what it returns comes back as JSON.
        memory: Bytes of address space that the child may have.
        seconds: How long one may take.

    Returns:
        One answer for each, in order: what ``work`` returned, or how the child died that was at it.
    """
    done = 0
    while done < len(jobs):
        with _Child(jobs[done:], work, memory) as child:
            for job in jobs[done:]:
                answer = child.answer(seconds(job))
                done += 1
                yield answer
                if isinstance(answer, Death):
                    break


class _Child:
    """A forked child that sends an answer after the other."""

    def __init__(self, jobs: Sequence[Any], work: Callable[[Any], Any], memory: int) -> None:
        self._pipe, inner = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._pipe)
            _serve(inner, jobs, work, memory)
        os.close(inner)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)
        self._end()

    def answer(self, seconds: float) -> Any | Death:
        """Return the next answer."""
        until = time.monotonic() + seconds
        try:
            (size,) = _HEAD.unpack(self._exactly(_HEAD.size, until))
            if size > _MOST_ANSWER:
                return Death("it gave an answer without end")
            return json.loads(self._exactly(size, until))
        except TimeoutError:
            return Death(f"it took over {seconds:.0f} seconds")
        except EOFError:
            return Death(_said(self._end()))

    def _exactly(self, size: int, until: float) -> bytes:
        parts: list[bytes] = []
        while size:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
                raise TimeoutError
            block = os.read(self._pipe, min(size, _BLOCK))
            if not block:
                raise EOFError
            parts.append(block)
            size -= len(block)
        return b"".join(parts)

    def _end(self) -> int:
        if not self._pid:
            return 0
        with suppress(ProcessLookupError):
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if not ended:
                time.sleep(0.01)  # of one that died by itself the signal is worth knowing
                ended, status = os.waitpid(self._pid, os.WNOHANG)
            if not ended:
                os.kill(self._pid, signal.SIGKILL)
                _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            return status
        return 0


def _said(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"it died of {signal.Signals(number).name}"
    return f"it ended with {os.waitstatus_to_exitcode(status)}"


def _serve(pipe: int, jobs: Sequence[Any], work: Callable[[Any], Any], memory: int) -> NoReturn:
    """Tell what the child does; it never returns into the program that it was forked from."""
    status = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for job in jobs:
            data = json.dumps(work(job)).encode()
            view = memoryview(_HEAD.pack(len(data)) + data)
            while view:
                view = view[os.write(pipe, view) :]
        status = 0
    finally:
        os._exit(status)
