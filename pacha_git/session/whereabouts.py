"""Tells bytes that are elsewhere from bytes that are nowhere: those of a record made here that no remote has got.

A push leaves a last-seen copy of a record only once its payload is there. What was made here, and what came otherwise
than from a remote, stands in a list beside the repository. To lose that is to be told less. It asks no remote.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.items import Item, read_item
from pacha_git.session.session import Session
from pacha_git.system.disk import write_all
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, REF_ROOT, payload_ref_of

NOWHERE: Final = "its bytes are not here, and no remote is known to have them"
HINT: Final = "register the same bytes again, under the same name and version, or undo it: rm --unpushed"
_ORIGINS: Final = "pacha/origins"
_MADE: Final = "made"
_CAME: Final = "came"
_LAST_SEEN: Final = "refs/remotes/"
_FEW: Final = 100
_WORDS: Final = 3


def note_made(path: Path, ref: str, commit: Oid) -> None:
    """Remember that a record was made here, in the registry at this path, with its bytes."""
    _note(path, f"{_MADE} {commit} {ref}\n")


def note_came(path: Path, items: Iterable[Item]) -> None:
    """Remember that records were made elsewhere, where no last-seen copy says so."""
    _note(path, "".join(f"{_CAME} {item.commit} {item.ref}\n" for item in items))


def _note(path: Path, lines: str) -> None:
    with suppress(OSError):  # it is only a memory
        fd = os.open(path / _ORIGINS, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            wanted = path.stat().st_mode & 0o666
            if os.fstat(fd).st_mode & wanted != wanted:
                os.fchmod(fd, wanted)  # all of a group write on it, whatever the umask of its maker
            write_all(fd, [lines.encode()])
        finally:
            os.close(fd)


def nowhere(session: Session, refs: Mapping[str, Oid], *, others_held: bool = False) -> list[Item]:
    """Tell what was made here and whose bytes are gone as far as anybody here knows, of what lies under these refs.

    What can't be read is left out: that is told as what it is. So is what has other bytes than its record says, unless
    ``others_held``.
    """
    there = session.repo.refs_below(PAYLOAD_ROOT).get if len(refs) > _FEW else session.repo.ref
    payloads = {ref: there(payload_ref_of(ref)) for ref in refs}
    suspects = {ref: commit for ref, commit in refs.items() if others_held or payloads[ref] is None}
    if not suspects:
        return []
    origins, seen = _origins(session.path), _seen_elsewhere(session)
    found: list[Item] = []
    for ref, commit in suspects.items():
        if (ref, commit) not in seen:
            with suppress(PachaError):
                item = read_item(session.repo, ref, commit)
                held = payloads[ref] == item.payload_commit
                if (
                    not held
                    and _was_made_here(session, item, origins)
                    and not session.is_removed(item.version, item.commit)
                ):
                    found.append(item)
    return found


def _was_made_here(session: Session, item: Item, origins: Mapping[tuple[str, str], str]) -> bool:
    """Tell whether its bytes were here once: noted, or written all the same though nothing came to hold them."""
    payload, origin = item.payload_commit, origins.get((item.ref, item.commit))
    return payload is not None and (origin == _MADE or (origin is None and session.repo.has(payload)))


def _origins(path: Path) -> dict[tuple[str, str], str]:
    """By ref and commit, whether a record was made here or came."""
    try:
        lines = (path / _ORIGINS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    words = (line.split(" ") for line in lines)
    return {(ref, commit): origin for origin, commit, ref in (each for each in words if len(each) == _WORDS)}


def _seen_elsewhere(session: Session) -> set[tuple[str, Oid]]:
    """Ref and commit of every record and run that a remote was seen to have."""
    found: set[tuple[str, Oid]] = set()
    for ref, oid in session.repo.refs_below(_LAST_SEEN).items():
        _, _, rest = ref[len(_LAST_SEEN) :].partition("/pacha/")
        found.add((REF_ROOT + rest, oid))
    return found
