"""Git's bundle files: refs and the objects behind them in one file, as ``git bundle`` writes and reads it.

It knows the header and the pack after it (gitformat-bundle), and how to leave out what the other side has.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pacha_git.errors import Corrupt, NotFound, PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import Side
from pacha_git.gitobjects.oid import OID_PATTERN, Oid
from pacha_git.system.disk import whole_file
from pacha_git.system.process import CommandFailed, run

_SIGNATURE: Final = b"# v2 git bundle\n"
_LONGEST_LINE: Final = 2048
_HEADER_LIMIT: Final = 128 << 20
_NEEDS: Final = re.compile(rb"-(%s)(?: [^\n]*)?\n\Z" % OID_PATTERN.encode())
_REF: Final = re.compile(rb"(%s) ([^\x00-\x20\x7f]+)\n\Z" % OID_PATTERN.encode())
_PACK: Final = re.compile(rb"PACK\x00\x00\x00[\x02\x03](.{4})", re.DOTALL)
# As a fetch into a side repository: everything checked, everything on the disk.
_INDEX: Final = (
    "-c",
    "core.fsync=all",
    "-c",
    "core.fsyncMethod=fsync",
    "index-pack",
    "--stdin",
    "--fix-thin",
    "--fsck-objects",
)
_ALLOCATION: Final = "1g"
_REPORT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the pack.

    Attributes:
        refs: What the bundle has.
        needs: Commits that its reader must have.
        size: Bytes of the header.
    """

    refs: Mapping[str, Oid]
    needs: tuple[Oid, ...]
    size: int


def read_header(path: Path) -> Header:
    """Read the header of a bundle.

    Raises:
        NotFound: there is no such file.
        PachaError: it can't be read.
        Corrupt: it is no bundle, or one that nobody could have written for us.
    """
    try:
        with path.open("rb") as file:
            return _read_header(path, file)
    except FileNotFoundError:
        raise NotFound(f"no file {path}") from None
    except OSError as error:
        raise PachaError(f"{path} can't be read: {error.strerror}") from None


def _read_header(path: Path, file: IO[bytes]) -> Header:
    if file.readline(_LONGEST_LINE) != _SIGNATURE:
        raise Corrupt(f"{path} is no Git bundle of version 2", hint="git pacha bundle create makes one")
    refs: dict[str, Oid] = {}
    needs: list[Oid] = []
    while file.tell() < _HEADER_LIMIT:
        line = file.readline(_LONGEST_LINE)
        if line == b"\n":
            return Header(refs, tuple(needs), file.tell())
        if found := _NEEDS.match(line):
            needs.append(Oid(found[1].decode("ascii")))
        elif found := _REF.match(line):
            refs[found[2].decode("utf-8", "surrogateescape")] = Oid(found[1].decode("ascii"))
        else:
            break
    raise Corrupt(f"the header of {path} is damaged", hint="copy it again, and compare checksums")


def write(
    repo: GitRepository,
    path: Path,
    refs: Mapping[str, Oid],
    *,
    known: Iterable[Oid] = (),
    report: Callable[[int], None] | None = None,
) -> int:
    """Write a bundle; it stands under its name when it is whole and on the disk.

    Args:
        repo: Where the objects are.
        path: The file; replaced if it is there.
        refs: What the bundle has, by the names it has there.
        known: Commits that its reader has: nothing that they reach is in it.
        report: Is told how many bytes it has by now, twice a second.

    Returns:
        Its bytes.

    Raises:
        PachaError: it can't be written.
    """
    there = sorted(set(known) - set(repo.missing(known := list(known))))
    try:
        with whole_file(path) as descriptor, os.fdopen(descriptor, "wb", buffering=0, closefd=False) as file:
            file.write(_header(refs, there))
            with _reporting(file, report):
                _write_pack(repo, file, refs.values(), there)
            size = file.tell()
    except OSError as error:
        raise PachaError(f"{path} can't be written: {error.strerror}") from None
    return size


@contextmanager
def _reporting(file: IO[bytes], report: Callable[[int], None] | None) -> Iterator[None]:
    """Tell how the file grows while git writes it."""
    if report is None:
        yield
        return
    over = threading.Event()

    def watch(tell: Callable[[int], None]) -> None:
        while not over.wait(_REPORT_SECONDS):
            tell(os.fstat(file.fileno()).st_size)

    thread = threading.Thread(target=watch, args=(report,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _header(refs: Mapping[str, Oid], needs: Iterable[Oid]) -> bytes:
    lines = [f"-{oid} \n" for oid in needs]
    lines += [f"{oid} {ref}\n" for ref, oid in sorted(refs.items(), key=lambda item: item[0].encode())]
    return _SIGNATURE + "".join(lines).encode() + b"\n"


def _write_pack(repo: GitRepository, file: IO[bytes], tips: Iterable[Oid], known: list[Oid]) -> None:
    """Let git write straight into the file."""
    wanted = "".join(f"{oid}\n" for oid in dict.fromkeys(tips)) + "".join(f"^{oid}\n" for oid in known)
    # As for a shallow reader: what it has is found by the trees, for payloads have no history to find it by.
    argv = ["pack-objects", "--revs", "--thin", "--shallow", "--stdout", "-q"]
    run(["git", f"--git-dir={repo.path}", "-c", "pack.window=0", *argv], stdin=wanted.encode(), stdout=file)


def builds_upon(path: Path, lacking: Sequence[Oid]) -> NotFound:
    """Tell what to say where something is missing that a bundle leaves out."""
    return NotFound(
        f"{path} builds upon what is not here: {lacking[0]}" + (f" and {len(lacking) - 1} more" if lacking[1:] else ""),
        hint="import the bundle that --since named first, or ask for one made without --since",
    )


def unbundle(side: Side, path: Path, header: Header) -> list[Oid]:
    """Bring the objects of a bundle into a side repository; Git checks each of them.

    Returns:
        What the bundle builds upon and is not here; what of it is wanted may do without.

    Raises:
        NotFound: it can't be read without that.
        Corrupt: it is damaged.
    """
    lacking = side.host.missing(header.needs)
    with path.open("rb", buffering=0) as file:
        file.seek(header.size)
        found = _PACK.match(file.read(12))
        if found is None:
            raise Corrupt(f"{path} has no pack after its header", hint="copy it again, and compare checksums")
        if not int.from_bytes(found[1]):
            return lacking
        file.seek(header.size)
        try:
            run(["git", f"--git-dir={side.path}", *_INDEX], env={"GIT_ALLOC_LIMIT": _ALLOCATION}, stdin=file)
        except CommandFailed as error:
            if lacking:
                raise builds_upon(path, lacking) from None
            reason = error.stderr.strip().splitlines()[-1:] or ["git could not read it"]
            said = re.sub(r"^(?:fatal|error): ", "", reason[0])
            raise Corrupt(f"{path} is damaged: {said}", hint="copy it again, and compare checksums") from None
    return lacking
