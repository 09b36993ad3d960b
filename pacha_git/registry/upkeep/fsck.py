"""Checks a whole registry against the format: every ref, record, payload, event and setting.

It reports and repairs nothing. The list it works through is docs/format.md, "A reader's checks".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format.content import Content
from pacha_git.format.record import Target
from pacha_git.git.changes import GC_LOCK
from pacha_git.git.leftovers import orphans
from pacha_git.git.ownership import check_owner
from pacha_git.git.packs.check import pack_problems
from pacha_git.git.refs.survey import survey
from pacha_git.git.repo import GitRepository
from pacha_git.git.shape import is_ours, lost_remotes, shape_problems
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.registry.runs.seal import JOURNALS
from pacha_git.registry.upkeep.fsck_ends import loose_ends
from pacha_git.registry.upkeep.fsck_runs import check_run, check_run_payload
from pacha_git.session.caller import Caller
from pacha_git.session.items import is_item
from pacha_git.session.remarks import remarks_on, spelled_twice
from pacha_git.session.results import FsckReport
from pacha_git.session.session import Session
from pacha_git.session.whereabouts import HINT, NOWHERE, nowhere
from pacha_git.store import records
from pacha_git.store.clashes import Spellings
from pacha_git.store.notes import descends, only_gains
from pacha_git.store.payload.check import FileKey, check_payload
from pacha_git.store.payload.check_many import sound_files
from pacha_git.store.payload.reader import Payload
from pacha_git.store.payload.soundness import mark_read, pack_marks
from pacha_git.store.payload.tree import payload_commit_oid
from pacha_git.store.runs.reader import journal_problems
from pacha_git.store.targets import target_problem
from pacha_git.system import locks
from pacha_git.system.process import CommandFailed
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import (
    NOTES_ROOT,
    PAYLOAD_ROOT,
    REF_ROOT,
    REGISTRY_REF,
    ROOT_COMMIT,
    ROOT_REF,
    RUN_PAYLOADS_ROOT,
    RUNS_ROOT,
    TMP_ROOT,
    VersionId,
    parse_notes_ref,
    parse_payload_ref,
    parse_record_ref,
)

_NO_RECORDS: Final = (PAYLOAD_ROOT, TMP_ROOT, RUNS_ROOT)
_FIXED: Final = (ROOT_REF, REGISTRY_REF)


class _Check:
    """One run of fsck: what was looked at, and what is wrong."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.repo = session.repo
        self.checked = 0
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.records: dict[VersionId, records.StoredRecord] = {}
        self.by_commit: dict[Oid, records.StoredRecord] = {}

    @contextmanager
    def about(self, what: str) -> Iterator[None]:
        """Turn what is raised within into a problem of ``what``."""
        self.checked += 1
        try:
            yield
        except PachaError as error:
            self.problems.append(f"{what}: {error.message}")

    def say(self, what: str, problem: str) -> None:
        self.problems.append(f"{what}: {problem}")


def fsck(path: Path, caller: Caller, *, fast: bool = False, progress: Progress | None = None) -> FsckReport:
    """Check everything, and go on past whatever is damaged.

    Args:
        path: The registry's folder.
        caller: Who works on it.
        fast: Read no chunk of any payload, and leave Git's own objects unchecked.
        progress: Is told how far it is.

    Raises:
        NotFound: the folder is no registry, nor what is left of one.
        PachaError: it can't be read, or is of a kind that we don't read.
    """
    check_owner(path)
    broken = shape_problems(path) if is_ours(path) else []
    problems = [f"{file}: {problem}" for file, problem in broken]
    if any(file != "config" or not (path / file).is_file() for file, _ in broken):
        return FsckReport(len(broken), tuple(problems))
    check = _Check(Session(path, caller, damaged=True))
    check.problems += problems
    before = pack_marks(check.repo)
    _check_all(check, fast, progress)
    if not fast and not check.problems:
        mark_read(check.repo, check.session.index, before)
    return FsckReport(check.checked, tuple(dict.fromkeys(check.problems)), tuple(check.notes))


def _check_all(check: _Check, fast: bool, progress: Progress | None) -> None:
    check.problems += survey(check.repo.path).problems()
    for name, url in lost_remotes(check.repo.path).items():
        check.notes.append(f"config: remote {name} was at {url} once, and is not now")
    refs = check.repo.refs_below("refs/")
    _check_repository(check, git_too=not fast)
    for ref, commit in refs.items():
        if ref.startswith(REF_ROOT) and not ref.startswith(_NO_RECORDS) and ref not in _FIXED:
            with check.about(ref):
                _check_record(check, ref, commit)
    for ref, commit in refs.items():
        if ref.startswith(RUNS_ROOT):
            with check.about(ref):
                check_run(check.repo, ref, commit)
    for stored in check.records.values():
        _check_edges(check, stored)
    _check_names(check)
    _check_payloads(check, {r: c for r, c in refs.items() if r.startswith(PAYLOAD_ROOT)}, fast, progress)
    for ref, commit in refs.items():
        if ref.startswith(NOTES_ROOT):
            with check.about(ref):
                _check_notes(check, ref, commit)
    with check.about("whereabouts"):
        for item in nowhere(check.session, {r: c for r, c in refs.items() if is_item(r)}):
            check.say(item.ref, f"{NOWHERE} ({HINT})")
    for end in loose_ends(check.repo, refs, _lacking(check, refs)):
        (check.problems if end.is_problem else check.notes).append(f"{end.ref}: {end.message}")
    _check_journals(check)


def _lacking(check: _Check, refs: dict[str, Oid]) -> dict[Oid, str]:
    """Return the payload commits of records that have no payload ref, with the refs where they belong."""
    contents = {
        version.payload_ref: stored.record.content
        for version, stored in check.records.items()
        if stored.record.content is not None and version.payload_ref not in refs
    }
    return {payload_commit_oid(Oid(each.tree), Address(each.address)): ref for ref, each in contents.items()}


def _check_journals(check: _Check) -> None:
    folder = check.repo.path / JOURNALS
    for journal in sorted(folder.iterdir()) if folder.is_dir() else ():
        if journal.is_dir():
            check.checked += 1
            for problem in journal_problems(journal):
                check.say(f"{JOURNALS}/{journal.name}/{problem.partition(': ')[0]}", problem.partition(": ")[2])


def _check_repository(check: _Check, *, git_too: bool) -> None:
    if check.repo.ref(ROOT_REF) != ROOT_COMMIT:
        check.say(ROOT_REF, f"is not {ROOT_COMMIT}")
    if (check.repo.path / "shallow").exists():
        check.say("shallow", "a stray file that makes Git leave payloads out; git pacha doctor removes it")
    with check.about(REGISTRY_REF):
        _ = check.session.settings.settings
    _check_objects(check, git_too)


def _check_objects(check: _Check, git_too: bool) -> None:
    """Look at the files of packs, and let stock git read every object.

    A collection waits meanwhile: packs that go would be taken for damage.
    """
    with ExitStack() as stack:
        with suppress(PachaError):  # a folder that we may only read
            stack.enter_context(locks.shared(check.repo.path / GC_LOCK))
        check.problems += pack_problems(check.repo.objects)
        check.notes += [
            f"{pack}: it has no index; git pacha doctor builds it" for pack in orphans(check.repo.objects / "pack")
        ]
        if not git_too:
            return
        try:
            check.repo.git("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
        except CommandFailed as error:
            for line in error.stderr.splitlines()[:50]:
                check.say("git fsck", line)


def _check_record(check: _Check, ref: str, commit: Oid) -> None:
    version = parse_record_ref(ref)
    if version is None:
        check.say(ref, "no ref of the format")
        return
    stored = records.read_checked(check.repo, commit, ref)
    check.records[version] = stored
    check.by_commit[commit] = stored


def _check_edges(check: _Check, stored: records.StoredRecord) -> None:
    """Closure: every version that a record comes from has its own ref, at that commit."""

    def known(ref: str, commit: Oid) -> Target | None:
        found = check.by_commit.get(commit)
        return None if found is None else found.target

    for edge in stored.record.lineage:
        with check.about(stored.id.ref):
            if problem := target_problem(check.repo, edge.target, check.repo.tips, known):
                raise Corrupt(problem)


def _check_names(check: _Check) -> None:
    taken = Spellings()
    for version in check.records:
        if why := taken.enter(version):
            check.say(version.ref, why)


def _check_payloads(check: _Check, refs: dict[str, Oid], fast: bool, progress: Progress | None) -> None:
    contents: dict[str, Content] = {}
    for ref in refs:
        version = parse_payload_ref(ref)
        stored = check.records.get(version) if version is not None else None
        if stored is not None and stored.record.content is not None:  # a payload may come before its record
            contents[ref] = stored.record.content
    sound: set[FileKey] = set()
    if not fast:
        told = None if progress is None else lambda n: progress("fsck", n, None)
        with suppress(PachaError):  # then each payload is read by itself, which says what is wrong with which
            sound = sound_files(check.repo, (Payload(check.repo, content) for content in contents.values()), told)
    for ref, commit in refs.items():
        with check.about(ref):
            if ref.startswith(RUN_PAYLOADS_ROOT):
                check_run_payload(check.repo, ref, commit, fast=fast)
            elif ref in contents:
                check_payload(check.repo, commit, contents[ref], fast=fast, sound=sound)


def _check_notes(check: _Check, ref: str, tip: Oid) -> None:
    parsed = parse_notes_ref(ref)
    if parsed is None:
        raise InvalidInput("no ref of the format")
    for copy, seen in check.session.repo.refs_below("refs/remotes/").items():
        if copy.endswith(f"/pacha/notes/{ref.removeprefix(NOTES_ROOT)}") and _lost_lines(check.repo, seen, tip):
            check.say(
                ref, f"lines that were here are missing; {copy.split('/')[2]} was seen to have them: git pacha pull"
            )
    check.notes += [f"{ref}: {remark.text}" for remark in remarks_on(check.repo, ref, tip)]
    check.notes += [f"{ref}: {oid} is spelled twice; both count" for oid in spelled_twice(check.repo, tip)]


def _lost_lines(repo: GitRepository, seen: Oid, tip: Oid) -> bool:
    """Tell whether a notes ref went on from a commit and yet lacks lines of it: nobody honest takes lines out."""
    return seen != tip and descends(repo, tip, seen) and not only_gains(repo, seen, tip)
