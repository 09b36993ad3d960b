"""Looks at the few files that make a folder a repository, and makes those anew that are lost or damaged.

``HEAD`` says nothing that is not the same everywhere; of ``config`` a copy is kept, for the remotes stand there alone.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from pacha_git.git.configfile import read_values
from pacha_git.git.packs.check import set_aside
from pacha_git.git.packs.files import storing
from pacha_git.gitobjects.oid import OID_PATTERN
from pacha_git.system.disk import share, sync_folder, write_whole
from pacha_git.system.process import CommandFailed, run

KEPT: Final = "pacha/config.kept"
ASIDE: Final = "pacha/damaged"
_HEAD: Final = re.compile(rb"(ref: refs/heads/[^\x00-\x20\x7f]+|%s)\n?\Z" % OID_PATTERN.encode())
# A copy outlives what it was made of: no password and no token is in it.
_SECRET: Final = re.compile(rb"(https?://)[^/\s@]*@|(://[^/\s:@]*):[^/\s@]*(?=@)")
_HEADER: Final = re.compile(rb"(?im)^\s*extraheader\s*=.*\n?")
_LEAST: Final = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
# What Git refuses to work with if it is none of these.
_TYPES: Final = {
    "core.bare": "bool", "core.repositoryFormatVersion": "int", "core.fileMode": "bool",
    "core.logAllRefUpdates": "bool-or-int", "core.bigFileThreshold": "int", "core.packedGitWindowSize": "int",
    "core.packedGitLimit": "int", "pack.deltaCacheSize": "int", "pack.windowMemory": "int", "gc.auto": "int",
    "receive.unpackLimit": "int", "repack.writeBitmaps": "bool", "repack.cruftWindow": "int",
    "transfer.fsckObjects": "bool", "uploadpack.allowAnySHA1InWant": "bool", "uploadpack.allowFilter": "bool",
    "maintenance.auto": "bool", "receive.autoGC": "bool",
}  # fmt: skip
# What needs no git to be known for one: a process for each of these settings would take a tenth of a second.
_PLAIN: Final = {
    "bool": re.compile("true|false"), "int": re.compile("[0-9]{1,9}[km]?"), "bool-or-int": re.compile("true|false"),
}  # fmt: skip
_OURS: Final = {key.lower() for key in (*_TYPES, "core.fsync", "core.fsyncMethod")}
_FOLDERS: Final = ("objects/pack", "objects/info", "refs/heads", "refs/tags")


def is_ours(path: Path) -> bool:
    """Tell whether a folder is a registry, or what is left of one."""
    if not (path / "objects").is_dir():
        return False
    if (path / "pacha").is_dir() or (path / "refs/pacha").is_dir():
        return True
    with suppress(OSError):
        return b" refs/pacha/" in (path / "packed-refs").read_bytes()
    return False


def shape_problems(path: Path) -> list[tuple[str, str]]:
    """Tell what is wrong with the files that make it a repository: file, and what is wrong with it."""
    found: list[tuple[str, str]] = []
    try:
        if not _HEAD.match((path / "HEAD").read_bytes()):
            found.append(("HEAD", "it names no branch"))
    except FileNotFoundError:
        found.append(("HEAD", "it is gone"))
    except OSError as error:
        found.append(("HEAD", f"it can't be read: {error.strerror}"))
    if problem := config_problem(path / "config") or _cut_off(path):
        found.append(("config", problem))
    found += [(folder, "the folder is gone") for folder in _FOLDERS[:1] if not (path / folder).is_dir()]
    if not (path / "refs").is_dir():
        found.append(("refs", "the folder is gone"))
    return found


def config_problem(config: Path) -> str:
    """Tell why a file can't be the configuration of a bare repository; empty if it can."""
    if not config.is_file():
        return "it is gone"
    try:
        # As git reads it when it opens the repository: a number that is none is found out here.
        found = read_values(config)
        for key, kind in _TYPES.items():
            if not all(map(_PLAIN[kind].fullmatch, found.get(key.lower(), ()))):
                run(["git", "config", "--file", str(config), f"--type={kind}", "--get", key])
    except CommandFailed as error:
        said = error.stderr.strip().splitlines()
        return said[-1].removeprefix("fatal: ").removeprefix("error: ") if said else "it can't be read"
    return "" if {"core.bare", "core.repositoryformatversion"} <= set(found) else "it says not that it is bare"


def _cut_off(path: Path) -> str:
    """Tell whether settings that every registry has are gone, which the kept copy still has; empty if not."""
    gone = sorted(_keys(path / KEPT) & _OURS - _keys(path / "config"))
    return f"it lacks {gone[0]}, which every registry has" if gone else ""


def _keys(config: Path) -> set[str]:
    try:
        return set(read_values(config))
    except CommandFailed:
        return set()


def mend_shape(path: Path) -> list[str]:
    """Make anew what is lost or damaged of these files; returns what was done, one line each.

    Raises:
        PachaError: the disk is full, or the folder can't be written.
    """
    done: list[str] = []
    with storing(path):
        for file, problem in shape_problems(path):
            target = path / file
            if file == "HEAD":
                _aside(path, file)
                write_whole(target, b"ref: refs/heads/main\n")
                done.append(f"HEAD: {problem}; it names the main branch again")
            elif file == "config":
                done.append(_mend_config(path, problem))
            else:
                for folder in _FOLDERS:
                    (path / folder).mkdir(parents=True, exist_ok=True)
                done.append(f"{file}: {problem}; it was made again")
        sync_folder(path)
    return done


def _mend_config(path: Path, problem: str) -> str:
    kept = path / KEPT
    usable = not config_problem(kept)
    _aside(path, "config")
    write_whole(path / "config", kept.read_bytes() if usable else _LEAST)
    whence = "it was restored from the copy that is kept" if usable else "it was written anew; remotes have to be added"
    return f"config: {problem}; {whence}"


def _aside(path: Path, file: str) -> None:
    if (path / file).exists():
        set_aside(path / file, path / ASIDE)


def _without_secrets(data: bytes) -> bytes:
    return _SECRET.sub(rb"\1\2", _HEADER.sub(b"", data))


def keep_config(path: Path) -> None:
    """Keep a copy of the configuration as long as it is sound, without secrets; what can't be written is left."""
    with suppress(OSError):
        data, kept = _without_secrets((path / "config").read_bytes()), path / KEPT
        if not kept.parent.is_dir() or (kept.exists() and kept.read_bytes() == data) or config_problem(path / "config"):
            return
        write_whole(kept, data, mode=(path / "config").stat().st_mode & 0o777)
        share(kept)


def lost_remotes(path: Path) -> dict[str, str]:
    """Return the remotes, name → URL, that the kept copy names and the configuration does not."""
    return {name: url for name, url in _remotes(path / KEPT).items() if _remotes(path / "config").get(name) != url}


def _remotes(config: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with suppress(CommandFailed):
        listed = run(["git", "config", "--file", str(config), "--get-regexp", "-z", r"^remote\..*\.url$"]).stdout
        for entry in _without_secrets(listed).decode("utf-8", "surrogateescape").split("\0"):
            key, _, url = entry.partition("\n")
            if key:
                found.setdefault(key[len("remote.") : -len(".url")], url)
    return found
