"""The proxy of the tests counts what crosses it, and when a connection breaks it leaves neither side waiting."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from tests.wire import watched

MIB = 1 << 20
PATIENCE = 10.0
Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Hand the first connection to a function; at the end, see that it came to its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def run() -> None:
            with listener.accept()[0] as connection:
                connection.settimeout(PATIENCE)
                serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server still waits for its client"


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


def pour(connection: socket.socket) -> None:
    """Send until nobody takes it any more."""
    while True:
        connection.sendall(b"x" * 65536)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_it_counts_both_ways() -> None:
    def echo(connection: socket.socket) -> None:
        connection.sendall(read_all(connection) * 2)

    with serving(echo) as url, watched(url) as wire, connected(wire.url) as client:
        client.sendall(b"x" * MIB)
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(client)) == 2 * MIB
        assert (wire.sent, wire.received) == (MIB, 2 * MIB)


def test_a_cut_breaks_a_client_that_only_sends_and_ends_its_server() -> None:
    got: list[bytes] = []
    with serving(lambda connection: got.append(read_all(connection))) as url, watched(url) as wire:
        wire.reset(cut_after=MIB)
        with connected(wire.url) as client, pytest.raises(ConnectionError):
            pour(client)
    assert 0 < len(got[0]) <= MIB


def test_a_cut_breaks_a_client_that_only_reads_and_ends_its_server() -> None:
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with pytest.raises(ConnectionError):
            pour(connection)
        ended.set()

    with serving(serve) as url, watched(url) as wire:
        wire.reset(cut_after=MIB)
        with connected(wire.url) as client, suppress(ConnectionError):
            assert len(read_all(client)) <= MIB
        assert ended.wait(PATIENCE)  # while the proxy still stands


def test_a_cut_lets_the_server_read_what_was_sent_before() -> None:
    got: list[int] = []

    def read_slowly(connection: socket.socket) -> None:
        connection.sendall(b"progress")  # nobody takes it any more
        got.append(len(read_all(connection)))

    with serving(read_slowly) as url, watched(url) as wire, connected(wire.url) as client:
        assert client.recv(8) == b"progress"
        wire.reset(cut_after=256 * 1024)
        client.sendall(b"x" * 128 * 1024)
        with pytest.raises(ConnectionError):
            pour(client)
    assert got[0] >= 128 * 1024


def test_a_client_that_is_killed_ends_its_server() -> None:
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"unread" * 1000)
        got.append(read_all(connection))

    with serving(serve) as url, watched(url) as wire:
        client = connected(wire.url)
        client.sendall(b"x")
        assert client.recv(1) == b"u"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert got == [b"x"]


def test_a_server_that_goes_away_ends_its_client() -> None:
    with (
        serving(lambda connection: None) as url,
        watched(url) as wire,
        connected(wire.url) as client,
        suppress(ConnectionError),
    ):
        assert read_all(client) == b""
