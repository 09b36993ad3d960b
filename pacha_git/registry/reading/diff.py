"""How two versions differ: what is said of them, their files, and how many bytes they share.

It compares values and manifests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pacha_git.errors import NotFound
from pacha_git.gitobjects.oid import Oid
from pacha_git.registry.reading.view import detail
from pacha_git.session.resolve import resolve
from pacha_git.session.results import Difference, VersionDetail
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.reader import Payload
from pacha_git.vocabulary.kinds import Kind

_SHOWN: Final = ("description", "purpose", "stage", "aliases", "tags", "size", "file_count", "address", "signed_by")


def diff(session: Session, a: str, b: str, *, kind: Kind) -> Difference:
    """Compare two versions of one kind; the bytes are compared where both payloads are here.

    Raises:
        NotFound: no such version.
    """
    stored = [records.read(session.repo, resolve(session, spec, kind=kind)[1]) for spec in (a, b)]
    shown = [detail(session, each) for each in stored]
    files = [{file.path: file for file in each.files} for each in shown]
    common = files[0].keys() & files[1].keys()
    changed = sorted(path for path in common if files[0][path] != files[1][path])
    shared, differing = _bytes(session, stored)
    return Difference(
        a=shown[0],
        b=shown[1],
        metadata=_differing(
            {key: getattr(shown[0], key) for key in _SHOWN}, {key: getattr(shown[1], key) for key in _SHOWN}
        ),
        metrics=_differing(shown[0].metrics, shown[1].metrics),
        values=_differing_values(_values(shown[0]), _values(shown[1])),
        added=tuple(sorted(files[1].keys() - common)),
        removed=tuple(sorted(files[0].keys() - common)),
        changed=tuple(changed),
        unchanged=len(common) - len(changed),
        shared_bytes=shared,
        differing_bytes=differing,
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b]) if a.get(key) != b.get(key)}


def _differing_values(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """As above, but types count: ``true`` is not 1, nor 1 the same as 1.0."""
    return {key: (a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b]) if repr(a.get(key)) != repr(b.get(key))}


def _values(shown: VersionDetail) -> dict[str, Any]:
    """Return the values of a recipe with dotted keys."""
    return dict(_flat(shown.document, "")) if isinstance(shown.document, Mapping) else {}


def _flat(value: Any, above: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{above}.{key}" if above else key)
    else:
        yield above, value


def _bytes(session: Session, stored: list[records.StoredRecord]) -> tuple[int | None, int | None]:
    """Bytes that the second version shares with the first by chunk, and the rest; None if a payload is not here."""
    contents = [each.record.content for each in stored]
    if contents[0] is None or contents[1] is None:
        return 0, 0
    first, second = (session.payloads.read(content) for content in contents if content is not None)
    try:
        have = {oid for oid, _ in _blobs(first)}
        sizes = [(oid in have, size) for oid, size in _blobs(second)]
    except NotFound:
        same = contents[0].address == contents[1].address
        return (contents[1].size, 0) if same else (None, None)
    return sum(size for known, size in sizes if known), sum(size for known, size in sizes if not known)


def _blobs(payload: Payload) -> Iterator[tuple[Oid, int]]:
    for line in payload.lines:
        pieces = list(payload.pieces(line))
        ends = [piece.offset for piece in pieces[1:]] + [line.size]
        for piece, end in zip(pieces, ends, strict=True):
            yield piece.oid, end - piece.offset
