"""Brings the bytes of a version to people as a stream: of one file, or of a range of it.

It knows which file is meant; how bytes are stored is the store's.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.kinds import KINDS
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.resolve import resolve
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.reader import Payload, PayloadFile
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.specs import parse_spec

_RANGE: Final = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))\Z")


def payload_of(session: Session, stored: records.StoredRecord) -> Payload:
    """Return the payload of a version, which must be here.

    Raises:
        PachaError: it is thin or removed; the hint says how to get it.
    """
    version, content = stored.id, stored.record.content
    if content is None:
        raise InvalidInput(f"{version} has no payload: it is a document")
    if not session.payloads.has(version.payload_ref):
        raise _not_here(session, version, stored.commit)
    return session.payloads.read(content)


def _not_here(session: Session, version: VersionId, commit: Oid) -> PachaError:
    removed = session.removals.of(version.kind, version.name).counting.get(commit)
    if removed:
        last = removed[-1]
        return NotFound(
            f"the bytes of {version} were removed by {last.by} on {last.at[:10]}: {last.reason or 'no reason given'}"
        )
    return NotFound(f"the bytes of {version} are not here", hint=f"git pacha pull {version}")


def open_file(
    session: Session, spec: str, file: str | None, *, kind: Kind | None, version: str | None = None
) -> BinaryIO:
    """One file of a version as a seekable stream; see ``Collection.open``."""
    said = parse_spec(spec).file
    if said is not None and file is not None and said != file:
        raise InvalidInput(f"two different files: {said} and {file}")
    stored = records.read(session.repo, resolve(session, spec, kind=kind, version=version, with_file=True)[1])
    wanted = file if file is not None else said
    document = KINDS[stored.id.kind].primary_document
    if document is not None:
        if wanted not in (None, document):
            raise NotFound(f"no file {wanted!r} in {stored.id}", hint=f"it has {document}")
        return io.BytesIO(stored.documents[document])
    payload = payload_of(session, stored)
    return cast(BinaryIO, io.BufferedReader(PayloadFile(payload, payload.line(wanted)), 1 << 18))


def cat(
    session: Session, spec: str, *, kind: Kind | None, byte_range: str | None = None, version: str | None = None
) -> Iterator[bytes]:
    """Return the bytes of one file of a version, or a range of them; see ``Collection.cat``."""
    stored = records.read(session.repo, resolve(session, spec, kind=kind, version=version, with_file=True)[1])
    document = KINDS[stored.id.kind].primary_document
    if document is not None:
        with open_file(session, spec, None, kind=kind, version=version) as file:
            data = file.read()
        start, end = parse_range(byte_range, len(data))
        return iter([data[start:end]])
    payload = payload_of(session, stored)
    line = payload.line(parse_spec(spec).file)
    if byte_range is None:
        return payload.blocks(line)
    start, end = parse_range(byte_range, line.size)
    return payload.range(line, start, end)


def parse_range(text: str | None, size: int) -> tuple[int, int]:
    """Read ``A-B`` (inclusive), ``A-`` or ``-N`` as start and end (excluded) within ``size``: RFC 9110, section 14.1.2.

    Raises:
        InvalidInput: another shape, or nothing of the file lies in it.
    """
    if text is None:
        return 0, size
    match = _RANGE.match(text)
    if match is None:
        raise InvalidInput(f"bad range {text!r}", hint="A-B (both included), A- or -N, as in HTTP")
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        raise InvalidInput(f"the range {text} has nothing of the file's {size} bytes")
    return start, end
