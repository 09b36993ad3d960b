"""Keeps what the many events of a name come to, a small file for each notes ref, so that no command folds them anew.

Each file says which notes commit it belongs to, and begins with its own hash: one that is torn, stale or another's is
no answer. To lose all of them costs time alone. Where there is no room for one, none is kept.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import blake3

from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.standing import FoldState, decode_standing, encode_standing

FOLDER: Final = "pacha/standings"
_DIGITS: Final = 32


def recall(path: Path, ref: str, tip: Oid) -> FoldState | None:
    """Tell what the notes commit of a ref in the registry at ``path`` comes to, if that is kept."""
    try:
        with open(_place(path, ref), "rb") as file:  # noqa: PTH123 — for most names there is none, and each command asks
            return decode_standing(file.read(), tip)
    except (OSError, ValueError, TypeError):
        return None


def keep(path: Path, ref: str, tip: Oid, standing: FoldState) -> None:
    """Keep what a notes commit comes to, in the place of what was kept before."""
    with suppress(OSError):
        folder = path / FOLDER
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(path.stat().st_mode & 0o7777)  # all of a group write here, whatever the umask of its maker
        place = Path(_place(path, ref))
        is_new = not place.exists()
        place.write_bytes(encode_standing(standing, tip))
        if is_new:
            place.chmod(path.stat().st_mode & 0o666)


def forget(path: Path) -> None:
    """Let go of all that is kept: some of it may be of names that are no more."""
    shutil.rmtree(path / FOLDER, ignore_errors=True)


def _place(path: Path, ref: str) -> str:
    return f"{path}/{FOLDER}/{blake3.blake3(ref.encode()).hexdigest()[:_DIGITS]}"
