"""What a server refuses of a push, so that what was promised there stays: versions never move, events only grow.

It decides by the refs that a push would move and by objects that are still in quarantine; it moves nothing. Whether a
record is sound it refuses to know: whoever pulls checks that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import NO_OID, Oid
from pacha_git.ledger.removals import PUSHED
from pacha_git.session.claims import removals_of
from pacha_git.session.items import Item, is_item, parse_item_ref, read_item, read_item_checked
from pacha_git.store.notes import descends, only_gains
from pacha_git.store.removals import removals_at
from pacha_git.store.runs.commits import RUNS_ROOT
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    ROOT_COMMIT,
    ROOT_REF,
    TMP_ROOT,
    parse_notes_ref,
    record_ref_of,
)

PRE_RECEIVE: Final = "pre-receive"


@dataclass(frozen=True, slots=True)
class Move:
    """What a push would do to one ref: None stands for nothing there."""

    ref: str
    old: Oid | None
    new: Oid | None


def parse_moves(lines: Iterable[bytes]) -> list[Move]:
    """Read what Git tells a pre-receive hook: old SP new SP ref.

    Raises:
        InvalidInput: it is something else.
    """
    moves: list[Move] = []
    for line in lines:
        old, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(" ")
        new, _, ref = rest.partition(" ")
        if len(old) != len(NO_OID) or len(new) != len(NO_OID) or not ref:
            raise InvalidInput("a pre-receive hook reads OLD NEW REF on each line", hint="Git calls it")
        moves.append(Move(ref, None if old == NO_OID else Oid(old), None if new == NO_OID else Oid(new)))
    return moves


def refusals(folder: Path, moves: Sequence[Move], environment: Mapping[str, str]) -> dict[str, str]:
    """Which refs may not move as a push wants it, and why.

    Args:
        folder: The repository that is pushed to.
        moves: What the push would do.
        environment: What Git told its hook: where the new objects are.
    """
    host = GitRepository(folder)
    found: dict[str, str] = {}
    with _with_quarantine(host, environment) as objects:
        for move in moves:
            try:
                why = _why_not(host, objects, move)
            except PachaError as error:
                why = error.message
            if why:
                found[move.ref] = why
        if not found:
            _note_removals(host, objects, moves)
    return found


def _note_removals(host: GitRepository, objects: GitRepository, moves: Iterable[Move]) -> None:
    """Note which removals were pushed here: without a trusted key they are believed."""
    told = [event.hash for move in moves if move.new is not None for event in removals_at(objects, move.ref, move.new)]
    if told:
        removals_of(host).note(PUSHED, told)


@contextmanager
def _with_quarantine(host: GitRepository, environment: Mapping[str, str]) -> Iterator[GitRepository]:
    """What can be read once the push is done: the repository's objects, and those that just came."""
    quarantine = environment.get("GIT_QUARANTINE_PATH") or environment.get("GIT_OBJECT_DIRECTORY")
    if quarantine is None:
        yield host
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        for part in ("objects/info", "objects/pack", "refs"):
            (path / part).mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")
        (path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        stores = (host.objects.absolute(), (host.path / quarantine).absolute())
        (path / "objects/info/alternates").write_text("".join(f"{store}\n" for store in stores))
        yield GitRepository(path)


def _why_not(host: GitRepository, objects: GitRepository, move: Move) -> str:
    if move.ref.startswith(PAYLOAD_ROOT):
        return _payload(host, objects, move)
    if move.ref.startswith(NOTES_ROOT):
        return _notes(objects, move)
    if move.ref == ROOT_REF:
        return "" if move.new == ROOT_COMMIT else f"it is {ROOT_COMMIT} in every registry"
    if move.ref == REGISTRY_REF:
        return _settings(objects, move)
    if not move.ref.startswith(REF_ROOT) or move.ref.startswith(TMP_ROOT):
        return ""
    if not is_item(move.ref):
        return "no ref of the format"
    parse_item_ref(move.ref)
    return _run(objects, move) if move.ref.startswith(RUNS_ROOT) else _record(move)


def _record(move: Move) -> str:
    return "" if move.old is None else "a version never changes, and never goes"


def _run(objects: GitRepository, move: Move) -> str:
    if move.new is None:
        return "a run never goes"
    came = read_item_checked(objects, move.ref, move.new)
    return "" if move.old is None or move.old in came.chain else "a run only goes on from where it is"


def _notes(objects: GitRepository, move: Move) -> str:
    if parse_notes_ref(move.ref) is None:
        return "no ref of the format"
    if move.new is None:
        return "events never go"
    if move.old is None or only_gains(objects, move.old, move.new):
        return ""
    return "events that are here are missing there: pull first"


def _settings(objects: GitRepository, move: Move) -> str:
    if move.new is None:
        return "a registry keeps its settings"
    return (
        "" if move.old is None or descends(objects, move.new, move.old) else "others changed the settings: adopt them"
    )


def _payload(host: GitRepository, objects: GitRepository, move: Move) -> str:
    """Bytes come once, go when they were removed, and are replaced if they are not what their record says."""
    ref = record_ref_of(move.ref)
    if not is_item(ref):
        return "no ref of the format"
    parse_item_ref(ref)
    record = host.ref(ref)
    if record is None:
        return ""  # bytes come before the record that promises them
    item = read_item(objects, ref, record)
    removed = _is_removed(host, item)
    if move.new is None:
        return "" if removed or move.old != item.payload_commit else _not_removed(host, item)
    if removed:
        return "these bytes were removed"
    if move.new == item.payload_commit or ref.startswith(RUNS_ROOT):
        return ""
    return "these bytes are not those that the record says"


def _is_removed(host: GitRepository, item: Item) -> bool:
    version = item.version
    return version is not None and item.commit in removals_of(host).of(version.kind, version.name).removed


def _not_removed(host: GitRepository, item: Item) -> str:
    version = item.version
    if version is not None and removals_of(host).of(version.kind, version.name).claims.get(item.commit):
        return "bytes go only by a removal that counts here: signed by a key that this registry trusts"
    return "bytes go only once they were removed: rm -m"
