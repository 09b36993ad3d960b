"""What the machine refuses, said as an error of ours with the next thing to do, wherever it was refused."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

from pacha_git.errors import InvalidInput, NotFound, PachaError

HINTS: Final = {
    errno.ENOSPC: "free some space, then do it again",
    errno.EDQUOT: "free some of your quota, then do it again",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "check who may read and write there",
    errno.EPERM: "check who may read and write there",
    errno.EIO: "the disk may be failing: check it, then run git pacha fsck",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.EAGAIN: "too many programs run, or too much memory is in use: try again",
    errno.ENOMEM: "close other programs, or use a larger machine",
}
_REFUSED: Final = (OSError, RuntimeError, UnicodeError, MemoryError, EOFError)


def refused() -> tuple[type[Exception], ...]:
    """Return what libraries raise when the machine, and not their caller, is at fault.

    It is asked once something was raised: by then SQLite is loaded, or had no part in it.
    """
    sqlite3 = sys.modules.get("sqlite3")
    return (*_REFUSED, sqlite3.Error) if sqlite3 is not None else _REFUSED


def refusal(error: BaseException, doing: str = "") -> PachaError:
    """Return the error for people.

    Args:
        error: One of ``refused()``.
        doing: What was being done, and to what; for those that name no path.
    """
    if isinstance(error, OSError):
        return _of_system(error, doing)
    if isinstance(error, MemoryError):
        return PachaError(_about(doing, "there is not enough memory"), hint=HINTS[errno.ENOMEM])
    if isinstance(error, UnicodeError):
        return InvalidInput(_about(doing, f"text that is not UTF-8: {error}"))
    if type(error).__module__ == "sqlite3":
        hint = "git pacha doctor builds the side index anew if it is damaged"
        return PachaError(_about(doing, f"the side index: {error}"), hint=hint)
    return PachaError(_about(doing, str(error) or type(error).__name__), hint="try again; --verbose says where it was")


def _of_system(error: OSError, doing: str) -> PachaError:
    if isinstance(error, FileNotFoundError) and error.filename is None and not _stands_somewhere():
        return NotFound("the folder you stand in is gone", hint="cd to one that is there")
    named = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | Path)]
    where = " → ".join(named) or doing
    return PachaError(_about(where, error.strerror or str(error)), hint=HINTS.get(error.errno or 0, ""))


def _about(what: str, message: str) -> str:
    return f"{what}: {message}" if what else message


def _stands_somewhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True
