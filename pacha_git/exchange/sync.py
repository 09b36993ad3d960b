"""Fetch, pull, push and clone: what other machines have, and how this registry takes it over and gives of its own.

It knows the order that keeps readers safe. Looking, checking, choosing, sending and moving bytes are for other modules.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pacha_git.errors import Conflict, NotFound, RemoteError, VerificationFailed
from pacha_git.exchange import bundle_file, remotes, unchanged
from pacha_git.exchange import send as sending
from pacha_git.exchange.fallback import Attempts
from pacha_git.exchange.incoming import adopt_items, adopt_notes
from pacha_git.exchange.look import Look, look
from pacha_git.exchange.pull_payloads import Pulled, pull_payloads
from pacha_git.exchange.selection import TransferRequest, choose, with_lineage
from pacha_git.git.changes import changing, retried
from pacha_git.git.refs.refs import RefMoved
from pacha_git.git.repo import GitRepository
from pacha_git.git.wire import transport
from pacha_git.gitobjects.oid import Oid
from pacha_git.progress import Progress
from pacha_git.session.caller import Caller
from pacha_git.session.claims import claim_warnings
from pacha_git.session.items import Item, differing, read_item, refs_here
from pacha_git.session.results import RefResult, Transfer
from pacha_git.session.session import Session
from pacha_git.store.readme import write_readme
from pacha_git.store.removals import begin_removals
from pacha_git.store.settings import settings_at, write_root
from pacha_git.system.secrets import mask_urls
from pacha_git.trust.change import ANYBODY, Newcomer
from pacha_git.vocabulary.ids import REGISTRY_REF

_UNTOUCHED = "ours is unchanged; ask who changed it there"
_REST_SENT = "ours is unchanged, and the rest was sent; ask who changed it there"
_SOUND_ONLY = "all that is sound was taken over, nothing else was touched; git pacha pull --without NAME passes it by"


def fetch(session: Session, remote: str | None, progress: Progress | None = None) -> Transfer:
    """See what a remote has; see ``Registry.fetch``.

    Raises:
        VerificationFailed: a record moved or vanished there, or something new is not sound.
    """
    seen = look(session, remotes.chosen(session, remote), progress)
    seen.raise_problems(_UNTOUCHED)
    refs = tuple(RefResult(ref, "updated") for ref in seen.moved)
    return Transfer(refs, bytes=seen.wire.bytes, objects=seen.wire.objects, remote=seen.remote)


# Pull -----------------------------------------------------------------------------------------------------------------


def pull(session: Session, remote: str | None, wish: TransferRequest, progress: Progress | None = None) -> Transfer:
    """Take over what a remote has; see ``Registry.pull``.

    Raises:
        VerificationFailed: what came is not what it must be; all that is sound was taken over.
        RemoteError: no remote could be reached.
    """
    attempts = Attempts(session, remotes.candidates(session, remote))
    verb = "" if wish.is_selective or wish.payload == "all" or wish.without else "pull"
    seen = attempts.first(lambda name: look(session, name, progress, verb=verb, passes_by=wish.passes_by))
    if seen.quiet:
        return Transfer((), remote=seen.remote, warnings=tuple(attempts.warnings))
    take_over(session, seen)
    attempts.warnings += claim_warnings(session, seen.arrival.results)
    pulled = Pulled(wire=seen.wire)
    rest = _missing(session, wish)
    for name in (seen.remote, *attempts.others(seen.remote)):
        if rest:
            attempts.ask(name, partial(_pull_from, session, name, seen, rest, pulled, progress))
            rest = [item for item in rest if session.repo.ref(item.payload_ref) != item.payload_commit]
    _say_missing(session, seen, wish, rest, attempts)
    if pulled.wire.plain:
        pulled.warnings.append(remotes.plain_warning(seen.remote))
    seen.raise_problems(_SOUND_ONLY)
    if verb and not seen.moved and not seen.arrival.results:
        unchanged.remember(session, seen.remote, verb, seen.stamp)
    return Transfer(
        tuple(seen.arrival.results), bytes=pulled.wire.bytes, objects=pulled.wire.objects, payloads=pulled.count,
        remote=seen.remote, warnings=(*attempts.warnings, *pulled.warnings),
    )  # fmt: skip


def take_over(session: Session, seen: Look) -> None:
    """Let our refs follow what was last seen, as far as it is sound."""
    before = list(seen.arrival.results)

    def follow(_: bool) -> None:
        seen.arrival.results[:] = before
        with session.deciding("pull") as changes:
            fresh = differing(seen.seen, refs_here(session.repo))
            adopt_notes(session, changes, fresh, seen.arrival)
            adopt_items(session, changes, fresh, seen.arrival)

    retried(session.repo, follow, also=(RefMoved,))  # a run ends whoever decides meanwhile


def _missing(session: Session, wish: TransferRequest) -> list[Item]:
    """The things whose bytes are wanted and are not here: those named, or with ``all`` and none named all of them."""
    if wish.payload == "none" or not (wish.is_selective or wish.payload == "all"):
        return []
    chosen = choose(session, wish)
    if wish.lineage_payloads:
        items: Iterable[Item] = with_lineage(session, chosen).values()
    else:
        items = (read_item(session.repo, ref, commit) for ref, commit in chosen.items())
    return [item for item in items if item.payload_commit not in (None, session.repo.ref(item.payload_ref))]


def _pull_from(
    session: Session, name: str, seen: Look, wanted: Sequence[Item], pulled: Pulled, progress: Progress | None
) -> None:
    """Pull those of the bytes that a remote has."""
    there = seen.there if name == seen.remote else transport.list_refs(session.repo, name)
    having = [item for item in wanted if there.get(item.payload_ref) == item.payload_commit]
    having = [item for item in having if not session.is_removed(item.version, item.commit)]
    pull_payloads(session, name, having, seen.arrival, pulled, progress)


def _say_missing(session: Session, seen: Look, wish: TransferRequest, rest: Sequence[Item], attempts: Attempts) -> None:
    """A transfer that broke off is an error, and so are bytes that were asked for by name and that nobody has."""
    failed = attempts.failures.get(seen.remote)
    if rest and (failed is not None or (wish.specs and attempts.failures)):
        raise failed or next(iter(attempts.failures.values()))
    if not rest or seen.arrival.problems:
        return
    named = choose(session, wish) if wish.specs else {}
    attempts.warnings += [f"{seen.remote} has not the bytes of {item.label}" for item in rest if item.ref not in named]
    item = next((item for item in rest if item.ref in named), None)
    if item is None:
        return
    if session.is_removed(item.version, item.commit):
        assert item.version is not None
        hint = f"git pacha {item.version.kind.noun} get {item.version.spec}"
        raise NotFound(f"the bytes of {item.label} were removed", hint=hint)
    raise NotFound(
        f"{seen.remote} has the record of {item.label}, but not its bytes",
        hint="pull from another remote, or push them from where they are",
    )


# Clone ----------------------------------------------------------------------------------------------------------------


def clone(
    url: str,
    path: Path,
    *,
    payload: str,
    progress: Progress | None,
    caller: Caller,
    newcomer: Newcomer = ANYBODY,
) -> None:
    """Make a registry from a remote one; see ``Registry.clone``.

    Nothing is left behind if it fails, but what is sound of a remote that has something else, too.
    """
    wish = TransferRequest(payload=payload)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Conflict(
            f"{path} exists already", hint="name another place, or add it there as a remote: git pacha remote add"
        )
    existed = path.exists()
    try:
        session = _clone_into(url, path, newcomer, progress=progress, caller=caller)
        unsound = None if session is None else _pulled(session, wish, progress)
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        if existed:
            path.mkdir()
        if isinstance(error, RemoteError):  # there is no registry yet that would list a remote
            tried = f"git ls-remote {mask_urls(url)} says more"
            raise type(error)(error.message, hint=error.hint.replace(transport.LISTED, tried)) from None
        raise
    if unsound is not None:
        raise unsound


def _pulled(session: Session, wish: TransferRequest, progress: Progress | None) -> VerificationFailed | None:
    """Pull into a new registry; what is wrong with the remote, once all else was taken over."""
    try:
        pull(session, "origin", wish, progress)
    except VerificationFailed as error:
        return VerificationFailed(error.message, hint=f"{session.path} has all that is sound of it")
    return None


def _clone_into(
    url: str,
    path: Path,
    newcomer: Newcomer,
    *,
    progress: Progress | None,
    caller: Caller,
) -> Session | None:
    """Make the registry that a clone is to be; what of it is still to be pulled is the caller's."""
    repo = GitRepository.create(path)
    begin_removals(repo)
    if Path(url).is_file():
        bundle_file.adopt_registry(repo, Path(url), newcomer)
        bundle_file.import_(Session(path, caller), Path(url), progress, is_origin=True)
        return None
    transport.add_remote(repo, "origin", remotes.located(url))
    _adopt_registry(repo, url, newcomer)
    session = Session(path, caller)
    session.repo.refs.is_new = True
    return session


def _adopt_registry(repo: GitRepository, url: str, newcomer: Newcomer) -> None:
    """Take over the settings of what is to be cloned: a registry without them is none."""
    there = transport.list_refs(repo, "origin")
    if REGISTRY_REF not in there:
        raise RemoteError(
            f"{mask_urls(url)} is no registry",
            hint="push one to it first: git pacha init; git pacha remote add origin URL; git pacha push",
        )
    with remotes.quarantined(repo, "origin", [there[REGISTRY_REF]]) as side, changing(repo, "clone") as changes:
        newcomer.meet(settings_at(side.repo, there[REGISTRY_REF]).signers)
        changes.take_in(side.packs)
        write_root(repo, changes)
        write_readme(repo, changes)
        changes.move(REGISTRY_REF, there[REGISTRY_REF], None)


# Push -----------------------------------------------------------------------------------------------------------------


def push(
    session: Session, remote: str | None, wish: TransferRequest, dry_run: bool = False, progress: Progress | None = None
) -> Transfer:
    """Give a remote what it has not; see ``Registry.push``."""
    name = remotes.chosen(session, remote)
    verb = "" if wish.is_selective or wish.payload is not None or dry_run else "push"
    first = look(session, name, progress, verb=verb)
    if first.quiet:
        return Transfer((), remote=name)
    looks = [first]
    selection = sending.select(session, wish)

    def refresh() -> Look:
        """Look at the remote, and unite its events with ours."""
        seen = looks.pop() if looks else look(session, name, progress)
        ours = refs_here(session.repo)
        notes = {ref: oid for ref, oid in differing(seen.seen, ours).items() if selection.has_notes(ref)}
        if notes:
            retried(session.repo, partial(unite, notes, seen), also=(RefMoved,))
        return seen

    def unite(notes: Mapping[str, Oid], seen: Look, _: bool) -> None:
        with session.deciding("push") as changes:
            adopt_notes(session, changes, notes, seen.arrival)

    done = sending.send(session, name, selection, refresh, dry_run=dry_run, progress=progress)
    first.raise_broken(_REST_SENT)
    done = replace(done, warnings=(*done.warnings, *(f"{name}: {each}" for each in first.arrival.problems)))
    if verb and not done.refs and not first.moved:
        unchanged.remember(session, name, verb, first.stamp)
    return done
