"""Drops bytes that a remote has, to get them back when they are wanted.

It knows what must be true before bytes may go; freeing the disk is gc's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.exchange import remotes
from pacha_git.exchange.fallback import Attempts
from pacha_git.exchange.selection import TransferRequest, choose
from pacha_git.git.changes import changing
from pacha_git.git.wire import transport
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.items import Item, read_item
from pacha_git.session.results import Evicted
from pacha_git.session.session import Session
from pacha_git.store.payload import cache
from pacha_git.vocabulary.kinds import Kind


def evict(session: Session, specs: Sequence[str]) -> list[Evicted]:
    """Drop the local bytes of versions and runs, once a remote has said, now, that it has the same.

    What somebody removed is dropped unasked: nobody is to have its bytes.

    Args:
        session: The registry.
        specs: Which; patterns as in a push.

    Returns:
        What was dropped, and who has it; nothing of what is not here anyway.

    Raises:
        InvalidInput: nothing named.
        NotFound: nothing answers to it, or no remote is known.
        PachaError: no remote has the bytes of one of them; then nothing is dropped.
        RemoteError: no remote could be asked.
    """
    if not specs:
        raise InvalidInput("evict what?", hint="git pacha evict NAME@VERSION")
    items = [
        read_item(session.repo, ref, commit) for ref, commit in choose(session, TransferRequest(tuple(specs))).items()
    ]
    here = [item for item in items if session.payloads.has(item.payload_ref)]
    wanted = [item for item in here if not session.is_removed(item.version, item.commit)]
    holders = _holders(session, wanted) if wanted else {}
    dropped: list[Evicted] = []
    with changing(session.repo, "evict " + " ".join(specs)) as changes:
        for item in here:
            changes.move(item.payload_ref, None, session.repo.ref(item.payload_ref))
            size = item.content.size if item.content is not None else 0
            holder = holders.get(item.payload_ref)
            if holder is None:  # it was removed
                changes.afterwards(partial(cache.forget, item.content))
            dropped.append(Evicted(Kind(item.own.kind), item.own.name, item.own.version, size, holder))
    return dropped


def _holders(session: Session, items: Sequence[Item]) -> Mapping[str, str]:
    """Payload ref → the remote that has just said that it has the very same."""
    names = remotes.candidates(session, None)
    attempts = Attempts(session, names)
    found: dict[str, str] = {}
    for name in names:
        for there in attempts.ask(name, partial(transport.list_refs, session.repo, name)):
            found |= {each.payload_ref: name for each in items if _is_there(session, each, there)} | found
        if len(found) == len(items):
            return found
    if attempts.failures and not found:
        raise next(iter(attempts.failures.values()))
    lacking = next(item for item in items if item.payload_ref not in found)
    more = f" (and of {len(items) - len(found) - 1} more)" if len(items) - len(found) > 1 else ""
    raise PachaError(
        f"no remote has the bytes of {lacking.label}{more}", hint=f"git pacha push {_spec(lacking)}, then evict it"
    )


def _is_there(session: Session, item: Item, there: Mapping[str, Oid]) -> bool:
    here = session.repo.ref(item.payload_ref)
    return here == item.payload_commit == there.get(item.payload_ref)


def _spec(item: Item) -> str:
    return item.version.spec if item.version is not None else item.label
