"""Git tree objects: written in Git's order, and read strictly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.gitobjects.oid import OID_BYTES, Oid

TREE_MODE: Final = "40000"
FILE_MODE: Final = "100644"
EXECUTABLE_MODE: Final = "100755"


class TreeEntry(NamedTuple):
    """One line of a tree: mode in octal as Git writes it, name as bytes, and what it names."""

    mode: str
    name: bytes
    oid: Oid

    @property
    def is_tree(self) -> bool:
        """Whether it names another tree."""
        return self.mode == TREE_MODE


def parse_tree(body: bytes) -> list[TreeEntry]:
    """Read the body of a tree object.

    Raises:
        Corrupt: it is cut short, or an entry has no mode or name.
    """
    entries: list[TreeEntry] = []
    position = 0
    while position < len(body):
        space = body.find(b" ", position)
        end = body.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + OID_BYTES > len(body):
            raise Corrupt("a tree object is cut short")
        name = body[space + 1 : end]
        mode = body[position:space]
        if not name or b"/" in name or not mode.isdigit():
            raise Corrupt("a tree object has an entry that can't be")
        entries.append(TreeEntry(mode.decode("ascii"), name, Oid(body[end + 1 : end + 1 + OID_BYTES].hex())))
        position = end + 1 + OID_BYTES
    return entries


def tree_bytes(entries: Iterable[tuple[int | str, bytes, Oid]]) -> bytes:
    """Return the body of a tree object, in Git's order (a folder sorts as if its name ended in ``/``).

    Args:
        entries: Mode (``0o100644`` or ``"100644"``; folders ``40000``), name, oid; in any order.

    Raises:
        InvalidInput: a name that a tree can't hold, or one twice.
    """
    rows = [(f"{mode:o}" if isinstance(mode, int) else mode.lstrip("0"), name, oid) for mode, name, oid in entries]
    if len({name for _, name, _ in rows}) < len(rows):
        raise InvalidInput("a tree with one name twice")
    for _, name, _ in rows:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise InvalidInput(f"{name!r} can't be a name in a Git tree")
    rows.sort(key=lambda row: row[1] + b"/" if row[0] == TREE_MODE else row[1])
    return b"".join([mode.encode("ascii") + b" " + name + b"\0" + oid.raw for mode, name, oid in rows])
