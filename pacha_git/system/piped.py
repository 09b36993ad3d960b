"""Starts a program that an event loop feeds and reads; it and all that it started are ended with its block.

It stands apart from ``process`` because only a server has an event loop, and loading one takes 60 ms.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from pacha_git.errors import NotFound
from pacha_git.system.environment import clean_environment

_PATIENCE_SECONDS: Final = 5.0
_BUFFER: Final = 1 << 18


@asynccontextmanager
async def piped(argv: Sequence[str], *, env: Mapping[str, str]) -> AsyncIterator[Process]:
    """Start a program with pipes for its input and output, in a process group of its own; its complaints go nowhere.

    Raises:
        NotFound: there is no such program.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=clean_environment(env), start_new_session=True,
            limit=_BUFFER,
        )  # fmt: skip
    except FileNotFoundError:
        raise NotFound(f"{argv[0]} is not installed, or not on PATH") from None
    try:
        yield child
    finally:
        await _end(child)


async def _end(child: Process) -> None:
    """End what still runs of the group: first politely, for a git that is told to stop removes what it was writing."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(child.wait(), _PATIENCE_SECONDS)
    # Its pipes too: what it wrote and nobody read would keep them open beyond the loop.
    child._transport.close()  # type: ignore[attr-defined]
