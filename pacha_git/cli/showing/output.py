"""Writes to the two streams: one JSON document or text for people on stdout, sentences and notices on stderr.

Everything the program prints passes through here, and is made harmless here (``vocabulary.printable`` says what that
is), whether a caller thought of it or not.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from itertools import islice
from typing import Any, Final, TextIO

from click import Context

from pacha_git import PachaError
from pacha_git.cli.invocation import invocation
from pacha_git.vocabulary.printable import clean, clean_json, one_line

# Stands for the ESC of a style that we chose, until text is written. Nobody else's text can hold it: each process draws
# its own.
_STYLE: Final = f"\ufdd0{os.urandom(8).hex()}\ufdd0"
__all__ = [
    "ReaderGone", "abandon_stdout", "clean", "document", "flush", "notice", "one_line", "settle_streams", "show",
    "show_all", "styled", "tell", "to_terminal", "write", "write_bytes", "write_content", "write_error", "write_json",
]  # fmt: skip

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
    write_json(json.dumps(_jsonable(value), ensure_ascii=False, allow_nan=False) + "\n")


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
            write_json(before + few)
            before = ", "
        write_json("]\n" if before == ", " else "[]\n")
    else:
        show(ctx, None, people)


def tell(ctx: Context, value: Any, people: str | Callable[[], str]) -> None:
    """Write what was done: ``value`` under ``--json``, else a sentence that ``--quiet`` leaves out."""
    if invocation(ctx).json or not invocation(ctx).quiet:
        show(ctx, value, people)


def notice(ctx: Context, text: str) -> None:
    """Write a sentence beside the answer to stderr; ``--json`` and ``--quiet`` leave it out."""
    if not invocation(ctx).json and not invocation(ctx).quiet:
        write_error(one_line(text))


def write(text: str) -> None:
    """Write text to stdout; of what a terminal acts upon, only our own styles stay."""
    shown = clean(text).replace(_STYLE, "\x1b")
    _to_stdout(lambda stream: stream.write(shown))


def write_json(text: str) -> None:
    """Write a part of a JSON document to stdout, with what a terminal acts upon as JSON's escapes."""
    write_bytes(clean_json(text).encode())


def write_content(pieces: Iterable[bytes]) -> None:
    """Write the bytes of a file to stdout: as they are, but to a terminal as text, with what it acts upon escaped."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for piece in pieces:
        if to_terminal():
            write(decoder.decode(piece))
        else:
            write_bytes(piece)
    if to_terminal():
        write(decoder.decode(b"", final=True))


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
            sys.stderr.write(clean(text) + "\n")
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
    """Tell whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def styled(text: str) -> str:
    """Mark the styles in a text as ours, so that they are written; all else in it must be ``clean``."""
    return text.replace("\x1b", _STYLE)


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
