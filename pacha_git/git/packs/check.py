"""Finds the files below ``objects`` that are not what was written, and rebuilds what follows from other files.

Every file that Git or this package writes there ends with the SHA-1 of all that stands before, so a file is judged
without reading what it means. Nothing is deleted here: what is damaged goes to a folder that the caller names.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from pacha_git.errors import Corrupt, NotFound
from pacha_git.git.packs.files import TEMPORARY, storing
from pacha_git.git.packs.loose import damaged_loose
from pacha_git.git.packs.pack import Descriptor, OpenFiles, Pack
from pacha_git.git.packs.writer import PackWriter
from pacha_git.gitobjects.oid import OID_BYTES, OID_DIGITS, Oid, git_oid, object_hash
from pacha_git.system.disk import sync_folder
from pacha_git.system.process import CommandFailed, run

_BLOCK: Final = 1 << 20
# What Git can do without, and makes again when it pays.
_DERIVED: Final = (".rev", ".bitmap", ".mtimes")
_MIDX: Final = "multi-pack-index"


class Mended(NamedTuple):
    """One file that was not what was written: what was done about it, and the objects that are lost with it."""

    path: Path
    done: str
    lost: tuple[Oid, ...] = ()


def mend_packs(objects: Path, aside: Path, *, thorough: bool) -> list[Mended]:
    """Mend or set aside every file of a pack that is damaged; nobody else may repack meanwhile.

    Args:
        objects: The ``objects`` folder of a repository.
        aside: Where damaged files are moved to.
        thorough: Hash every pack; else a pack is judged by its ends, which takes no time.

    Raises:
        PachaError: the disk is full, or a file can't be moved.
    """
    folder = objects / "pack"
    mended: list[Mended] = []
    with storing(objects):
        for stem in _stems(folder):
            mended += _mend_pack(folder / stem, aside, thorough)
        mended += _mend_midx(objects, aside, changed=bool(mended))
        mended += _mend_graph(objects, aside)
        if thorough:
            mended += _mend_loose(objects, aside)
    return mended


def pack_problems(objects: Path) -> list[str]:
    """Tell what is wrong with the files of packs, as far as their ends tell, one line each."""
    folder = objects / "pack"
    found: list[str] = []
    for name in _stems(folder):
        stem = folder / name
        pack, index = stem.with_suffix(".pack"), stem.with_suffix(".idx")
        if pack.exists() and index.exists() and not _ends_alike(pack, index):
            found.append(f"{pack}: it is not the pack that its index is about")
    return found


def set_aside(path: Path, aside: Path) -> None:
    """Move a damaged file out of Git's sight, durably, under a name that tells where it was."""
    aside.mkdir(parents=True, exist_ok=True)
    name = path.name if path.suffix or len(path.name) != OID_DIGITS - 2 else path.parent.name + path.name
    target = aside / name
    while target.exists():
        target = aside / f"{name}.{secrets.token_hex(4)}"
    path.rename(target)
    sync_folder(aside)
    sync_folder(path.parent)


def _stems(folder: Path) -> list[str]:
    """Return the packs of a folder, by what the names of their files have in common."""
    names = {path.stem for path in folder.glob("pack-*") if path.suffix in (".pack", ".idx")} if folder.is_dir() else ()
    return sorted(names)


def _mend_pack(stem: Path, aside: Path, thorough: bool) -> Iterator[Mended]:
    pack, index = stem.with_suffix(".pack"), stem.with_suffix(".idx")
    if not pack.exists():
        for suffix in (".idx", *_DERIVED, ".keep"):
            stem.with_suffix(suffix).unlink(missing_ok=True)
        yield Mended(index, "its pack is gone: it was removed")
        return
    pack_sound = _pack_is_sound(pack, thorough)
    index_sound = index.exists() and is_whole(index) and (not pack_sound or _ends_alike(pack, index))
    if pack_sound and not index_sound and _rebuild_index(pack):
        yield Mended(index, "the index of the pack was built anew")
        index_sound = True
    if not pack_sound or not index_sound:
        yield _salvage(stem, aside, index if index_sound else None)
        return
    for suffix in _DERIVED:
        derived = stem.with_suffix(suffix)
        if derived.exists() and not is_whole(derived):
            set_aside(derived, aside)
            yield Mended(derived, "set aside: Git does without it")


def is_whole(path: Path) -> bool:
    """Tell whether a file ends with the SHA-1 of what stands before.

    Raises:
        OSError: it can't be read.
    """
    digest = object_hash()
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            data = tail + block
            digest.update(data[:-OID_BYTES])
            tail = data[-OID_BYTES:]
    return len(tail) == OID_BYTES and digest.digest() == tail


def _pack_is_sound(pack: Path, thorough: bool) -> bool:
    try:
        size = pack.stat().st_size
        with pack.open("rb") as file:
            if size <= 32 or file.read(4) != b"PACK":
                return False
        if not thorough:
            index = pack.with_suffix(".idx")
            return not index.exists() or _ends_alike(pack, index) or is_whole(pack)
        return is_whole(pack)
    except OSError:
        return False


def _ends_alike(pack: Path, index: Path) -> bool:
    """Tell whether the index is about this pack."""
    try:
        return _end_of(pack, OID_BYTES) == _end_of(index, 2 * OID_BYTES)
    except OSError:
        return False


def _end_of(path: Path, back: int) -> bytes:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() < back:
            return b""
        file.seek(-back, os.SEEK_END)
        return file.read(OID_BYTES)


def _rebuild_index(pack: Path) -> bool:
    """Build the index of a pack anew, durable before it has its name; False: the pack is not sound after all."""
    new = pack.with_name(f"{TEMPORARY}{secrets.token_hex(8)}.idx")
    try:
        run(["git", "index-pack", "-o", str(new), str(pack)], cwd=pack.parent)
    except CommandFailed:
        new.unlink(missing_ok=True)
        return False
    for made in (new, new.with_suffix(".rev")):
        if not made.exists():
            continue
        made.chmod(pack.stat().st_mode & 0o444)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.rename(pack.with_suffix(made.suffix))
    sync_folder(pack.parent)
    return True


class _AnyEnd(Pack):
    """A pack of which what can be read is wanted, whatever stands at its end."""

    def open(self) -> Descriptor:
        """Open the pack."""
        return Descriptor(self.path)


def _salvage(stem: Path, aside: Path, index: Path | None) -> Mended:
    """Write what can still be read of a pack into a new one, and set the old one aside."""
    lost: list[Oid] = []
    found: dict[Oid, int] = {}
    pack: _AnyEnd | None = None
    if index is not None:
        with suppress(OSError, Corrupt):
            pack = _AnyEnd(index, inode=index.stat().st_ino, cruft=False, files=OpenFiles(1))
            found = {Oid.of_raw(raw): pack.find(raw) for raw in pack.index.oids()}
    kept = 0
    if pack is not None:
        with PackWriter(stem.parent.parent, reason=f"salvaged from {stem.name}") as writer:
            for oid, offset in sorted(found.items(), key=lambda item: item[1]):
                if not _copy(writer, pack, oid, offset):
                    lost.append(oid)
            kept = len(writer)
            writer.finish()
    _put_aside(stem, aside)
    told = f"{kept} of its {len(found)} objects were copied to a new pack" if found else "nothing of it could be read"
    return Mended(stem.with_suffix(".pack"), f"set aside: {told}", tuple(lost))


def _copy(writer: PackWriter, pack: Pack, oid: Oid, offset: int) -> bool:
    try:
        kind, body = pack.read(offset)
    except (Corrupt, NotFound, OSError):
        return False
    if git_oid(kind, body) != oid:
        return False
    writer.add(kind, body)
    return True


def _put_aside(stem: Path, aside: Path) -> None:
    # The index first: without it nobody looks into the pack.
    for suffix in (".idx", *_DERIVED, ".keep", ".pack"):
        path = stem.with_suffix(suffix)
        if path.exists():
            set_aside(path, aside)


def _mend_midx(objects: Path, aside: Path, *, changed: bool) -> Iterator[Mended]:
    """Write the index over all packs anew if it is damaged, or if packs came and went."""
    folder = objects / "pack"
    midx = folder / _MIDX
    damaged = midx.exists() and not _is_readable_whole(midx)
    if not damaged and not (changed and midx.exists()):
        return
    for path in sorted(folder.glob(f"{_MIDX}*")):
        if path.suffix != ".lock":
            set_aside(path, aside)
    with suppress(CommandFailed):  # Git does without it until the next gc
        run(["git", f"--git-dir={objects.parent}", "multi-pack-index", "write"])
    if damaged:
        yield Mended(midx, "the index over all packs was built anew")


def _mend_graph(objects: Path, aside: Path) -> Iterator[Mended]:
    """Set aside a damaged commit-graph: it only makes Git faster."""
    info = objects / "info"
    graphs = [info / "commit-graph", *sorted((info / "commit-graphs").glob("*.graph"))]
    if any(path.exists() and not _is_readable_whole(path) for path in graphs):
        for path in (*graphs, info / "commit-graphs/commit-graph-chain"):
            if path.exists():
                set_aside(path, aside)
        yield Mended(info / "commit-graph", "set aside: Git does without it")


def _is_readable_whole(path: Path) -> bool:
    try:
        return is_whole(path)
    except OSError:
        return False


def _mend_loose(objects: Path, aside: Path) -> Iterator[Mended]:
    for path in damaged_loose(objects):
        set_aside(path, aside)
        oid = Oid(path.parent.name + path.name)
        yield Mended(path, "set aside: its bytes are not what its name says", (oid,))
