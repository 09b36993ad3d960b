"""Builds the side index anew from the payloads that are here.

It knows what the index must have; how it keeps it is the store's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import blake3

from pacha_git.names import PAYLOAD_ROOT, Oid, parse_payload_ref
from pacha_git.registry.context import Context
from pacha_git.registry.results import Progress
from pacha_git.store import records
from pacha_git.store.index import KnownFile
from pacha_git.store.payload_reader import Payload

_BATCH: Final = 4096


def reindex(context: Context, progress: Progress | None = None) -> int:
    """Build the side index anew from the payloads that are here.

    Returns:
        How many chunks it has.
    """
    context.database.forget()
    refs = context.repo.refs_below(PAYLOAD_ROOT)
    done, seen = 0, set[Oid]()
    for ref, commit in refs.items():
        version = parse_payload_ref(ref)
        if version is None or context.repo.ref(version.ref) is None:
            continue
        content = records.read_version(context.repo, version).record.content
        if content is None:
            continue
        for count in _index_payload(context, Payload(context.repo, content), ref, commit, seen):
            done += count
            if progress is not None:
                progress("reindex", done, None)
    context.index.mark_complete()
    context.catalogue.refresh()
    return context.index.count_chunks()


def _index_payload(context: Context, payload: Payload, ref: str, commit: Oid, seen: set[Oid]) -> Iterator[int]:
    files: list[tuple[bytes, KnownFile]] = []
    for line in payload.lines:
        assert line.parts is not None
        files.append((bytes.fromhex(line.blake3), KnownFile(line.size, line.stored, line.parts, ref, commit)))
        fresh = [piece.oid for piece in payload.pieces(line) if piece.oid not in seen]
        seen.update(fresh)
        for start in range(0, len(fresh), _BATCH):
            batch = fresh[start : start + _BATCH]
            pairs = []
            for oid, block in zip(batch, context.repo.read_blobs(batch), strict=True):
                pairs.append((blake3.blake3(block).digest(), oid.raw))
                yield len(block)
            context.index.add_chunks(pairs)
    context.index.add_files(payload.content.layout, files)
