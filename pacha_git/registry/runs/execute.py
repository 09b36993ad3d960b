"""Runs a command as a run: begun before it, ended after it as it ended.

It knows what a command's end means; how a program is started is ``process``'s.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacha_git.errors import Conflict, InvalidInput, NotFound, PachaError
from pacha_git.registry.runs.credentials import MODE_VARIABLE
from pacha_git.registry.runs.live import Run
from pacha_git.registry.runs.seal import finish, journal_folder
from pacha_git.registry.runs.start import RUN_ID_VARIABLE, NewRun, start
from pacha_git.session.session import Session
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.runs.reader import read_journal
from pacha_git.system.process import run_attached


@dataclass(frozen=True, slots=True)
class Executed:
    """A run whose command ended, and the exit code a shell would give it."""

    run_id: str
    exit_code: int


def execute(
    session: Session,
    command: Sequence[str],
    wanted: NewRun,
    *,
    diff: bool = False,
    stdout_to_stderr: bool = False,
    record_command: str | None = None,
    strict: bool = False,
    begun: Callable[[str], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> Executed:
    """Run a command as a run; see ``Runs.exec``."""
    if not command:
        raise InvalidInput("no command", hint="as in git pacha run exec -- python train.py")
    if shutil.which(command[0]) is None:
        raise NotFound(f"no such command: {command[0]}", hint="is it on PATH, and may it be run?")
    run = start(
        session, wanted, diff=diff, command=command, code=Path.cwd(), record_command=record_command, strict=strict
    )
    if begun is not None:
        begun(run.id)
    for notice in run.notices:
        if told is not None:
            told(notice)
    around = {RUN_ID_VARIABLE: run.id, "PACHA_REGISTRY": str(session.path.resolve())}
    if record_command is not None:
        around[MODE_VARIABLE] = record_command  # what takes part in the run says its command line, too
    try:
        status = run_attached(command, env=around, stdout_to_stderr=stdout_to_stderr)
    except PachaError as error:  # it is no program: nothing ran, and nobody would end the run
        run.finish("failed", error=error.message)
        raise
    _end(session, run, status)
    return Executed(run.id, status if status >= 0 else 128 - status)


def _end(session: Session, run: Run, status: int) -> None:
    run.close()
    if run_commits.read_run(session.repo, run.id).record.is_sealed:
        return  # the command ended its run itself
    ended, said = _how_it_ended(status)
    logged = read_journal(journal_folder(session, run.id)).notes.get("error")
    try:
        finish(session, run.id, ended, logged if ended == "failed" and isinstance(logged, str) else said)
    except Conflict:
        if not run_commits.read_run(session.repo, run.id).record.is_sealed:
            raise


def _how_it_ended(status: int) -> tuple[str, str | None]:
    """Return the status of the run, and why; what the command itself logged as its error is worth more."""
    if status == 0:
        return "completed", None
    if status in (-signal.SIGINT, 128 + signal.SIGINT):  # the latter from a shell, of the program in it
        return "cancelled", None
    if status < 0:
        return "failed", f"ended by signal {-status}"
    return "failed", f"ended with exit code {status}"
