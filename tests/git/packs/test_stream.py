"""The pipeline: every chunk in order, each stored once, and an error anywhere ends it cleanly."""

from __future__ import annotations

import hashlib
import threading
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.chunking.cutter import Window, chunks
from pacha_git.git.packs.reader import PackSet
from pacha_git.git.packs.stream import PackStream, StoredChunk
from pacha_git.git.packs.writer import PackWriter
from pacha_git.gitobjects.oid import Oid
from tests.chunking.samples import bytes_of, chunks_of
from tests.git.stock import bare, files_in, git, no_fallback, packs_of


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo")


def nothing_known(digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
    return {}


def windows(data: bytes, window: int = 1 << 19) -> Iterator[Window]:
    rest = memoryview(data)

    def read(view: memoryview) -> int:
        nonlocal rest
        count = min(len(view), len(rest))
        view[:count], rest = rest[:count], rest[count:]
        return count

    return chunks(read, len(data), window=window)


def oid_of(body: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).digest()


def test_chunks_are_stored_in_order_and_read_back(repo: Path) -> None:
    data = bytes_of("stream", 5_000_000)
    whole = blake3.blake3()

    def tap(view: memoryview) -> None:
        time.sleep(0.01)  # it may be the slowest of all
        whole.update(view)

    with (
        PackWriter(repo / "objects", reason="test") as writer,
        PackStream(writer, nothing_known) as stream,
    ):
        stored = list(stream.store(windows(data), tap))
        digest = whole.digest()
        (pack,) = writer.finish()
    parts = chunks_of(data)
    assert [chunk[:4] for chunk in stored] == [
        StoredChunk(blake3.blake3(part).digest(), oid_of(part), len(part), True, 0)[:4] for part in parts
    ]
    assert sum(chunk.stored for chunk in stored) == writer.bytes_stored
    assert digest == blake3.blake3(data).digest()
    git(repo, "verify-pack", str(pack))
    assert b"".join(packs_of(repo).read_many(Oid.of_raw(chunk.oid) for chunk in stored)) == data


@pytest.mark.parametrize("expected", [0, 600])
def test_a_window_serves_again_only_when_its_bytes_are_written(repo: Path, expected: int) -> None:
    data = bytes_of("windows", 40_000_000)
    with PackWriter(repo / "objects", reason="test") as writer:
        writer.expect(expected)
        with PackStream(writer, nothing_known) as stream:
            stored = [chunk.oid for chunk in stream.store(windows(data))]
        packs = writer.finish()
    for pack in packs:
        git(repo, "verify-pack", str(pack))
    assert b"".join(packs_of(repo).read_many(map(Oid.of_raw, stored))) == data


@pytest.mark.parametrize("every", [0, 40])
def test_windows_serve_again_where_little_is_new(repo: Path, every: int) -> None:
    """Nothing, or one chunk of a few windows."""
    data = bytes_of("windows", 40_000_000)
    digests = [blake3.blake3(part).digest() for part in chunks_of(data)]
    fresh = set(digests[::every] if every else ())

    def lookup(asked: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {digest: bytes(20) for digest in asked if digest not in fresh}

    tracemalloc.start()
    try:
        with PackWriter(repo / "objects", reason="test") as writer, PackStream(writer, lookup) as stream:
            assert sum(chunk.new for chunk in stream.store(windows(data))) == len(fresh)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_what_repeats_is_stored_once(repo: Path, threads: int) -> None:
    """Within a window, between windows, and between streams."""
    data = bytes_of("again", 900_000)
    with PackWriter(repo / "objects", reason="test") as writer:
        with PackStream(writer, nothing_known, threads=threads) as stream:
            stored = list(stream.store(windows(data + bytes(3_000_000) + data + data)))
            again = list(stream.store(windows(data)))
        writer.finish()
    assert sum(chunk.size for chunk in stored) == 5_700_000
    fresh = [chunk for chunk in stored if chunk.new]
    assert len({chunk.oid for chunk in stored}) == len(fresh) == len(writer)
    assert all(chunk.stored == 0 for chunk in stored if not chunk.new)
    assert not any(chunk.new for chunk in again)
    bodies = list(packs_of(repo).read_many(Oid.of_raw(chunk.oid) for chunk in stored))
    assert b"".join(bodies) == data + bytes(3_000_000) + data + data


def test_what_is_known_is_not_stored(repo: Path) -> None:
    data = bytes_of("known", 3_000_000)
    parts = {blake3.blake3(part).digest(): oid_of(part) for part in chunks_of(data)}
    known = dict(list(parts.items())[::2])
    asked: list[bytes] = []
    threads = set()

    def lookup(digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        asked.extend(digests)
        threads.add(threading.current_thread())
        return {digest: known[digest] for digest in digests if digest in known}

    with PackWriter(repo / "objects", reason="test") as writer, PackStream(writer, lookup) as stream:
        stored = list(stream.store(windows(data)))
    assert [(chunk.digest, chunk.oid, chunk.new) for chunk in stored] == [
        (digest, oid, digest not in known) for digest, oid in parts.items()
    ]
    assert asked == list(parts)
    assert threads == {threading.current_thread()}
    assert len(writer) == len(parts) - len(known)


def test_many_small_files_share_a_window(repo: Path) -> None:
    bodies = [bytes_of(str(number), number % 50) for number in range(2000)]
    spans, position = [], 0
    for body in bodies:
        spans.append((position, position + len(body)))
        position += len(body)
    window = Window(0, memoryview(b"".join(bodies)), spans)
    with PackWriter(repo / "objects", reason="test") as writer, PackStream(writer, nothing_known) as stream:
        stored = list(stream.store([window]))
        writer.finish()
    assert [chunk.oid for chunk in stored] == [oid_of(body) for body in bodies]
    assert len(writer) == len(set(bodies))


def test_no_windows_are_no_chunks(repo: Path) -> None:
    with PackWriter(repo / "objects", reason="test") as writer, PackStream(writer, nothing_known) as stream:
        assert list(stream.store([])) == []
        assert list(stream.store([Window(0, memoryview(b""), [])])) == []


@pytest.mark.parametrize("where", ["read", "known", "tap", "consumer"])
def test_an_error_anywhere_ends_it(repo: Path, where: str) -> None:
    before = threading.active_count()
    calls = 0

    def fail_in(place: str) -> None:
        nonlocal calls
        calls += place == where
        if calls == 3:
            raise ZeroDivisionError

    def source() -> Iterator[Window]:
        for window in windows(bytes_of("error", 9_000_000)):
            fail_in("read")
            yield window

    def known(digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        fail_in("known")
        return {}

    def run() -> None:
        with PackWriter(repo / "objects", reason="test") as writer, PackStream(writer, known) as stream:
            for _ in stream.store(source(), lambda data: fail_in("tap")):
                fail_in("consumer")

    with pytest.raises(ZeroDivisionError):
        run()
    assert files_in(repo) == []
    assert threading.active_count() == before


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 400_000)), max_size=8), st.integers(262_144, 1_000_000))
def test_any_stream_is_restored(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]], window: int
) -> None:
    objects = tmp_path_factory.mktemp("objects")
    data = b"".join(bytes_of(str(seed), length) for seed, length in runs)
    with PackWriter(objects, reason="test") as writer, PackStream(writer, nothing_known) as stream:
        stored = list(stream.store(windows(data, window)))
        writer.finish()
    packs = PackSet(objects, no_fallback)
    assert b"".join(packs.read_many(Oid.of_raw(chunk.oid) for chunk in stored)) == data
    assert sum(chunk.new for chunk in stored) == len({chunk.digest for chunk in stored})
