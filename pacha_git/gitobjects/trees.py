"""Reads Git tree objects: pure, and strict about what Git would refuse. It has never heard of a model."""

from __future__ import annotations

from typing import Final, NamedTuple

from pacha_git.errors import Corrupt
from pacha_git.vocabulary.names import Oid

TREE_MODE: Final = "40000"
FILE_MODE: Final = "100644"
EXECUTABLE_MODE: Final = "100755"


class Entry(NamedTuple):
    """One line of a tree: mode in octal as Git writes it, name as bytes, and what it names."""

    mode: str
    name: bytes
    oid: Oid

    @property
    def is_tree(self) -> bool:
        """Whether it names another tree."""
        return self.mode == TREE_MODE


def parse_tree(body: bytes) -> list[Entry]:
    """Read the body of a tree object.

    Raises:
        Corrupt: it is cut short, or an entry has no mode or name.
    """
    entries: list[Entry] = []
    position = 0
    while position < len(body):
        space = body.find(b" ", position)
        end = body.find(b"\0", space)
        if space < 0 or end < 0 or end + 21 > len(body):
            raise Corrupt("a tree object is cut short")
        name = body[space + 1 : end]
        mode = body[position:space]
        if not name or b"/" in name or not mode.isdigit():
            raise Corrupt("a tree object has an entry that can't be")
        entries.append(Entry(mode.decode("ascii"), name, Oid(body[end + 1 : end + 21].hex())))
        position = end + 21
    return entries
