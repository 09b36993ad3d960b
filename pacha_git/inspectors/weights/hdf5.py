"""Reads the superblock of an HDF5 file: its version, and where it says that it ends.

Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""

from __future__ import annotations

from typing import Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Damaged, Source

MAGIC: Final = b"\x89HDF\r\n\x1a\n"


def read_hdf5(source: Source) -> Facts:
    """Read the superblock.

    Raises:
        Damaged: it is cut short, or of a version that is not known here.
    """
    head = source.some(0, 128)
    version = head[8] if len(head) > 8 else 255
    if version not in (0, 1, 2, 3):
        raise Damaged(f"a superblock of version {version}")
    width = head[13] if version < 2 else head[9]
    first = {0: 24, 1: 28}.get(version, 12)
    if width not in (2, 4, 8, 16, 32):
        raise Damaged("its superblock can't be read")
    base = int.from_bytes(head[first : first + width], "little")
    end = int.from_bytes(head[first + 2 * width : first + 3 * width], "little")
    if base + end > source.size:
        raise Damaged(f"cut short: it ends at {base + end}, the file at {source.size}")
    return Facts("hdf5", metadata={"superblock": version})
