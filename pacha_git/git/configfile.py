"""Reads a configuration file with one git, and adds many settings to it with none: each ``git config`` is a process.

Git says what a file means. Written here are only plain values under plain keys, at the end of the file, in one piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pacha_git.git.packs.files import storing
from pacha_git.system.process import run


def read_values(config: Path) -> dict[str, list[str]]:
    """All settings of a file: key in Git's small letters → values in their order; a key without one has an empty text.

    Raises:
        CommandFailed: git can't read it.
    """
    listed = run(["git", "config", "--file", str(config), "--list", "-z"]).stdout
    found: dict[str, list[str]] = {}
    for entry in listed.decode("utf-8", "replace").split("\0"):
        key, _, value = entry.partition("\n")
        if key:
            found.setdefault(key, []).append(value)
    return found


def put_values(config: Path, settings: Mapping[str, str]) -> None:
    """Let a file have these settings; what it has already is left as it stands.

    Raises:
        CommandFailed: git can't read or write it.
        PachaError: the disk is full, or the file can't be written.
    """
    there = read_values(config)
    missing: dict[str, list[str]] = {}
    for key, value in settings.items():
        if key.lower() not in there:
            section, _, name = key.partition(".")
            missing.setdefault(section, []).append(f"\t{name} = {value}\n")
        elif there[key.lower()][-1] != value:
            run(["git", "config", "--file", str(config), "--replace-all", key, value])
    if missing:
        text = "".join(f"[{section}]\n{''.join(lines)}" for section, lines in missing.items())
        with storing(config.parent), config.open("rb+", buffering=0) as file:
            ends_well = file.read()[-1:] in (b"", b"\n")
            file.write(("" if ends_well else "\n").encode() + text.encode())
