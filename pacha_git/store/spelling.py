"""Says of a commit under which ref it belongs, by its own bytes: records, runs, events and settings all spell it.

It is for mending: whoever reads a registry goes from the ref to the commit, and doubts the commit.
"""

from __future__ import annotations

from contextlib import suppress

from pacha_git.errors import Corrupt, NotFound, PachaError
from pacha_git.format.commits import RECORD_FILE
from pacha_git.format.event import parse_line
from pacha_git.format.run import RUN_FILE
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.ledger.notes import parse_note
from pacha_git.store import records
from pacha_git.store.events import ATTESTATIONS, EVENTS
from pacha_git.store.notes import read_notes
from pacha_git.store.payload.tree import payload_commit_oid
from pacha_git.store.runs import commits as runs
from pacha_git.store.settings import SETTINGS_FILE
from pacha_git.system.process import CommandFailed
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import REGISTRY_REF, ROOT_COMMIT, ROOT_REF, RUNS_ROOT, NameId, RunId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name


def spelled_ref(repo: GitRepository, commit: Oid) -> str | None:
    """Return the ref that a commit belongs under; None if its bytes spell none (a payload spells only its address).

    Raises:
        NotFound, Corrupt: it or something of it is not here, so that nobody can tell.
    """
    if commit == ROOT_COMMIT:
        return ROOT_REF
    kind, body = repo.read(commit)
    if kind != "commit":
        return None
    names = {entry.name for entry in parse_tree(repo.read_as(split_commit(body).tree, "tree"))}
    if RECORD_FILE.encode() in names:
        return _of_record(repo, commit)
    if RUN_FILE.encode() in names:
        return _of_run(repo, commit)
    if SETTINGS_FILE.encode() in names:
        return REGISTRY_REF
    return _of_notes(repo, commit) if names and all(_is_hex(name) for name in names) else None


def _of_record(repo: GitRepository, commit: Oid) -> str | None:
    ref = records.read(repo, commit).id.ref
    with suppress(PachaError):
        return records.read_checked(repo, commit, ref).id.ref
    return None


def _of_run(repo: GitRepository, commit: Oid) -> str | None:
    ref = RunId(runs.read(repo, commit).record.id).ref
    with suppress(PachaError):
        runs.read_one(repo, commit, ref)
        return ref
    return None


def _of_notes(repo: GitRepository, commit: Oid) -> str | None:
    for note in read_notes(repo, commit).values():
        for line in parse_note(note):
            event = parse_line(line)
            if event is None:
                continue
            with suppress(PachaError):
                what = EVENTS if event.type in ("stage", "alias") else ATTESTATIONS
                return NameId(Kind.parse(event.kind), Name(event.name)).notes_ref(what)
    return None


def _is_hex(name: bytes) -> bool:
    return set(name) <= set(b"0123456789abcdef")


def every_commit(repo: GitRepository) -> list[Oid]:
    """Return every commit among the objects here, whether a ref leads to it or not."""
    form = "--batch-check=%(objecttype) %(objectname)"
    try:
        listed = repo.git("cat-file", "--batch-all-objects", "--unordered", "--buffer", form)
    except CommandFailed as error:
        listed = error.stdout  # it stops at what is damaged
    return [Oid(line[7:].decode("ascii")) for line in listed.splitlines() if line.startswith(b"commit ")]


def by_spelling(repo: GitRepository) -> dict[str, list[Oid]]:
    """Return every commit here that spells a ref, by that ref."""
    found: dict[str, list[Oid]] = {}
    for commit in every_commit(repo):
        with suppress(NotFound, Corrupt):
            ref = spelled_ref(repo, commit)
            if ref is not None:
                found.setdefault(ref, []).append(commit)
    return found


def payload_refs(repo: GitRepository, refs: dict[str, Oid]) -> dict[str, Oid]:
    """Where the payload of each version and sealed run belongs, and at which commit, as these refs' records say."""
    found: dict[str, Oid] = {}
    for ref, commit in refs.items():
        with suppress(PachaError):
            if ref.startswith(RUNS_ROOT):
                record = runs.read(repo, commit).record
                place, content = RunId(record.id).payload_ref, record.content
            else:
                stored = records.read(repo, commit)
                place, content = stored.id.payload_ref, stored.record.content
            if content is not None:
                found[place] = payload_commit_oid(Oid(content.tree), Address(content.address))
    return found
