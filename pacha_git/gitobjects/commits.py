"""Git commit objects: written in one way, and read strictly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from pacha_git.errors import Corrupt
from pacha_git.gitobjects.oid import OID_PATTERN, Oid

_OID_LINE: Final = re.compile(rb"(tree|parent) (%s)\Z" % OID_PATTERN.encode())


class ParsedCommit(NamedTuple):
    """A commit object taken apart.

    Attributes:
        tree: Its tree.
        parents: Its parents in order.
        author: The whole line after ``author ``: identity, seconds, offset.
        committer: Likewise.
        signature: The text of ``gpgsig``, unfolded, ending in LF; None if unsigned.
        message: All after the empty line.
        unsigned: The commit without ``gpgsig``: what the signature is over.
    """

    tree: Oid
    parents: tuple[Oid, ...]
    author: str
    committer: str
    signature: str | None
    message: str
    unsigned: bytes


def commit_bytes(
    *,
    tree: Oid,
    parents: Sequence[Oid],
    identity: str,
    seconds: int,
    message: str,
    signature: str | None = None,
) -> bytes:
    """A commit object's body; author = committer = ``identity`` at ``seconds`` +0000, ``gpgsig`` as git folds it."""
    who = f"{identity} {seconds} +0000"
    lines = [f"tree {tree}", *(f"parent {oid}" for oid in parents), f"author {who}", f"committer {who}"]
    if signature is not None:
        lines.append("gpgsig " + signature.rstrip("\n").replace("\n", "\n "))
    return ("\n".join(lines) + "\n\n" + message).encode("utf-8")


def split_commit(raw: bytes) -> ParsedCommit:
    """Take a commit object apart.

    Raises:
        Corrupt: headers other than tree, parent, author, committer and gpgsig in this order, or not UTF-8.
    """
    head, separator, message = raw.partition(b"\n\n")
    if not separator:
        raise Corrupt("a commit without an empty line after its headers")
    lines = head.split(b"\n")
    try:
        tree, parents, at = _read_oids(lines)
        author = _after(b"author ", lines, at)
        committer = _after(b"committer ", lines, at + 1)
        signature = _read_signature(lines[at + 2 :])
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        raise Corrupt("a commit that is not UTF-8") from None
    unsigned = b"\n".join(lines[: at + 2]) + b"\n\n" + message
    return ParsedCommit(tree, parents, author, committer, signature, text, unsigned)


def _read_oids(lines: Sequence[bytes]) -> tuple[Oid, tuple[Oid, ...], int]:
    """Return the tree, the parents, and the number of lines they take."""
    oids: list[Oid] = []
    for line in lines:
        match = _OID_LINE.match(line)
        if match is None or (match[1] == b"tree") != (not oids):
            break
        oids.append(Oid(match[2].decode("ascii")))
    if not oids:
        raise Corrupt("a commit that does not begin with its tree")
    return oids[0], tuple(oids[1:]), len(oids)


def _after(prefix: bytes, lines: Sequence[bytes], at: int) -> str:
    if at >= len(lines) or not lines[at].startswith(prefix):
        raise Corrupt(f"a commit whose header no. {at + 1} is not {prefix.decode('ascii')!r}")
    return lines[at][len(prefix) :].decode("utf-8")


def _read_signature(lines: Sequence[bytes]) -> str | None:
    if not lines:
        return None
    first, *rest = lines
    if not first.startswith(b"gpgsig ") or not all(line.startswith(b" ") for line in rest):
        raise Corrupt(f"a commit with a header that is not allowed: {first[:60]!r}")
    return b"\n".join([first[len(b"gpgsig ") :], *(line[1:] for line in rest)]).decode("utf-8") + "\n"
