"""``card``: the card of a model, the datasheet of a dataset, shown, written anew, or begun; and the editor for it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

from click import Context

from pacha_git import DocumentDetail, InvalidInput, Kind, NotFound, PachaError, VersionInfo
from pacha_git.cli.invocation import noun_kind, registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.grammar import Group, verb
from pacha_git.cli.program.options import Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.sheets import spec_of


class _Documents(NamedTuple):
    """What can be done with the documents of a kind, whatever these are called there."""

    read: Callable[..., DocumentDetail]
    set: Callable[..., VersionInfo]
    begin: Callable[..., tuple[str, tuple[str, ...]]]


def _documents(ctx: Context) -> _Documents:
    opened = registry(ctx)
    if noun_kind(ctx) is Kind.DATASET:
        data = opened.datasets
        return _Documents(data.datasheet, data.set_datasheet, data.datasheet_skeleton)
    return _Documents(opened.models.card, opened.models.set_card, opened.models.card_skeleton)


def card(
    ctx: Context,
    spec: flags.Spec,
    version: flags.Version = None,
    edit: Annotated[bool, Option("--edit", help="Open it in $VISUAL or $EDITOR, and keep what is saved.")] = False,
    file: Annotated[
        str | None, Option("--set", metavar="FILE", help="Put this file in its place; - reads stdin.")
    ] = None,
    skeleton: Annotated[
        bool, Option("--skeleton", help="Print one to begin with, filled with what the registry knows.")
    ] = False,
    sign: flags.Sign = False,
) -> None:
    """Show, change or begin the card of a model or the datasheet of a dataset.

    A change is kept beside the record, which stays as it is; the newest is shown.
    """
    if edit + (file is not None) + skeleton > 1:
        raise InvalidInput("--edit, --set and --skeleton at once", hint="give one of them")
    things = _documents(ctx)
    if skeleton:
        text = _skeleton(ctx, things, spec, version)
        output.show(ctx, {"skeleton": text}, text.rstrip("\n"))
    elif file is not None:
        _set(ctx, things, spec, version, _read(file), file, sign)
    elif edit:
        _edit(ctx, things, spec, version, sign)
    else:
        _show(ctx, things.read(spec, version=version))


def _show(ctx: Context, found: DocumentDetail) -> None:
    noun = noun_kind(ctx).noun
    if found.text is None:
        begin = f"git pacha {noun} card {found.name}@{found.version} --skeleton > {found.key}.md"
        raise NotFound(f"{noun} {found.name} {found.version} has no {found.key}", hint=f"to begin one: {begin}")
    for problem in found.problems:
        place = ":".join(str(part) for part in (problem.line, problem.column) if part)
        said = f"{problem.key}: " if problem.key else ""
        output.notice(ctx, output.one_line(f"Warning: line {place}: {said}{problem.message}"))
    output.show(ctx, found.to_json(), lambda: _rendered(found).rstrip("\n"))
    whose = f"signed by {found.signed_by}" if found.signed_by else f"unsigned, by {found.by}"
    output.notice(ctx, output.one_line(f"This {found.key}: {whose}."))
    if found.missing:
        output.notice(ctx, f"It says nothing yet on {', '.join(found.missing)}.")


def _rendered(found: DocumentDetail) -> str:
    """Return the document as it is, or drawn if it goes to a terminal."""
    from pacha_git.cli.showing.markdown import draw

    text = output.clean(found.text or "")
    return draw(text, found.metadata) if output.to_terminal() else text


def _skeleton(ctx: Context, things: _Documents, spec: str, version: str | None) -> str:
    with progress(ctx) as report:
        text, notices = things.begin(spec, version=version, progress=report)
    for notice in notices:
        output.notice(ctx, output.one_line(f"Notice: {notice}"))
    return text


def _read(file: str) -> str:
    from pacha_git import read_document_file

    return read_document_file(Path("/dev/stdin") if file == "-" else flags.path(file))


def _set(ctx: Context, things: _Documents, spec: str, version: str | None, text: str, what: str, sign: bool) -> None:
    info = things.set(spec, text, version=version, what=what, sign=True if sign else None)
    found = things.read(f"{info.name}@{info.version}")
    output.tell(ctx, info.to_json(), f"The {found.key} of {spec_of(info)} is kept.")
    if found.missing:
        output.notice(ctx, f"It says nothing yet on {', '.join(found.missing)}.")


def _edit(ctx: Context, things: _Documents, spec: str, version: str | None, sign: bool) -> None:
    if not (sys.stdin is not None and sys.stdin.isatty() and output.to_terminal()):
        raise InvalidInput("--edit takes a terminal", hint="write a file, then --set FILE")
    found = things.read(spec, version=version)
    # What it is edited for stays what it is, whatever is registered meanwhile.
    exact = f"{found.name}@{found.version}"
    before = found.text if found.text is not None else _skeleton(ctx, things, exact, None)
    path = Path(tempfile.mkdtemp(prefix="pacha-")) / f"{found.name.rpartition('/')[2]}-{found.key}.md"
    path.write_text(before, encoding="utf-8", newline="")
    after = _edited(path, before)
    if after == before:
        output.tell(ctx, found.to_json(), "Nothing was changed.")
    else:
        try:
            _set(ctx, things, exact, None, after, str(path), sign)
        except PachaError as error:
            raise PachaError(error.message, hint=f"what you wrote is in {path}: mend it, then --set it") from None
    _clear(path)


def _clear(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def _edited(path: Path, before: str) -> str:
    """Tell what a file says after it was in the editor."""
    from pacha_git.system.process import run_attached

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    # As Git does it: an editor may be a whole command line, as in `code --wait`.
    status = run_attached(["sh", "-c", f'{editor} "$@"', editor, str(path)], env={})
    after = _read(str(path))
    if status and after == before:
        _clear(path)
        raise PachaError(f"{editor} ended with {status}", hint="set EDITOR to one that works, or use --set FILE")
    if status:
        raise PachaError(f"{editor} ended with {status}", hint=f"what you wrote is in {path}")
    return after


def add_card(app: Group, *words: str) -> None:
    """Give a noun this verb, as ``card`` and under other words that people have for it."""
    for word in ("card", *words):
        verb(app, word, card)
