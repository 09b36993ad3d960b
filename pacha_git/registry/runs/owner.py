"""Whose run it is: which process on which boot of which machine, and whether that process still lives.

It reads /proc and one small file. A process of another machine, or one that this machine can't see, is taken to live.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import PachaError
from pacha_git.system.disk import share, write_whole

FILE: Final = "owner.json"


def this_process() -> dict[str, Any]:
    """This process: ``host``, ``boot``, ``pid`` and its namespace, ``started`` (clock ticks after the boot)."""
    return {
        "host": platform.node(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "namespace": _namespace(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Tell when a process started, in clock ticks after the boot; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain anything
    return None if fields[0] in "ZX" else int(fields[19])


def own(folder: Path) -> None:
    """Make this process the owner of the run whose journal is in a folder.

    Raises:
        PachaError: the file can't be written.
    """
    try:
        write_whole(folder / FILE, json.dumps(this_process()).encode("ascii"), mode=0o600)
        share(folder / FILE)
    except OSError as error:
        raise PachaError(f"can't write to {folder}: {error.strerror}") from None


def owner_of(folder: Path) -> dict[str, Any] | None:
    """Return the owner that is noted beside a journal; None if it has none."""
    try:
        found = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def is_interrupted(folder: Path) -> bool:
    """Tell whether the run had an owner that has died."""
    owner = owner_of(folder)
    if owner is None or owner.get("host") != platform.node():
        return False
    boot = _read("/proc/sys/kernel/random/boot_id")
    if not boot or not owner.get("boot"):
        return False
    if owner["boot"] != boot:
        return True
    pid = owner.get("pid")
    if owner.get("namespace") != _namespace() or not isinstance(pid, int):
        return False
    return _started(pid) != owner.get("started")
