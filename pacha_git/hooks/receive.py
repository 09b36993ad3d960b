"""What a server refuses of a push, so that what was promised there stays: versions never move, events only grow.

It decides by the refs that a push would move and by objects that are still in quarantine; it moves nothing. What a pull
would refuse, it refuses; the bytes of files it leaves to whoever pulls them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.format.commits import payload_commit
from pacha_git.format.kinds import grows
from pacha_git.format.manifest import decode_manifest
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import NO_OID, Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.ledger.notes import parse_note
from pacha_git.ledger.removals import PUSHED
from pacha_git.session.claims import removals_of
from pacha_git.session.items import Item, broken_edge, is_item, parse_item_ref, read_item, read_item_checked
from pacha_git.session.remarks import UNKNOWN, remarks_on
from pacha_git.store.clashes import clashes
from pacha_git.store.notes import descends, only_gains, read_notes
from pacha_git.store.removals import removals_at
from pacha_git.store.settings import check_settings, settings_at
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    ROOT_COMMIT,
    ROOT_REF,
    TMP_ROOT,
    VersionId,
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
    """Tell which refs may not move as a push wants it, and why.

    Args:
        folder: The repository that is pushed to.
        moves: What the push would do.
        environment: What Git told its hook: where the new objects are.
    """
    host = GitRepository(folder.absolute())  # Git says "." to its hooks
    with _with_quarantine(host, environment) as objects:
        push = _Push(host, objects)
        found = push.read(moves)
        for move in moves:
            if move.ref in found:
                continue
            try:
                why = _why_not(push, move)
            except PachaError as error:
                why = error.message
            if why:
                found[move.ref] = why
        if not found:
            _note_removals(host, objects, moves)
    return found


class _Push:
    """What one push would bring: its versions and runs, read with every check, over what the host has."""

    def __init__(self, host: GitRepository, objects: GitRepository) -> None:
        self.host = host
        self.objects = objects
        self.items: dict[str, Item] = {}
        self.clashes: dict[VersionId, str] = {}

    def read(self, moves: Iterable[Move]) -> dict[str, str]:
        """Read the versions and runs that come; which of them are none, and why."""
        bad: dict[str, str] = {}
        for move in moves:
            moves_on = move.old is None or grows(move.ref)
            if move.new is None or not is_item(move.ref) or not moves_on:
                continue
            try:
                self.items[move.ref] = read_item_checked(self.objects, move.ref, move.new)
            except PachaError as error:
                bad[move.ref] = error.message
        versions = [item.version for item in self.items.values() if item.version is not None]
        self.clashes = clashes(self.host, versions) if versions else {}
        return bad

    def here(self, ref: str) -> list[Oid]:
        """Tell where a ref stands at the host."""
        stands = self.host.ref(ref)
        return [] if stands is None else [stands]


def _note_removals(host: GitRepository, objects: GitRepository, moves: Iterable[Move]) -> None:
    """Note which removals were pushed here: without a trusted key they are believed."""
    told = [event.hash for move in moves if move.new is not None for event in removals_at(objects, move.ref, move.new)]
    if told:
        removals_of(host).note(PUSHED, told)


@contextmanager
def _with_quarantine(host: GitRepository, environment: Mapping[str, str]) -> Iterator[GitRepository]:
    """Tell what can be read once the push is done: the repository's objects, and those that just came."""
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


def _why_not(push: _Push, move: Move) -> str:
    if move.ref.startswith(PAYLOAD_ROOT):
        return _payload(push, move)
    if move.ref.startswith(NOTES_ROOT):
        return _notes(push.objects, move)
    if move.ref == ROOT_REF:
        return "" if move.new == ROOT_COMMIT else f"it is {ROOT_COMMIT} in every registry"
    if move.ref == REGISTRY_REF:
        return _settings(push.objects, move)
    if not move.ref.startswith(REF_ROOT) or move.ref.startswith(TMP_ROOT):
        return ""
    if not is_item(move.ref):
        return "no ref of the format"
    parse_item_ref(move.ref)
    if move.new is None:
        return "a run never goes" if grows(move.ref) else "a version never changes, and never goes"
    return _run(push, move) if grows(move.ref) else _record(push, move)


def _record(push: _Push, move: Move) -> str:
    if move.old is not None:
        return "a version never changes, and never goes"
    item = push.items[move.ref]
    clash = push.clashes.get(item.version) if item.version is not None else None
    return clash or broken_edge(push.objects, item, push.items, push.here)


def _run(push: _Push, move: Move) -> str:
    came = push.items[move.ref]
    if move.old is not None and move.old not in came.chain:
        return "a run only goes on from where it is"
    return broken_edge(push.objects, came, push.items, push.here)


def _notes(objects: GitRepository, move: Move) -> str:
    if parse_notes_ref(move.ref) is None:
        return "no ref of the format"
    if move.new is None:
        return "events never go"
    if move.old is not None and not only_gains(objects, move.old, move.new):
        return "events that are here are missing there: pull first"
    known = _lines(objects, move.old)
    added = (each for each in remarks_on(objects, move.ref, move.new) if each.event.line not in known)
    return next((each.text for each in added if each.what != UNKNOWN), "")


def _lines(objects: GitRepository, tip: Oid | None) -> set[bytes]:
    return {line for note in read_notes(objects, tip).values() for line in parse_note(note)}


def _settings(objects: GitRepository, move: Move) -> str:
    if move.new is None:
        return "a registry keeps its settings"
    if move.old is not None and not descends(objects, move.new, move.old):
        return "others changed the settings: adopt them"
    came = settings_at(objects, move.new)
    check_settings(came)
    if move.old is not None and settings_at(objects, move.old).settings.registry != came.settings.registry:
        return "these are the settings of another registry"
    return ""


def _payload(push: _Push, move: Move) -> str:
    """Bytes come once, go when they were removed, and are replaced if they are not what their record says."""
    ref = record_ref_of(move.ref)
    if not is_item(ref):
        return "no ref of the format"
    parse_item_ref(ref)
    record = push.host.ref(ref)
    item = push.items.get(ref) or (read_item(push.objects, ref, record) if record is not None else None)
    if item is None:  # bytes come before the record that promises them
        return _unfit(push.objects, move.new) if move.new is not None else ""
    removed = _is_removed(push.host, item)
    if move.new is None:
        return "" if removed or move.old != item.payload_commit else _not_removed(push.host, item)
    if removed:
        return "these bytes were removed"
    if move.new == item.payload_commit or grows(ref):
        return ""
    return "these bytes are not those that the record says"


def _unfit(objects: GitRepository, commit: Oid) -> str:
    """Tell what is wrong with a payload of which no record is here yet, by its commit and its manifest."""
    raw = objects.read_as(commit, "commit")
    parsed = split_commit(raw)
    if payload_commit(parsed.tree, Address.parse(parsed.message.rstrip("\n"))) != raw:
        return "not the commit of a payload"
    entries = {entry.name: entry.oid for entry in parse_tree(objects.read_as(parsed.tree, "tree"))}
    if b"manifest" not in entries:
        return "a payload without a manifest"
    decode_manifest(objects.read_as(entries[b"manifest"], "blob"))
    return ""


def _is_removed(host: GitRepository, item: Item) -> bool:
    version = item.version
    return version is not None and item.commit in removals_of(host).of(version.kind, version.name).removed


def _not_removed(host: GitRepository, item: Item) -> str:
    version = item.version
    if version is not None and removals_of(host).of(version.kind, version.name).claims.get(item.commit):
        return "bytes go only by a removal that counts here: signed by a key that this registry trusts"
    return "bytes go only once they were removed: rm -m"
