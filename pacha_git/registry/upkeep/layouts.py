"""Tells how a registry cuts files, and moves it on to a newer layout, once, saying what that costs.

What is stored stays as it is and is read as before. Only what is registered from now on is cut anew.
"""

from __future__ import annotations

import io
from dataclasses import replace

import tomlkit

from pacha_git.chunking.cuts import has_parts
from pacha_git.chunking.layout import LAYOUTS, NEWEST, layout_named
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.registry.reading.content import payload_of
from pacha_git.session.results import LayoutInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.payload.reader import PayloadFile
from pacha_git.store.settings import write_settings
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name


def change_layout(session: Session, name: str | None, *, dry_run: bool) -> LayoutInfo:
    """Tell the layout, or move on to one; see ``Registry.layout``."""
    now = session.layout
    told = LayoutInfo(now.name, NEWEST.name, tuple(LAYOUTS))
    if name is None:
        return told
    if name not in LAYOUTS:
        raise InvalidInput(f"no layout {name!r} is known here", hint=f"one of {', '.join(LAYOUTS)}")
    if list(LAYOUTS).index(name) < list(LAYOUTS).index(now.name):
        raise InvalidInput(
            f"this registry writes {now.name}, which is newer than {name}",
            hint="a registry moves on to a newer layout and never back: going to and fro stores files anew each time",
        )
    files, size = _cost(session) if name != now.name else (0, 0)
    told = replace(told, files=files, bytes=size, dry_run=dry_run)
    if dry_run or name == now.name:
        return told
    _write(session, name)
    return replace(told, layout=name, was=now.name)


def _write(session: Session, name: str) -> None:
    acting = session.acting()
    with session.deciding(f"layout {name}") as changes:
        stored = session.settings
        document = tomlkit.parse(stored.toml.decode("utf-8"))
        if layout_named(document.get("layout")).name == name:
            return
        document["layout"] = name
        ordered = tomlkit.document()
        # A key behind a table would be one of the table's.
        for key in sorted(document, key=lambda key: isinstance(document[key], dict)):
            ordered[key] = document[key]
        write_settings(
            changes,
            tomlkit.dumps(ordered).encode("utf-8"),
            stored.signers_file,
            parents=[stored.commit],
            old=stored.commit,
            identity=acting.identity,
            seconds=acting.seconds,
            others=stored.others,
            message=f"write files as {name} cuts them\n",
        )


def _cost(session: Session) -> tuple[int, int]:
    """How many files, of how many bytes, of the newest versions here are stored anew in part when they come again."""
    newest: dict[tuple[Kind, Name], VersionId] = {}
    for version, _ in records.all_versions(session.repo):
        known = newest.get((version.kind, version.name))
        if session.repo.ref(version.payload_ref) is not None and (known is None or known.version < version.version):
            newest[version.kind, version.name] = version
    files: dict[str, int] = {}
    for version in newest.values():
        try:
            payload = payload_of(session, records.read_version(session.repo, version))
            for line in payload.lines:
                if line.stored == "chunked" and line.blake3 not in files:
                    opened = io.BufferedReader(PayloadFile(payload, line))
                    if has_parts(opened.read(512)):
                        files[line.blake3] = line.size
        except PachaError:
            continue  # what is damaged is for fsck to tell
    return len(files), sum(files.values())
