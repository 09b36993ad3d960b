"""The remotes of a registry, and its settings as a remote has them.

It knows which remote is meant and how two settings become one; moving objects is transport's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pacha_git.errors import Conflict, Corrupt, InvalidInput, NotFound, PachaError, RemoteError
from pacha_git.format.settings import encode_settings, merge_settings
from pacha_git.git.changes import Changes, changing, retried
from pacha_git.git.refs.refs import RefMoved
from pacha_git.git.repo import GitRepository
from pacha_git.git.side import Side, passing
from pacha_git.git.wire import fetch as fetching
from pacha_git.git.wire import push as pushing
from pacha_git.git.wire import transport
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.results import SettingsInfo
from pacha_git.session.session import Session
from pacha_git.store.settings import StoredSettings, settings_at, write_settings
from pacha_git.system.environment import expanded
from pacha_git.system.secrets import mask_urls
from pacha_git.trust.change import Tell, change_of, without_keys
from pacha_git.trust.signers import Signers
from pacha_git.vocabulary.ids import NOTES_ROOT, REF_ROOT, REGISTRY_REF

DEFAULT: Final = "origin"
TRACKING_ROOT: Final = "refs/remotes/"
_SMALL: Final = 64 << 20
_FEW: Final = 100


def list_remotes(session: Session) -> list[tuple[str, str]]:
    """Name and URL of every remote, by name; passwords are left out of the URLs."""
    return sorted((name, mask_urls(url)) for name, url in transport.remotes(session.repo).items())


def add(session: Session, name: str, url: str) -> str:
    """Name a remote, and return its URL as it is kept; errors as ``transport.add_remote``."""
    kept = located(url)
    transport.add_remote(session.repo, name, kept)
    return mask_urls(kept)


def located(url: str) -> str:
    """Give a URL as it is; a folder, there already or not, by its whole path: git reads it from wherever one stands."""
    before = url.partition("/")[0]
    is_folder = url and not url.startswith("-") and (":" not in before or Path(url).is_dir())
    return str(expanded(url).absolute()) if is_folder else url


def remove(session: Session, name: str) -> None:
    """Forget a remote and what was last seen of it.

    Raises:
        NotFound: there is none of this name.
    """
    transport.remove_remote(session.repo, name)

    def forget(_: bool) -> None:
        with changing(session.repo, f"remote remove {name}") as changes:
            for ref, oid in session.repo.refs_below(f"refs/remotes/{name}/").items():
                changes.move(ref, None, oid)

    retried(session.repo, forget, also=(RefMoved,))


def chosen(session: Session, name: str | None) -> str:
    """Return the remote that is meant: the named one, else origin, else the only one.

    Raises:
        NotFound: there is none, or none of this name.
        InvalidInput: several, and none named.
    """
    known = transport.remotes(session.repo)
    if name is not None:
        if name not in known:
            raise NotFound(f"no remote {name}", hint=f"git pacha remote add {name} URL")
        return name
    if DEFAULT in known:
        return DEFAULT
    if not known:
        raise NotFound("no remote is known", hint="git pacha remote add origin URL")
    if len(known) > 1:
        raise InvalidInput("several remotes, and none named", hint="one of " + ", ".join(sorted(known)))
    return next(iter(known))


def candidates(session: Session, name: str | None) -> list[str]:
    """Return the remotes that may be asked, in order: the named one alone, else origin and then the others.

    Raises:
        NotFound: there is none, or none of this name.
    """
    known = sorted(transport.remotes(session.repo), key=lambda each: (each != DEFAULT, each))
    return known if name is None and known else [chosen(session, name)]


def plain_warning(remote: str) -> str:
    """Tell what a person should know of a server that fails where Git's own compares."""
    return f"{remote} can't be told to compare payloads, as Git's own servers can: whole ones move, whatever is there"


@contextmanager
def quarantined(repo: GitRepository, remote: str, wants: Sequence[Oid]) -> Iterator[Side]:
    """Yield a side repository into which a few small things were fetched, and nothing that can't be one."""
    with passing(repo) as side:
        fetching.fetch(side, remote, wants, most=_SMALL)
        if side.largest() > _SMALL:
            raise Corrupt(f"{remote} has an object of over {_SMALL >> 20} MiB where its settings should be")
        yield side


def tracking(remote: str, ref: str) -> str:
    """Tell where the last-seen copy of a remote's ref is kept."""
    if ref.startswith(NOTES_ROOT):
        return f"refs/remotes/{remote}/pacha/notes/{ref[len(NOTES_ROOT) :]}"
    return f"refs/remotes/{remote}/pacha/{ref[len(REF_ROOT) :]}"


def as_there(ref: str) -> str:
    """Return the ref at a remote of which this is the last-seen copy; empty if it is none."""
    rest = ref[len(TRACKING_ROOT) :].partition("/pacha/")[2] if ref.startswith(TRACKING_ROOT) else ""
    if not rest:
        return ""
    return NOTES_ROOT + rest[len("notes/") :] if rest.startswith("notes/") else REF_ROOT + rest


def remember(session: Session, changes: Changes, remote: str, refs: Mapping[str, Oid]) -> None:
    """Let the last-seen copies of a remote's refs stand here; of several who look at once the last one holds."""
    known = session.repo.refs_below(f"refs/remotes/{remote}/") if len(refs) > _FEW else None
    for ref, oid in refs.items():
        last = tracking(remote, ref)
        before = session.repo.ref(last) if known is None else known.get(last)
        if before != oid:
            changes.move(last, oid, before)
    changes.resolve_with("refs/remotes/", lambda _changes, update, _now: update.new)


def seen(session: Session, remote: str) -> dict[str, Oid]:
    """Return a remote's refs as they were last seen, by the names that they have there."""
    root = f"refs/remotes/{remote}/pacha/"
    found: dict[str, Oid] = {}
    for ref, oid in session.repo.refs_below(root).items():
        rest = ref[len(root) :]
        found[NOTES_ROOT + rest[len("notes/") :] if rest.startswith("notes/") else REF_ROOT + rest] = oid
    return found


# Settings -------------------------------------------------------------------------------------------------------------


def show_settings(session: Session) -> SettingsInfo:
    """Return the settings, with the signers as lines."""
    stored = session.settings
    return SettingsInfo(stored.settings.values, tuple(stored.signers_file.decode("utf-8", "replace").splitlines()))


def adopt_settings(session: Session, remote: str, prefer: str | None, tell: Tell | None = None) -> SettingsInfo:
    """Take over a remote's settings: as they are if ours led to them, else merged by key and by signer.

    Args:
        session: The registry.
        remote: Whose.
        prefer: Whose hold where both changed the same: ours, theirs, or None.
        tell: Is told who would be trusted before anybody is.

    Raises:
        NotFound: nothing was fetched from that remote.
        Conflict: both changed the same key, and ``prefer`` does not say whose holds.
        InvalidInput: ``prefer`` is neither ours nor theirs.
    """
    if prefer not in (None, "ours", "theirs"):
        raise InvalidInput(f"{prefer!r} is neither ours nor theirs")
    there = session.repo.ref(tracking(chosen(session, remote), REGISTRY_REF))
    if there is None:
        raise NotFound(f"no settings of {remote} are known", hint=f"git pacha fetch {remote}")
    acting = session.acting()
    with session.deciding("settings adopt") as changes:
        ours, theirs = session.settings, settings_at(session.repo, there)
        history = _history(session, ours.commit)
        if there in history:
            return show_settings(session)
        forward = ours.commit in _history(session, there)
        toml, signers = (theirs.toml, theirs.signers) if forward else _united(session, ours, theirs, prefer)
        change = change_of(ours.signers, signers, theirs.signers, _earlier(session, history))
        if change and tell is not None:
            tell(change)
        if forward:
            changes.move(REGISTRY_REF, there, ours.commit)
        else:
            write_settings(
                changes,
                toml,
                signers.encode(),
                parents=[ours.commit, there],
                old=ours.commit,
                identity=acting.identity,
                seconds=acting.seconds,
                message=f"adopt the settings of {remote}\n",
                others={entry[1]: entry for entry in (*theirs.others, *ours.others)}.values(),
            )
    return show_settings(session)


def _earlier(session: Session, history: Iterable[Oid]) -> Iterator[Signers]:
    """Whom each of the settings that led to ours trusted."""
    for commit in history:
        with suppress(PachaError):
            yield settings_at(session.repo, commit).signers


def _united(
    session: Session, ours: StoredSettings, theirs: StoredSettings, prefer: str | None
) -> tuple[bytes, Signers]:
    """Merge theirs into ours; keys that were taken off here stay off, unless theirs hold."""
    history = _history(session, ours.commit)
    common = next((c for c in _history(session, theirs.commit) if c in history), None)
    toml, file = _merged(settings_at(session.repo, common) if common else None, ours, theirs, prefer)
    signers = Signers.parse(file)
    if prefer != "theirs":
        change = change_of(ours.signers, signers, theirs.signers, _earlier(session, history))
        signers = without_keys(signers, [key.fingerprint for key in change.back])
    return toml, signers


def publish_settings(session: Session, remote: str) -> None:
    """Give a remote our settings, if its own led to them.

    Raises:
        NotFound: no such remote.
        Conflict: it has settings that ours don't know of.
        RemoteError: it can't be reached, or refused.
    """
    name, ours = chosen(session, remote), session.settings.commit
    there = transport.list_refs(session.repo, name).get(REGISTRY_REF)
    if there is not None and there not in _history(session, ours):
        raise Conflict(
            f"{name} has settings that ours don't know of",
            hint=f"git pacha fetch {name}; git pacha settings adopt {name}",
        )
    if there != ours:
        pushed, _ = pushing.push(session.repo, name, {REGISTRY_REF: ours})
        for refused in (result for result in pushed if not result.ok):
            raise RemoteError(f"{name} refused the settings: {refused.summary}", hint="may you write there?")
    with changing(session.repo, f"settings publish {name}") as changes:
        remember(session, changes, name, {REGISTRY_REF: ours})


def settings_stand(session: Session, theirs: Oid | None) -> str:
    """Tell how a remote's settings stand to ours: equal (or not known), older (they led to ours), or other."""
    ours = session.settings.commit
    if theirs is None or theirs == ours:
        return "equal"
    return "older" if theirs in _history(session, ours) else "other"


def _history(session: Session, commit: Oid) -> dict[Oid, None]:
    """Return all commits that led to settings, nearest first."""
    found: dict[Oid, None] = {}
    queue = [commit]
    while queue:
        here = queue.pop(0)
        if here not in found:
            found[here] = None
            queue.extend(split_commit(session.repo.read_as(here, "commit")).parents)
    return found


def _merged(
    base: StoredSettings | None, ours: StoredSettings, theirs: StoredSettings, prefer: str | None
) -> tuple[bytes, bytes]:
    # Two registries made apart have different ids from birth: ours stays, which is no conflict.
    shared_id = {"registry": ours.settings.registry}
    adjusted = type(theirs.settings)(
        ours.settings.registry, theirs.settings.policy, {**theirs.settings.values, **shared_id}
    )
    try:
        merged = merge_settings(base.settings if base else None, ours.settings, adjusted)
    except Conflict:
        if prefer is None:
            raise
        merged = ours.settings if prefer == "ours" else adjusted
    return encode_settings(merged), _merged_signers(base, ours, theirs)


def _merged_signers(base: StoredSettings | None, ours: StoredSettings, theirs: StoredSettings) -> bytes:
    """Line by line: what either side added is there, what either side took away is not."""
    before = set(base.signers_file.splitlines()) if base else set()
    mine, other = ours.signers_file.splitlines(), theirs.signers_file.splitlines()
    kept = [line for line in mine if line in other or line not in before]
    kept += [line for line in other if line not in mine and line not in before]
    return Signers.parse(b"".join(line + b"\n" for line in kept)).encode()
