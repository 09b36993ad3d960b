"""Reads the small texts that Git LFS and git-annex leave in the place of a file that was not fetched.

Formats: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, https://git-annex.branchable.com/internals/pointer_file.
"""

from __future__ import annotations

import re
from typing import Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Source

_LONGEST: Final = 32 << 10
_LFS: Final = re.compile(rb"^(oid|size) (\S+)$", re.MULTILINE)
_ANNEX: Final = re.compile(rb"/annex/objects/([A-Z0-9_]+)((?:-[a-zA-Z][^-\n]*)*)--[^\n]+")
_SIZE: Final = re.compile(rb"-s(\d+)")


def read_lfs(source: Source) -> Facts | None:
    """Read a pointer of Git LFS; None if it is another text that begins like one."""
    if source.size > _LONGEST:
        return None
    said = {key.decode(): value.decode("ascii", "replace") for key, value in _LFS.findall(source.at(0, source.size))}
    if "oid" not in said or not said.get("size", "").isdecimal():
        return None
    return _pointer("git-lfs pointer", "git lfs pull", {"oid": said["oid"]}, int(said["size"][:18]))


def read_annex(source: Source) -> Facts | None:
    """Read a pointer file of git-annex."""
    if source.size > _LONGEST:
        return None
    match = _ANNEX.match(source.at(0, source.size))
    if match is None:
        return None
    size = _SIZE.search(match[2])
    return _pointer(
        "git-annex pointer", "git annex get", {"backend": match[1].decode()}, int(size[1][:18]) if size else None
    )


def _pointer(format_: str, command: str, said: dict[str, str], size: int | None) -> Facts:
    whole = f"the {size:,} bytes of the file itself are" if size is not None else "the file itself is"
    warning = f"it is a {format_}, and {whole} not registered ({command} fetches)"
    return Facts(format_, metadata={**said, **({"size": size} if size is not None else {})}, warnings=(warning,))
