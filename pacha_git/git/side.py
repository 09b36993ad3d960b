"""Repositories beside another one, borrowing its objects: where arrivals are checked and departures are gathered.

It knows their folder, their lock, their packs, and when one is rubbish.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt
from pacha_git.git.repo import GitRepository, ObjectType
from pacha_git.gitobjects.oid import OID_PATTERN, Oid, git_oid
from pacha_git.system import locks

FOLDER: Final = "pacha/side"
_LOCK: Final = ".lock"
_PASSING: Final = "passing-"
_RESUMABLE: Final = re.compile(OID_PATTERN + r"\Z")


class Side:
    """One such repository, locked by us. Made by ``passing`` and ``resumable``.

    Attributes:
        path: Its folder.
        host: The repository that it borrows from.
    """

    def __init__(self, host: GitRepository, path: Path) -> None:
        self.host = host
        self.path = path

    @cached_property
    def repo(self) -> GitRepository:
        """The repository: its own objects, and through them those of its host."""
        return GitRepository(self.path)

    @property
    def packs(self) -> list[Path]:
        """The packs that arrived and have their index."""
        return sorted(pack for pack in (self.path / "objects/pack").glob("*.pack") if pack.with_suffix(".idx").exists())

    @property
    def size(self) -> int:
        """Bytes that all packs take, half-arrived ones included."""
        total = 0
        for entry in os.scandir(self.path / "objects/pack"):
            with suppress(FileNotFoundError):  # git gave it another name meanwhile
                total += entry.stat().st_size
        return total

    def write_refs(self, refs: Mapping[str, Oid]) -> None:
        """Let it have exactly these refs."""
        lines = "".join(f"{oid} {ref}\n" for ref, oid in sorted(refs.items(), key=lambda item: item[0].encode()))
        (self.path / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + lines)

    def write_loose(self, kind: ObjectType, body: bytes) -> None:
        """Write an object that is for this side repository alone: it need not outlive a power cut."""
        oid = git_oid(kind, body)
        path = self.path / "objects" / oid[:2] / oid[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(b"%s %d\0" % (kind.encode(), len(body)) + body, 1))

    def largest(self) -> int:
        """Bytes of the largest object that arrived, as it would be read; 0 if nothing did.

        Raises:
            Corrupt: an object can't be read.
        """
        return max((size for _, size in self._sizes()), default=0)

    def larger_than(self, most: int) -> list[Oid]:
        """Return the objects that arrived and have more bytes than that; raises as ``largest``."""
        return [oid for oid, size in self._sizes() if size > most]

    def arrived(self) -> list[Oid]:
        """Return every object that arrived."""
        return [Oid(line.strip().decode("ascii")) for line in self._oids()]

    def _sizes(self) -> list[tuple[Oid, int]]:
        oids = b"".join(self._oids())
        listed = self.repo.git("cat-file", "--batch-check=%(objectsize)", "--buffer", stdin=oids)
        sizes = listed.split()
        if any(not size.isdigit() for size in sizes):
            raise Corrupt("an object that arrived can't be read")
        return [(Oid(oid.decode("ascii")), int(size)) for oid, size in zip(oids.split(), sizes, strict=True)]

    def refuse_larger(self, most: int) -> None:
        """See to it that every object that arrived can be read into memory.

        Raises:
            Corrupt: one has more than ``most`` bytes, or can't be read.
        """
        if self.largest() > most:
            raise Corrupt(f"an object of over {most >> 20} MiB came with it")

    def _oids(self) -> Iterator[bytes]:
        for pack in self.packs:
            for line in self.repo.git("show-index", stdin=pack.with_suffix(".idx").read_bytes()).splitlines():
                yield line.split()[1] + b"\n"

    def only(self, tips: Sequence[Oid]) -> list[Path]:
        """Pack anew what arrived and belongs to these tips; nothing of the rest is in it."""
        base = str(self.path / "objects/pack/sound")
        listed = "".join(f"{tip}\n" for tip in tips).encode()
        options = ("-c", "pack.window=0", "pack-objects", "--revs", "--local", "-q")
        name = self.repo.git(*options, base, stdin=listed).decode("ascii").strip()
        pack = self.path / f"objects/pack/sound-{name}.pack"
        return [pack] if name and pack.exists() else []

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def passing(host: GitRepository) -> Iterator[Side]:
    """Yield a side repository that is gone when the block ends."""
    path = host.path / FOLDER / (_PASSING + secrets.token_hex(8))
    with locks.exclusive(_lock_of(path)):
        side = Side(host, path)
        try:
            _furnish(side)
            yield side
        finally:
            side.discard()
            _lock_of(path).unlink(missing_ok=True)


@contextmanager
def resumable(host: GitRepository, name: Oid) -> Iterator[Side]:
    """A side repository that stays until ``discard``: what is in it when we die is there for who does the same again.

    Waits for another process that is at it.
    """
    path = host.path / FOLDER / name
    with locks.exclusive(_lock_of(path)):
        side = Side(host, path)
        _furnish(side)
        yield side


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + _LOCK)


def _furnish(side: Side) -> None:
    """Make it a bare repository with the host's remotes and credentials; what a dead one left half-done goes."""
    for folder in ("objects/pack", "objects/info", "refs"):
        (side.path / folder).mkdir(parents=True, exist_ok=True)
    (side.path / "HEAD").write_text("ref: refs/heads/main\n")
    included = str(side.host.path.absolute() / "config").replace("\\", "\\\\").replace('"', '\\"')
    (side.path / "config").write_text(
        f'[core]\n\trepositoryformatversion = 0\n\tbare = true\n[include]\n\tpath = "{included}"\n'
    )
    (side.path / "objects/info/alternates").write_text(f"{_quoted(side.host.objects.absolute())}\n")
    for left in (side.path / "objects/pack").glob("tmp_*"):
        left.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    """As Git reads a line of ``alternates``: one that begins with a quote is unquoted as in C."""
    text = str(path)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text.startswith('"') else text


def sweep_sides(host: GitRepository, days: float, *, unwanted: Sequence[Oid] = ()) -> list[str]:
    """Remove side repositories whose process died: passing ones, those untouched for ``days``, and ``unwanted`` ones.

    Returns:
        Their names.
    """
    removed: list[str] = []
    for lock in sorted((host.path / FOLDER).glob("*" + _LOCK)):
        path = lock.with_name(lock.name.removesuffix(_LOCK))
        with locks.exclusive(lock, wait=False) as free:
            if free and (path.name in unwanted or _is_rubbish(path, days)):
                if path.exists():
                    removed.append(path.name)
                shutil.rmtree(path, ignore_errors=True)
                lock.unlink(missing_ok=True)
    return removed


def _is_rubbish(path: Path, days: float) -> bool:
    try:
        idle = time.time() - (path / "objects/pack").stat().st_mtime
    except FileNotFoundError:
        return True
    return not _RESUMABLE.match(path.name) or idle > days * 86400
