"""Builds the side index anew from the payloads that are here.

It knows what the index must have; how it keeps it is the store's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import blake3

from pacha_git.format.manifest import FileLine
from pacha_git.git.packs.key_table import KeyTable
from pacha_git.gitobjects.oid import OID_BYTES, Oid
from pacha_git.progress import Progress
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.check import pieces_of_group
from pacha_git.store.payload.reader import Payload
from pacha_git.system import locks
from pacha_git.vocabulary.ids import parse_payload_ref

_LOCK: Final = "pacha/reindex.lock"
_BATCH: Final = 4096


def reindex(session: Session, progress: Progress | None = None) -> int:
    """Build the side index anew from the payloads that are here.

    Returns:
        How many chunks it has.
    """
    if session.database.fault():
        session.database.forget()
    with locks.exclusive(session.path / _LOCK), session.database.pinned():
        with session.index.anew(session.catalogue.refresh):
            _gather(session, progress)
        session.index.mark_complete()
        return session.index.count_chunks()


def _gather(session: Session, progress: Progress | None) -> None:
    done = 0
    ahead: deque[Oid] = deque()
    pairs: list[tuple[bytes, bytes]] = []
    for digest, size in session.repo.packs.work_through(_chunks(session, ahead), _hashed):
        pairs.append((digest, ahead.popleft().raw))
        done += size
        if len(pairs) >= _BATCH:
            session.index.add_chunks(pairs)
            pairs = []
            if progress is not None:
                progress("reindex", done, None)
    session.index.add_chunks(pairs)


def _hashed(block: bytes) -> tuple[bytes, int]:
    return blake3.blake3(block).digest(), len(block)


def _chunks(session: Session, ahead: deque[Oid]) -> Iterator[Oid]:
    """Yield every chunk of every payload, once; ``ahead`` has those that were given out."""
    seen = KeyTable(OID_BYTES)
    for payload, ref, commit in _payloads(session):
        for line in payload.lines:
            for oid in _chunks_of(session, line, seen):
                if seen.add(oid.raw):
                    ahead.append(oid)
                    yield oid
        session.index.add_files(payload.content.layout, payload.lines, ref, commit)


def _payloads(session: Session) -> Iterator[tuple[Payload, str, Oid]]:
    """Yield the payloads that belong to a version, with their refs and commits."""
    for ref, commit in session.payloads.held().items():
        version = parse_payload_ref(ref)
        if version is None or session.repo.ref(version.ref) is None:
            continue
        content = records.read_version(session.repo, version).record.content
        if content is not None:
            yield session.payloads.read(content), ref, commit


def _chunks_of(session: Session, line: FileLine, seen: KeyTable) -> Iterator[Oid]:
    """Yield the chunks of a file, but for those of groups that were seen before."""
    assert line.parts is not None
    if line.stored == "blob":
        yield line.parts[0][0]
        return
    for group, size in line.parts:
        if seen.add(group.raw):
            for oid, _ in pieces_of_group(session.repo, group, size):
                yield oid
