"""When objects were last written or found again, as Git's gc reckons it: by the times of the files that hold them.

Cruft packs keep a time for each object beside them: https://git-scm.com/docs/gitformat-pack, "pack-*.mtimes files".
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt
from pacha_git.git.packs.index import PackIndex
from pacha_git.gitobjects.oid import OID_BYTES

_MTIMES_HEADER: Final = 12


def last_used(objects: Path, wanted: Container[bytes]) -> dict[bytes, float]:
    """Raw ids → seconds since 1970 at which each was last of use; an id that is not here is left out.

    Args:
        objects: The ``objects`` folder.
        wanted: Raw ids.
    """
    newest: dict[bytes, float] = {}
    for holder in (_in_packs(objects / "pack"), _loose(objects)):
        for oid, at in holder:
            if oid in wanted:
                newest[oid] = max(at, newest.get(oid, 0.0))
    return newest


def _in_packs(folder: Path) -> Iterator[tuple[bytes, float]]:
    for index in folder.glob("pack-*.idx"):
        try:
            oids = PackIndex(index).oids()
            times = index.with_suffix(".mtimes")
            if times.exists():
                yield from zip(oids, _times(times), strict=False)
            else:
                at = index.with_suffix(".pack").stat().st_mtime
                yield from ((oid, at) for oid in oids)
        except (FileNotFoundError, Corrupt):
            continue  # repacked meanwhile; what it held lies elsewhere now


def _times(path: Path) -> Iterator[float]:
    """Return the times of a cruft pack's objects, in the order of its index."""
    data = path.read_bytes()
    end = len(data) - 2 * OID_BYTES
    return (float(seconds) for (seconds,) in struct.iter_unpack(">I", data[_MTIMES_HEADER:end]))


def _loose(objects: Path) -> Iterator[tuple[bytes, float]]:
    for path in objects.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 38):
        yield bytes.fromhex(path.parent.name + path.name), path.stat().st_mtime
