"""Serves a WSGI application of Git's smart HTTP on a socket, with limits on what clients may take.

It knows sockets, time and bytes; who may do what is decided by http. Requests are kept on disk, not in memory.
"""

from __future__ import annotations

import copy
import logging
import socket
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import FileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from pacha_git.errors import PachaError
from pacha_git.git.wire.http import READ_LIMIT, WRITE, WRITE_LIMIT, Access, Backend

_THREADS: Final = 8
_CONNECTIONS: Final = 64
_HEADER_SECONDS: Final = 30.0
_READ_SECONDS: Final = 300.0
_WRITE_SECONDS: Final = 12 * 3600.0
_IDLE_SECONDS: Final = 120.0
# A client that asked for much may be slow to take it, and git slow to find it.
_STALLED_SECONDS: Final = 900.0
_CLEANUP_SECONDS: Final = 5
_POLL_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 10
_BACKED_UP: Final = 4 << 20


class _RequestParser(HTTPRequestParser):
    """Reads a request; only who may push may send much."""

    path: str

    def __init__(self, access: Access, scratch: Path, adj: Any) -> None:
        super().__init__(adj)
        self._access = access
        self._scratch = scratch

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.path == f"/{WRITE}" and self._access.may_write(self.headers.get("AUTHORIZATION", "")):
            self.adj = copy.copy(self.adj)
            self.adj.max_request_body_size = WRITE_LIMIT
            if self.body_rcv is not None:
                # Beside the registry, which has room for it: the machine's folder for such things may be memory.
                waiting: Any = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 — closed with the request
                self.body_rcv.buf = FileBasedBuffer(waiting)  # type: ignore[assignment]


class _Channel(HTTPChannel):
    """A connection that knows since when its request is on the way."""

    begun = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.begun = time.time()
        return bool(super().received(data))

    def overdue(self, now: float) -> bool:
        """Whether its client takes too long: for the head of a request, for the next bytes, for taking the answer."""
        if self.requests:
            return now - self.last_activity > _STALLED_SECONDS
        if self.request is not None and now - self.begun > self._patience(self.request):
            return True
        return now - self.last_activity > _IDLE_SECONDS

    def _patience(self, request: Any) -> float:
        """Seconds until a request must be here: of one that may not push, the head and then all of it."""
        if not request.headers_finished:
            return _HEADER_SECONDS
        return _READ_SECONDS if request.adj.max_request_body_size <= READ_LIMIT else _WRITE_SECONDS


class Server:
    """A server, listening once it is made.

    Args:
        backend: What answers.
        access: Who may send much.
        host: The address to listen on, or a name that stands for one.
        port: The port; 0 for any that is free.
        scratch: Where large requests wait on disk.

    Attributes:
        address: The address and port that it listens on.

    Raises:
        PachaError: it can't listen there.
    """

    def __init__(self, backend: Backend, access: Access, host: str, port: int, scratch: Path) -> None:
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        self._backend = backend
        self._map: dict[int, Any] = {}
        self._stopping: float | None = None
        try:
            adjustments = _adjustments(host, port)
            self._workers = ThreadedTaskDispatcher()
            self._server = _Listener(
                backend, partial(_RequestParser, access, scratch), adjustments, self._map, self._workers
            )
        except (OSError, ValueError, OverflowError) as error:
            wasyncore.close_all(self._map)
            reason = getattr(error, "strerror", None) or str(error)
            raise PachaError(
                f"can't listen on {host} port {port}: {reason}", hint="--port 0 takes any free port"
            ) from None
        self._workers.set_thread_count(_THREADS)
        self.address: tuple[str, int] = (self._server.effective_host, int(self._server.effective_port))

    def run(self) -> None:
        """Serve until ``stop``; then let requests under way end, but not for long."""
        try:
            while self._is_wanted():
                wasyncore.loop(timeout=_POLL_SECONDS, use_poll=True, map=self._map, count=1)
        finally:
            self._backend.close()
            self._workers.shutdown(timeout=_GRACE_SECONDS // 2)
            wasyncore.close_all(self._map)

    def stop(self) -> None:
        """Take no more requests; may be called by a signal handler, or another thread. A second call doesn't wait."""
        self._stopping = time.monotonic() if self._stopping is None else float("-inf")
        with suppress(OSError):  # it has ended already
            self._server.pull_trigger()

    def _is_wanted(self) -> bool:
        if self._stopping is None:
            return True
        self._server.accepting = False
        return self._server.is_busy() and time.monotonic() - self._stopping < _GRACE_SECONDS


class _Listener(TcpWSGIServer):
    """Waitress, with an eye on clients that only pretend to be there."""

    effective_host: str
    effective_port: str
    active_channels: dict[int, _Channel]  # type: ignore[assignment]

    def __init__(
        self, backend: Backend, parser: Any, adj: Adjustments, map: dict[int, Any], workers: ThreadedTaskDispatcher
    ) -> None:
        self._backend = backend
        super().__init__(backend, map, dispatcher=workers, adj=adj, sockinfo=adj.listen[0])  # type: ignore[arg-type]
        self.channel_class = type("Channel", (_Channel,), {"parser_class": staticmethod(parser)})

    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return any(channel.requests or channel.total_outbufs_len for channel in self.active_channels.values())

    def maintenance(self, now: float) -> None:
        for channel in self.active_channels.values():
            if channel.overdue(now):
                channel.will_close = True
        self._backend.sweep()


def _adjustments(host: str, port: int) -> Adjustments:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    literal = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
    return Adjustments(
        listen=f"{literal}:{port}",
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        max_request_body_size=READ_LIMIT,
        max_request_header_size=1 << 16,
        recv_bytes=1 << 18,
        outbuf_high_watermark=_BACKED_UP,
        outbuf_overflow=4 * _BACKED_UP,
        cleanup_interval=_CLEANUP_SECONDS,
        channel_request_lookahead=1,
        clear_untrusted_proxy_headers=True,
        ident="pacha-git",
    )
