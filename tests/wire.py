"""Counts the bytes that cross a TCP connection, and can cut or hold it after so many. It knows no protocol."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

MOST_SAID_OF_A_PUSH = 1 << 20


@dataclass
class Wire:
    """A proxy in front of one server.

    Attributes:
        url: What a client uses instead of the server's own.
        sent: Bytes from clients to the server, so far.
        received: Bytes from the server to clients, so far.
        cut_after: Bytes in either direction after which every connection breaks; None never.
        hold_after: Bytes to clients after which nothing goes on, and nothing breaks; None never.
    """

    url: str
    sent: int = 0
    received: int = 0
    cut_after: int | None = None
    hold_after: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self, cut_after: int | None = None) -> None:
        """Count from zero."""
        with self.lock:
            self.sent = self.received = 0
            self.cut_after = cut_after

    @property
    def total(self) -> int:
        """Bytes in both directions."""
        return self.sent + self.received

    def count(self, size: int, *, up: bool) -> bool:
        """Count a block; whether the connection may go on."""
        with self.lock:
            if up:
                self.sent += size
            else:
                self.received += size
            return self.cut_after is None or self.total <= self.cut_after


@contextlib.contextmanager
def watched(url: str) -> Iterator[Wire]:
    """Put a counting proxy before the server of a URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    target = (parts.hostname, parts.port)
    listener = socket.create_server(("127.0.0.1", 0))
    host = parts.netloc.rpartition(":")[0]
    wire = Wire(urlunsplit(parts._replace(netloc=f"{host}:{listener.getsockname()[1]}")))
    thread = threading.Thread(target=_accept, args=(listener, target, wire), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing alone would not
        listener.close()
        thread.join(5)


def _accept(listener: socket.socket, target: tuple[str, int], wire: Wire) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        try:
            server = socket.create_connection(target)
        except OSError:
            client.close()
            continue
        for one, other, up in ((client, server, True), (server, client, False)):
            threading.Thread(target=_pump, args=(one, other, wire, up), daemon=True).start()
        del client, server, one, other  # or the last pair would stay open until the next comes


def _pump(source: socket.socket, sink: socket.socket, wire: Wire, up: bool) -> None:
    """Carry one direction until its end, and see to it that neither side waits for the other for ever."""
    client, server = (source, sink) if up else (sink, source)
    try:
        while block := source.recv(65536):
            if not wire.count(len(block), up=up):
                raise ConnectionAbortedError("cut")
            while not up and wire.hold_after is not None and wire.received > wire.hold_after:
                time.sleep(0.05)
            sink.sendall(block)
    except OSError:  # cut, or one side was reset
        _reset(client)
        if not up:
            _drain(server)
            _close(server)  # whoever still sends is told; the thread of the other direction has nothing more for it
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)  # a server still gets all that was sent before, then the end


def _reset(client: socket.socket) -> None:
    """Break the client's side; to one that is only ended a git goes on sending until nobody takes it any more."""
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)  # wakes the thread at the other direction; closing alone would not
    client.close()


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _drain(server: socket.socket) -> None:
    """Let a server finish what it has to say: a connection that is closed over it loses what it had not read."""
    with contextlib.suppress(OSError):
        left = MOST_SAID_OF_A_PUSH
        while left > 0 and (block := server.recv(65536)):
            left -= len(block)
