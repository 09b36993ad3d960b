"""Ref transactions by ``git update-ref --stdin``, one program kept from one to the next: to start it takes longest.

It knows how to speak with it, and when to let it go.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from pacha_git.system.process import CommandFailed, begin, end

_START: Final = b"start: ok"
_PREPARE: Final = b"prepare: ok"
_COMMIT: Final = b"commit: ok"
_KEPT_LINES: Final = 40
# A program that is kept remembers packs that are long gone, and their files take space on the disk as long as it lives.
_IDLE_SECONDS: Final = 1.0
_MOST_TURNS: Final = 100
_MOST_IDLE: Final = 2


class Conversation:
    """One running program that answers line by line. One thread at a time.

    Attributes:
        answered: How many answers the last question had.
        turns: How many questions it had.
        quiet_since: When the last one was answered, by the monotonic clock.

    Raises:
        NotFound: there is no such program.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)
        self._child = begin(argv)
        self._unread = b""
        self._said: list[bytes] = []
        self.answered = 0
        self.turns = 0
        self.quiet_since = 0.0
        self.ended = threading.Event()
        _running.add(self)

    @property
    def alive(self) -> bool:
        """Whether it can be asked something."""
        return not self.ended.is_set() and self._child.poll() is None

    def tell(self, data: bytes, *answers: bytes) -> None:
        """Write something, and wait for these lines in order.

        Raises:
            CommandFailed: it ended before it had answered; it says all that it had said else.
        """
        self.turns += 1
        self.answered = 0
        self._write(data)
        for answer in answers:
            while (line := self._line()) != answer:
                if not line:
                    raise CommandFailed(self._argv, self.end(), b"\n".join(self._said).decode("utf-8", "replace"))
                self._said = [*self._said, line][-_KEPT_LINES:]
            self.answered += 1
        self.quiet_since = time.monotonic()

    def _write(self, data: bytes) -> None:
        assert self._child.stdin is not None
        view = memoryview(data)
        with suppress(BrokenPipeError):  # it has ended: why, it says among its answers
            while view:
                view = view[os.write(self._child.stdin.fileno(), view) :]

    def _line(self) -> bytes:
        """Tell what it says next, without the line end; nothing once it has ended."""
        assert self._child.stdout is not None
        while b"\n" not in self._unread:
            block = os.read(self._child.stdout.fileno(), 65536)
            if not block:
                self._unread += b"\n" if self._unread else b""
                break
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def end(self) -> int:
        """Let it end by itself, which takes back what it has only prepared; returns its status."""
        self.ended.set()
        return end(self._child)

    def forget(self) -> None:
        """In a process that was forked off: it is our parent's, and must see its end when our parent is gone."""
        self.ended = threading.Event()  # the lock of the other may be taken by a thread that is not here
        self.ended.set()
        self._child.returncode = 0
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


_running: weakref.WeakSet[Conversation] = weakref.WeakSet()


def _forget_all() -> None:
    for conversation in list(_running):
        conversation.forget()


os.register_at_fork(after_in_child=_forget_all)


class Transactions:
    """Carries out transactions of one repository; threads may share it.

    Args:
        argv: The program, as ``git … update-ref -z --stdin``.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)
        self._idle: list[Conversation] = []
        weakref.finalize(self, _end_all, self._idle)

    def carry_out(self, commands: bytes) -> None:
        """Do all of the commands, or none.

        Raises:
            CommandFailed: git refused, or was ended; what it said is kept.
        """
        while True:
            conversation = self._take()
            fresh = not conversation.turns
            try:
                conversation.tell(b"start\0" + commands + b"prepare\0commit\0", _START, _PREPARE, _COMMIT)
            except CommandFailed:
                # One that was kept may have been ended meanwhile. Only what was not prepared is sure not to be done.
                if fresh or conversation.answered > 1:
                    raise
            except BaseException:
                conversation.end()
                raise
            else:
                self._keep(conversation)
                return

    def close(self) -> None:
        """End the programs that wait for work."""
        _end_all(self._idle)

    def _take(self) -> Conversation:
        # No lock, which a process that is forked off might find taken for ever: a list's own steps are whole.
        with suppress(IndexError):
            while True:
                conversation = self._idle.pop()
                if conversation.alive:
                    return conversation
                if not conversation.ended.is_set():
                    conversation.end()
        return Conversation(self._argv)

    def _keep(self, conversation: Conversation) -> None:
        if conversation.turns >= _MOST_TURNS or len(self._idle) >= _MOST_IDLE or conversation.ended.is_set():
            conversation.end()
            return
        self._idle.append(conversation)
        if conversation.turns == 1:
            name = "git-update-ref"
            threading.Thread(target=_end_when_quiet, args=(self._idle, conversation), name=name, daemon=True).start()


def _end_when_quiet(idle: list[Conversation], conversation: Conversation) -> None:
    while not conversation.ended.wait(_IDLE_SECONDS):
        if time.monotonic() - conversation.quiet_since >= _IDLE_SECONDS:
            with suppress(ValueError):  # it is in use
                idle.remove(conversation)
                conversation.end()


def _end_all(idle: list[Conversation]) -> None:
    while idle:
        idle.pop().end()


@contextmanager
def prepared(argv: Sequence[str], commands: bytes) -> Iterator[PreparedTransaction]:
    """Yield a transaction that is checked and holds the locks of all its refs; it is taken back unless committed.

    Raises:
        CommandFailed: git refused, or was ended.
    """
    conversation = Conversation(argv)
    try:
        conversation.tell(b"start\0" + commands + b"prepare\0", _START, _PREPARE)
        yield PreparedTransaction(conversation)
    finally:
        if not conversation.ended.is_set():
            conversation.end()


class PreparedTransaction:
    """What ``prepared`` gives."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def commit(self) -> None:
        """Let the refs move.

        Raises:
            CommandFailed: git was ended.
        """
        self._conversation.tell(b"commit\0", _COMMIT)
