"""Sees without reading a single ref that a pull or push has nothing to do, among a hundred thousand versions too.

It compares lists of refs with one another, and with what they were when there was nothing to do last. Losing its file
costs a second, no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import blake3

from pacha_git.exchange.remotes import tracking
from pacha_git.format.kinds import ITEM_ROOTS
from pacha_git.session.session import Session
from pacha_git.store.events import ATTESTATIONS
from pacha_git.system.disk import share
from pacha_git.vocabulary.ids import NOTES_ROOT, PAYLOAD_ROOT, REF_ROOT, REGISTRY_REF, ROOT_REF, TMP_ROOT

_FILE: Final = "pacha/quiet.json"


def stamp(session: Session, listing: bytes) -> str:
    """Return a text that is the same as long as neither the remote's list of refs nor any ref here has changed."""
    refs = session.repo.refs
    digest = blake3.blake3(listing)
    digest.update(refs.packed_stamp().encode())
    for ref, oid in sorted(refs.loose_below("refs/").items()):
        digest.update(f"\n{oid} {ref}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def in_step(session: Session, remote: str, listing: bytes) -> bool:
    """Tell whether both sides have the same versions, runs and events, all of them seen before, and we no other bytes.

    Where something may have been removed, or a push was cut off, the answer is no: that takes a closer look.
    """
    if any(f"/{word}".encode() in listing for word in (ATTESTATIONS + "\n", TMP_ROOT.removeprefix("refs/"))):
        return False
    there = set(listing.replace(b"\t", b" ").split(b"\n"))
    ours: set[bytes] = set()
    for root in (*ITEM_ROOTS, NOTES_ROOT):
        ours |= session.repo.refs.lines_below(root)
    if sum(listing.count(f"\t{root}".encode()) for root in (*ITEM_ROOTS, NOTES_ROOT)) != len(ours) or not ours <= there:
        return False
    fixed = [line for line in there if line.endswith((b" " + REGISTRY_REF.encode(), b" " + ROOT_REF.encode()))]
    seen = _as_there(remote, session.repo.refs.lines_below(tracking(remote, REF_ROOT)))
    return (
        len(fixed) == 2
        and b"\trefs/heads/" in listing
        and seen == ours | {line for line in fixed if line.endswith(b" " + REGISTRY_REF.encode())}
        and session.repo.refs.lines_below(PAYLOAD_ROOT) <= there
    )


def _as_there(remote: str, lines: Iterable[bytes]) -> set[bytes]:
    """Lines of last-seen copies with the names that the refs have at the remote."""
    listed = b"\n".join(lines)
    for root in (NOTES_ROOT, REF_ROOT):
        listed = listed.replace(f" {tracking(remote, root)}".encode(), f" {root}".encode())
    return set(listed.split(b"\n"))


def is_known(session: Session, remote: str, verb: str, now: str) -> bool:
    """Tell whether the verb found nothing to do when everything stood as it does now."""
    return _read(session).get(f"{verb} {remote}") == now


def remember(session: Session, remote: str, verb: str, then: str) -> None:
    """Note that the verb found nothing to do."""
    known = {**_read(session), f"{verb} {remote}": then}
    try:
        (session.path / _FILE).write_text(json.dumps(known))
        share(session.path / _FILE)
    except OSError:
        return  # it is only a memory


def _read(session: Session) -> dict[str, object]:
    try:
        read = json.loads((session.path / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
