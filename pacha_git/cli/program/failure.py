"""Gives every error its exit code and its words: the only place that does.

Codes are those of ``pacha_git.errors``, and 70 for a bug, 130 for an interrupt, 141 for a reader that closed the pipe.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
import traceback
from pathlib import Path
from typing import Final

import click

from pacha_git import InvalidInput, PachaError, __version__
from pacha_git.cli.invocation import Invocation
from pacha_git.cli.program.grammar import json_asked
from pacha_git.cli.showing import output
from pacha_git.system import refusals
from pacha_git.system.private import make_private_folder

_USERINFO: Final = re.compile(r"//[^/\s'\"]*@")


def report(error: BaseException, asked: Invocation) -> int:
    """Say what went wrong, on stderr, and return the exit code it has."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 130
    if isinstance(error, output.ReaderGone):
        return 141
    known = _known(error, asked)
    if known is not None:
        _say(known.code, known.message, known.hint, asked)
        if asked.verbose and not asked.json:
            output.write_error(_traceback(error))
        return known.exit_code
    return _bug(error, asked)


def _known(error: BaseException, asked: Invocation) -> PachaError | None:
    """Return the error in our own terms; None if it is a bug."""
    if isinstance(error, PachaError):
        return error
    if isinstance(error, click.ClickException):
        return _usage(error, asked)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in refusals.HINTS):
        return refusals.refusal(error)
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return refusals.refusal(error)
    return None


def _usage(error: click.ClickException, asked: Invocation) -> PachaError:
    ctx = getattr(error, "ctx", None)
    asked.json = asked.json or (ctx is not None and json_asked(asked.words, ctx.command))
    where = ctx.command_path if ctx is not None else asked.program
    message, hint = error.format_message(), ""
    if isinstance(error, click.NoSuchOption):
        # Not its own message: that one has the nearest in it, which stand in our hint.
        message = f"no such option: {error.option_name}"
        hint = f"did you mean {' or '.join(error.possibilities)}? " if error.possibilities else ""
    message = " ".join(message.split()).rstrip(".")
    return InvalidInput(message[:1].lower() + message[1:], hint=f"{hint}`{where} -h` shows what it takes")


def _say(code: str, message: str, hint: str, asked: Invocation) -> None:
    from pacha_git.system.secrets import mask_urls  # only what failed has a use for it

    # The floors below leave passwords out; this is for what was mistyped and is repeated in an error.
    message, hint = mask_urls(message), mask_urls(hint)
    if asked.json:
        # In ASCII: unlike stdout's document, this one goes through whatever encoding stderr has.
        output.write_error(json.dumps({"error": {"code": code, "message": message, "hint": hint}}))
        return
    output.write_error(f"Error: {output.one_line(message)}")
    if hint:
        output.write_error(f"Hint: {output.clean(hint)}")


def _bug(error: BaseException, asked: Invocation) -> int:
    trace = _traceback(error)
    kept = _keep(trace, asked)
    hint = f"its traceback is in {kept}; please report it" if kept else "its traceback could not be kept in a file"
    _say("bug", f"a bug in pacha-git: {type(error).__name__}: {error}", hint, asked)
    if not asked.json and (asked.verbose or kept is None):
        output.write_error(trace)
    return 70


def _traceback(error: BaseException) -> str:
    return _USERINFO.sub("//***@", "".join(traceback.format_exception(error)))


def _keep(trace: str, asked: Invocation) -> Path | None:
    """Write the traceback to a file of its own under the state folder; None if that can't be done."""
    facts = [
        f"pacha-git {__version__}",
        f"Python {platform.python_version()} on {platform.platform()}",
        repr(list(asked.words)),
    ]
    try:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        when = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        log = make_private_folder(base, "pacha") / f"bug-{when}-{os.getpid()}.log"
        text = output.clean(_USERINFO.sub("//***@", "\n".join([*facts, "", trace])))
        log.write_text(text, encoding="utf-8", errors="backslashreplace")
    except (OSError, RuntimeError, PachaError):
        return None
    return log
