"""Serves Git's smart HTTP on a socket by uvicorn, with limits on what clients may take.

It knows sockets, time and connections; who may do what is decided by http. uvicorn itself drops no client that never
finishes its request and takes any number of connections: that is added here, on its h11 protocol.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from uvicorn.protocols.http.h11_impl import H11Protocol

from pacha_git.errors import PachaError
from pacha_git.git.wire.http import WRITE, Access, Backend

_CONNECTIONS: Final = 64
_HEADER_SECONDS: Final = 30.0
_READ_SECONDS: Final = 300.0
_WRITE_SECONDS: Final = 12 * 3600.0
_IDLE_SECONDS: Final = 120.0
# A client that asked for much may be slow to take it, and git slow to find it.
_STALLED_SECONDS: Final = 900.0
_GRACE_SECONDS: Final = 10
_HEAD_LIMIT: Final = 1 << 16
_REASONS: Final = {400: "Bad Request", 413: "Content Too Large", 431: "Request Header Fields Too Large"}


class Server:
    """A server, listening once it is made.

    Args:
        backend: What answers.
        access: Who may be slow to send much.
        host: The address to listen on, or a name that stands for one.
        port: The port; 0 for any that is free.
        scratch: Where large requests wait on disk.

    Attributes:
        address: The address and port that it listens on.

    Raises:
        PachaError: it can't listen there.
    """

    def __init__(self, backend: Backend, access: Access, host: str, port: int, scratch: Path) -> None:
        backend.scratch = scratch
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        try:
            self._socket = _listening(host, port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PachaError(
                f"can't listen on {host} port {port}: {reason}", hint="--port 0 takes any free port"
            ) from None
        name = self._socket.getsockname()
        self.address: tuple[str, int] = (str(name[0]), int(name[1]))
        self._server = _Uvicorn(
            uvicorn.Config(
                Starlette(routes=[Mount("/", app=backend)]),
                http=type("Connection", (_Connection,), {"access": access}),
                ws="none", lifespan="off", interface="asgi3", loop="asyncio", log_config=None, access_log=False,
                proxy_headers=False, server_header=False, headers=[("Server", "pacha-git")],
                timeout_keep_alive=int(_IDLE_SECONDS), timeout_graceful_shutdown=_GRACE_SECONDS,
                h11_max_incomplete_event_size=_HEAD_LIMIT,
            )
        )  # fmt: skip

    def run(self) -> None:
        """Serve until ``stop``; then let requests under way end, but not for long."""
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Take no more requests; may be called by a signal handler, or another thread. A second call doesn't wait."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener


class _Uvicorn(uvicorn.Server):
    """Uvicorn, with an eye on clients that only pretend to be there; signals are our caller's."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Connection) and connection.overdue(now):
                connection.transport.abort()
        return await super().on_tick(counter)


class _Connection(H11Protocol):
    """A connection that knows since when its request is on the way, and since when its client takes nothing."""

    access: Access
    begun = 0.0
    active = 0.0
    stalled: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.begun = self.active = time.monotonic()
        if len(self.connections) > _CONNECTIONS:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self.active = time.monotonic()
        if self._is_between() and not self.conn.trailing_data[0]:
            self.begun = self.active
        super().data_received(data)

    def pause_writing(self) -> None:
        self.stalled = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.stalled = None
        self.active = time.monotonic()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or has a head without end, with the status that h11 has for it."""
        code = getattr(sys.exc_info()[1], "error_status_hint", 400)
        reason = _REASONS.get(code, "")
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
        for event in (
            h11.Response(status_code=code, headers=headers, reason=reason.encode()), h11.Data(f"{reason}\n".encode()),
            h11.EndOfMessage(),
        ):  # fmt: skip
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def overdue(self, now: float) -> bool:
        """Whether its client takes too long: for the head of a request, for the next bytes, for taking the answer."""
        if self.stalled is not None:
            return now - self.stalled > _STALLED_SECONDS
        if self._is_between():
            if self.conn.trailing_data[0] or self.cycle is None:
                return now - self.begun > _HEADER_SECONDS
            return now - self.active > _IDLE_SECONDS
        if self.conn.their_state is not h11.SEND_BODY or self.flow.read_paused:
            return False  # git is at it
        return now - self.begun > self._patience() or now - self.active > _IDLE_SECONDS

    def _is_between(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _patience(self) -> float:
        """Seconds until a request must be here."""
        headers: dict[bytes, Any] = dict(self.headers or ())
        said = headers.get(b"authorization", b"").decode("latin-1")
        pushes = self.scope["path"] == f"/{WRITE}" and self.access.may_write(said)
        return _WRITE_SECONDS if pushes else _READ_SECONDS
