"""A run while it goes on: an object that takes points, parameters and artifacts, and ends.

It knows what may be logged and when; where that goes is the journal's, and how a run ends is ``run_seal``'s.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from blake3 import blake3

from pacha_git.errors import Conflict, InvalidInput, PachaError
from pacha_git.format.params import encode_params
from pacha_git.format.paths import check_paths
from pacha_git.registry.face import Face
from pacha_git.registry.runs import owner
from pacha_git.registry.runs.seal import finish, journal_folder
from pacha_git.session.session import Session
from pacha_git.store.payload import sources
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs import journal
from pacha_git.store.runs.journal import JournalWriter
from pacha_git.store.runs.reader import read_journal, staged
from pacha_git.system.disk import make_folders, share, whole_file
from pacha_git.vocabulary.choices import EndStatus

_TAGS_LIMIT: Final = 256 << 10
_SURELY_FITS: Final = 128 << 10


class Run(Face):
    """A live run.

    As a context manager it ends with its block: completed, failed if an exception came out of it (whose text is kept),
    cancelled if that was an interrupt. Any number of threads and processes may log to one run. What ``log`` has
    taken when it returns survives the death of the process.

    Attributes:
        id: Its id, a UUIDv7.
        notices: What a person should know who began it, such as why it has no commit.
    """

    def __init__(self, session: Session, run_id: str, writer: JournalWriter, *, joined: bool = False) -> None:
        self.id = run_id
        self.notices: tuple[str, ...] = ()
        self._session = session
        self._writer = writer
        self._points = writer.points
        self._joined = joined

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __str__(self) -> str:
        return self.id

    def log(self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **named: Any) -> None:
        """Log a value of each metric.

        Args:
            metrics: Numbers by name, as in ``{"val/loss": 0.3}``; NaN and infinities are kept.
            step: At which step; without one, one more than the highest of the metric. It may go back.
            named: Further metrics, as in ``loss=0.3``.

        Raises:
            InvalidInput: one is no number, and then none was logged.
            Conflict: the run has ended.
            PachaError: the disk is full.
        """
        if named:
            metrics = {**metrics, **named} if metrics else named
        if metrics:
            self._points(metrics, step)

    def set(self, *, params: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None) -> None:
        """Add parameters and tags, over those of the same names; raises as ``log``."""
        checked = check_tags(tags or {})
        note = {"params": encode_params(params or {}).decode("utf-8"), "tags": checked}
        _check_room(self._session, self.id, params or {}, checked)
        self._writer.note({key: value for key, value in note.items() if value})

    def note(self, **values: Any) -> None:
        """Add what else is to be said when it ends: ``environment``, ``error``."""
        self._writer.note(values)

    def artifact(self, path: str | PathLike[str], *, name: str | None = None) -> None:
        """Keep a copy of a file or folder with the run; what has its name is replaced.

        Args:
            path: The file or folder.
            name: What it is called there; its own last name if None.

        Raises:
            NotFound: it is not there.
            InvalidInput: a name that can't be, or that differs from another only in case.
            Conflict: the run has ended.
            PachaError: a link or device in it, or the disk is full.
        """
        source = Path(path)
        prefix = name or source.name or source.resolve().name
        try:
            found = sources.find([source], keep_litter=True)
        except sources.NotRegular as error:
            raise PachaError(error.message, hint="name the files themselves, or a folder without it") from None
        targets = {prefix if not source.is_dir() else f"{prefix}/{file.path}": file for file in found.files}
        self._writer.note({})  # refused here if the run has ended
        folder = journal_folder(self._session, self.id)
        check_paths(sorted({*staged(folder), *targets}, key=str.encode))
        copied = {
            target: _copy(Path(file.location), folder / journal.STAGED / target, folder)
            for target, file in targets.items()
        }
        self._writer.note({journal.COPIED: copied})  # if it was ended meanwhile, the copy may be lost: this says so

    def finish(self, status: EndStatus = "completed", *, error: str | None = None) -> None:
        """End the run; it is sealed and durable when this returns.

        Args:
            status: completed, failed or cancelled.
            error: Why it failed.

        Raises:
            Conflict: it ended with another status. (With the same one nothing happens.)
            PachaError: the disk is full; the run stays as it was, and can be finished later.
        """
        self._writer.sync()
        finish(self._session, self.id, status, error)
        self.close()

    def close(self) -> None:
        """Let go of the run without ending it; it can be resumed."""
        self._writer.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, said = _how_it_ended(error)
        try:
            if self._joined:
                self._leave(said)
            elif not _is_ended(self._session, self.id):
                self.finish(status, error=said)
            else:
                self.close()
        except PachaError as problem:
            if error is None:
                raise
            error.add_note(f"the run {self.id} could not be ended: {problem.message}")

    def _leave(self, said: str | None) -> None:
        """End our part in a run that somebody else will end."""
        if said is not None and not _is_ended(self._session, self.id):
            self.note(error=said)
        self.close()


def _is_ended(session: Session, run_id: str) -> bool:
    return run_commits.read_run(session.repo, run_id).record.is_sealed


def _how_it_ended(error: BaseException | None) -> tuple[EndStatus, str | None]:
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "completed", None
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", None
    text = error.message if isinstance(error, PachaError) else str(error)
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


def _check_room(session: Session, run_id: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Check that all parameters and tags together can be sealed: what is logged must never keep a run from its end.

    Raises:
        InvalidInput: they are too large.
    """
    folder = journal_folder(session, run_id)
    size = sum(file.stat().st_size for file in folder.glob(f"*{journal.FILE_SUFFIX}"))
    begun = run_commits.read_run(session.repo, run_id)
    if size + len(begun.params_bytes) + len(str(params)) + len(str(tags)) < _SURELY_FITS:
        return
    logged = read_journal(folder)
    encode_params({**begun.params, **logged.params, **params})
    check_tags({**begun.record.tags, **logged.tags, **tags})


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Check that tags are texts by text.

    Raises:
        InvalidInput: one is not, or all together are larger than 256 KiB.
    """
    if sum(len(str(key)) + len(str(value)) for key, value in tags.items()) > _TAGS_LIMIT:
        raise InvalidInput(f"the tags are larger than {_TAGS_LIMIT} bytes", hint="keep what is large as an artifact")
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise InvalidInput(f"tag {key!r} is no text: {value!r}", hint="as in team=fraud")
    return dict(tags)


def _copy(source: Path, target: Path, room: Path) -> tuple[int, str]:
    """Copy a file to where it stays until the run ends, whole or not at all, and durable; its size and BLAKE3."""
    try:
        make_folders(target.parent)
        with source.open("rb") as there, whole_file(target, room=room) as descriptor:
            os.fchmod(descriptor, source.stat().st_mode & 0o777)
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                shutil.copyfileobj(there, file, 1 << 20)
        share(target)
        return target.stat().st_size, blake3().update_mmap(target).hexdigest()
    except OSError as error:
        raise PachaError(f"can't copy {source} to the run: {error.strerror or error}") from None


def attach(session: Session, run_id: str, *, own: bool, joined: bool = False, background: bool = True) -> Run:
    """Take part in a run that goes on.

    Args:
        session: The registry.
        run_id: Which run.
        own: Whether it is interrupted should this process die.
        joined: Whether somebody else ends it.
        background: Whether a thread takes care of fsync; else every call does.

    Raises:
        NotFound: no such run.
        Conflict: it has ended.
    """
    folder = journal_folder(session, run_id)
    _must_go_on(session, run_id)
    journal.prepare(folder)
    writer = JournalWriter(folder, background=background)
    try:
        # Looked at again: had it been sealed in between, what is logged now would go nowhere.
        _must_go_on(session, run_id)
    except Conflict:
        writer.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if own:
        owner.own(folder)
    return Run(session, run_id, writer, joined=joined)


def _must_go_on(session: Session, run_id: str) -> None:
    record = run_commits.read_run(session.repo, run_id).record
    if record.is_sealed:
        raise Conflict(
            f"run {run_id} is {record.status}: nothing can be logged to it any more",
            hint="start another: git pacha run start",
        )
