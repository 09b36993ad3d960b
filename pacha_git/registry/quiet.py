"""Remembers that a pull or push found nothing to do: as long as no ref changes on either side, there is nothing to do.

It knows listings and stamps of refs, and refuses to know what they mean. Losing its file costs a second, no more.
"""

from __future__ import annotations

import json
from typing import Final

import blake3

from pacha_git.registry.context import Context

_FILE: Final = "pacha/quiet.json"


def stamp(context: Context, listing: bytes) -> str:
    """A text that is the same as long as neither the remote's list of refs nor any ref here has changed."""
    refs = context.repo.refs
    digest = blake3.blake3(listing)
    digest.update(refs.packed_stamp().encode())
    for ref, oid in sorted(refs.loose_below("refs/").items()):
        digest.update(f"\n{oid} {ref}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def is_known(context: Context, remote: str, verb: str, now: str) -> bool:
    """Whether the verb found nothing to do when everything stood as it does now."""
    return _read(context).get(f"{verb} {remote}") == now


def remember(context: Context, remote: str, verb: str, then: str) -> None:
    """Note that the verb found nothing to do."""
    known = {**_read(context), f"{verb} {remote}": then}
    try:
        (context.path / _FILE).write_text(json.dumps(known))
    except OSError:
        return  # it is only a memory


def _read(context: Context) -> dict[str, object]:
    try:
        read = json.loads((context.path / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
