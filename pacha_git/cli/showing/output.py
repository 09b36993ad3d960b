"""Writes to the two streams: one JSON document or text for people on stdout, sentences and notices on stderr.

It refuses to know what it writes. Everything the program prints passes through here.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from itertools import islice
from typing import Any, Final, TextIO

from typer import Context

from pacha_git.cli.invocation import invocation
from pacha_git.errors import PachaError

# What could move a terminal's cursor, hide text or turn it around: C0, DEL, C1, bidirectional marks, surrogates.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE_OR_BREAK: Final = re.compile(f"{_UNPRINTABLE.pattern}|[\t\n]")
_AT_ONCE: Final = 1000


class ReaderGone(Exception):
    """Whoever read our output has closed it: nothing is left to say."""


def settle_streams() -> None:
    """Make both text streams take any text: what their encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def document(value: Any) -> None:
    """Write one JSON document."""
    text = json.dumps(_jsonable(value), ensure_ascii=False, allow_nan=False)
    write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def show(ctx: Context, value: Any, people: str | Callable[[], str]) -> None:
    """Write what was asked for: ``value`` under ``--json``, else the text for people."""
    if invocation(ctx).json:
        document(value)
    else:
        text = people if isinstance(people, str) else people()
        write(text + "\n" if text else "")


def show_all(ctx: Context, texts: Iterable[str], people: Callable[[], str]) -> None:
    """The same where the value is a list, each item of which is JSON already."""
    if invocation(ctx).json:
        rest, before = iter(texts), "["
        while few := ", ".join(islice(rest, _AT_ONCE)):
            write_bytes((before + few).encode("utf-8", "backslashreplace"))
            before = ", "
        write_bytes(b"]\n" if before == ", " else b"[]\n")
    else:
        show(ctx, None, people)


def tell(ctx: Context, value: Any, people: str | Callable[[], str]) -> None:
    """Write what was done: ``value`` under ``--json``, else a sentence that ``--quiet`` leaves out."""
    if invocation(ctx).json or not invocation(ctx).quiet:
        show(ctx, value, people)


def notice(ctx: Context, text: str) -> None:
    """Write a sentence beside the answer to stderr; ``--json`` and ``--quiet`` leave it out."""
    if not invocation(ctx).json and not invocation(ctx).quiet:
        write_error(text)


def write(text: str) -> None:
    """Write text to stdout as it is."""
    _to_stdout(lambda stream: stream.write(text))


def write_bytes(data: bytes | memoryview) -> None:
    """Write bytes to stdout as they are."""

    def put(stream: TextIO) -> None:
        stream.flush()
        stream.buffer.write(data)

    _to_stdout(put)


def flush() -> None:
    """Hand everything on, so that a full disk or a closed pipe shows now."""
    if sys.stdout is not None:
        _to_stdout(lambda stream: stream.flush())


def write_error(text: str) -> None:
    """Write a line to stderr, whose loss is no error."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass


def _to_stdout(put: Callable[[TextIO], object]) -> None:
    stream = sys.stdout
    if stream is None:
        raise PachaError("there is no standard output to write to")
    try:
        put(stream)
    except BrokenPipeError:
        abandon_stdout()
        raise ReaderGone from None
    except OSError as error:
        abandon_stdout()
        raise PachaError(f"the output can't be written: {error.strerror}") from error


def abandon_stdout() -> None:
    """Let what is still buffered go nowhere, so that closing the stream at exit can't fail."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def to_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def clean(text: str) -> str:
    """Escape what a terminal would act upon; line ends (of Windows too, as ours) and tabs stay."""
    return _UNPRINTABLE.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Escape what a terminal would act upon, line ends and tabs too."""
    return _UNPRINTABLE_OR_BREAK.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def _jsonable(value: Any) -> Any:
    """Turn what JSON has no word for (non-finite numbers, TOML's dates) into text."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, date | time):
        return value.isoformat()
    return value
