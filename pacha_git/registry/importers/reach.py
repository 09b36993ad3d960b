"""How far an import may look: no link and no URI that somebody else wrote leads out of the place that was named.

What an import takes in is published by the next push, so a store that points at a file of ours must not get it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pacha_git.errors import PachaError

NONE: Final = "none"
_SERVERS: Final = ("http", "https")
_OF_A_SERVER: Final = ("mlflow-artifacts",)
_OWN: Final = "artifacts"


def leads_out(entry: Path, root: Path, *, recursive: bool = True) -> str:
    """Why an entry of a store is not to be read: it, or something in it, leads out of ``root``; "" if nothing does.

    A folder ``artifacts`` is passed by: what becomes of those is looked at where they are stored.
    """
    why = _stranger(entry, root)
    if why or not recursive or entry.is_symlink() or not entry.is_dir():
        return why
    for path, folders, files in os.walk(entry):
        if _OWN in folders and Path(path) == entry:
            folders.remove(_OWN)
        for name in (*folders, *files):
            why = _stranger(Path(path, name), root)
            if why:
                return why
    return ""


def _stranger(path: Path, root: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "" if path.resolve().is_relative_to(root) else f"the link {path} leads out of the store"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else f"{path} is no regular file"


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the artifacts of a store may lie.

    Attributes:
        roots: Folders of a store on this machine; its artifacts lie in one of them.
        server: The URI of a store that is a server or database.
        also: A folder or URI that somebody named beside it; ``none``: artifacts stay behind.
    """

    roots: tuple[Path, ...]
    server: str | None
    also: str | None

    def folder(self, uri: str, below: Sequence[str]) -> Path | None:
        """Return the folder that a URI of artifacts means on this machine; None if there is none.

        Args:
            uri: What the store says.
            below: Where MLflow keeps them within a store: for one that was moved.

        Raises:
            PachaError: it is there, and outside.
        """
        parts = urlsplit(uri)
        if self.also == NONE or parts.scheme not in ("", "file"):
            return None
        named = Path(unquote(parts.path)) if parts.path else None
        places = [named] if named is not None else []
        places += [root.joinpath(*below) for root in self.roots]
        there = [place for place in places if place.is_dir()]
        inside = next((place for place in there if self._holds(place)), None)
        if inside is None and there:
            raise _outside(there[0].absolute().as_uri())
        return inside

    def may_fetch(self, uri: str) -> bool:
        """Tell whether MLflow may fetch artifacts for us from where a store says; False if there is nothing to fetch.

        Raises:
            PachaError: it leads to another server or store than was named.
        """
        parts = urlsplit(uri)
        if self.also == NONE or parts.scheme in ("", "file"):
            return False
        if self.also is not None and _is_below(uri, self.also):
            return True
        server = urlsplit(self.server or "")
        if server.scheme in _SERVERS and parts.scheme in _OF_A_SERVER and parts.netloc in ("", server.netloc):
            return True
        if self.server is not None and server.scheme in _SERVERS and _is_below(uri, self.server):
            return True
        raise _outside(uri)

    def _holds(self, place: Path) -> bool:
        roots = list(self.roots)
        if self.also is not None and urlsplit(self.also).scheme in ("", "file"):
            roots.append(Path(unquote(urlsplit(self.also).path)))
        return any(place.resolve().is_relative_to(root.resolve()) for root in roots)


def _is_below(uri: str, above: str) -> bool:
    """Tell whether one URI is spelled below another; one that climbs, however it says so, is below none."""
    return uri.startswith(above.rstrip("/") + "/") and ".." not in unquote(unquote(uri)).split("/")


def _outside(uri: str) -> PachaError:
    return PachaError(
        f"its artifacts lie outside the store, at {uri}: --artifacts {uri} takes them, --artifacts none leaves them out"
    )
