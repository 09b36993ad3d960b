"""Keeps the list of removals that count in a registry, outside of Git, and asks the ledger what they come to.

The list is ``pacha/removals``: lines of a word and the hash of a line of attestations, only ever added to. It may be
lost: removals that no trusted key signed are claims then. That a list was begun stands in the configuration, so that a
registry of an older build (which has none, and whose removals all stand) is told from one that lost it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from pacha_git.errors import InvalidInput, PachaError, VerificationFailed
from pacha_git.format.event import HASH, Event, parse_line, signed_part
from pacha_git.git.packs.files import storing
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.attestations import Attestations
from pacha_git.ledger.notes import parse_note
from pacha_git.ledger.removals import CHOICES, KEPT, LEFT, ORIGIN_TOO, WORDS, Removals, Signature, Standing, judge
from pacha_git.store.events import ATTESTATIONS, read_attestations
from pacha_git.store.notes import read_note, read_notes
from pacha_git.system.disk import sync_folder
from pacha_git.vocabulary.ids import NOTES_ROOT
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.trust.signers import Signers

LIST: Final = "pacha/removals"
BEGUN: Final = "pacha.removalsListed"
SETTING: Final = "pacha.removals"
_SERVED: Final = "pacha.served"
_OPEN: Final = re.compile(r"(?im)^\s*(served\s*=\s*true|sharedrepository\s*=\s*(?!0\b|umask\b|false\b)\S)")
_BEGUN: Final = re.compile(r"(?im)^\s*removalslisted\s*=\s*true\s*$")
_MAY_BE_ONE: Final = re.compile(rb'"type":"(?:tombstone|revoke)"')
_NAMESPACE: Final = "pacha-event"


class RemovalList:
    """The removals of one registry.

    Args:
        repo: The registry's repository.
        signers: Tells whom the registry trusts now.
        wanted: Tells what ``pacha.removals`` says; empty if nothing.
    """

    def __init__(self, repo: GitRepository, signers: Callable[[], Signers], wanted: Callable[[], str]) -> None:
        self._repo = repo
        self._signers = signers
        self._wanted = wanted
        self._file = repo.path / LIST

    # What holds ------------------------------------------------------------------------------------------------------

    def of(self, kind: Kind, name: str, attestations: Attestations | None = None) -> Removals:
        """Tell what the tombstones of a name come to here."""
        found = read_attestations(self._repo, kind, name) if attestations is None else attestations
        if not any(about.tombstones for about in found.of.values()):
            return Removals()
        return judge(found, self.standing())

    def standing(self) -> Standing:
        """Tell what the registry knows beside the lines."""
        words = self.words() if self.is_begun else _AllKept()
        signers = self._signers()
        return Standing(words, bool(signers.entries), self.choice(), lambda event: _signature(signers, event))

    def choice(self) -> str:
        """Tell what of others' removals counts.

        Raises:
            InvalidInput: the setting says something else.
        """
        said = self._wanted() or ORIGIN_TOO
        if said not in CHOICES:
            raise InvalidInput(f"{SETTING} is {said!r}", hint=f"git config {SETTING} " + "|".join(CHOICES))
        return said

    def stamp(self) -> str:
        """Return a text that is the same as long as the list, the settings of Git and the signers are."""
        try:
            status = self._file.stat()
            listed = f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
        except OSError:
            listed = ""
        return f"{listed} {self.is_begun} {self._repo.ref('refs/pacha/registry')} {self._wanted()}"

    # The list --------------------------------------------------------------------------------------------------------

    @property
    def is_begun(self) -> bool:
        """Whether a list was ever begun here."""
        return _BEGUN.search((self._repo.path / "config").read_text("utf-8", "replace")) is not None

    def has_left(self, ref: str, event: Event, commit: Oid) -> bool:
        """Whether a line of a notes ref may be known elsewhere: a remote was seen to have it, or others may read here.

        Args:
            ref: The notes ref.
            event: The line.
            commit: The record commit that it is annotated on.
        """
        config = (self._repo.path / "config").read_text("utf-8", "replace")
        if _OPEN.search(config) or LEFT in self.words().get(event.hash, ()):
            return True
        suffix = "/pacha/notes/" + ref.removeprefix(NOTES_ROOT)
        seen = (tip for copy, tip in self._repo.refs_below("refs/remotes/").items() if copy.endswith(suffix))
        return any(event.line in parse_note(read_note(self._repo, tip, commit)) for tip in seen)

    def served(self) -> None:
        """Note that others may read this registry by themselves, now and from now on."""
        if not _OPEN.search((self._repo.path / "config").read_text("utf-8", "replace")):
            self._set(_SERVED)

    def _set(self, key: str) -> None:
        with storing(self._repo.path):
            self._repo.git("config", "--local", key, "true")

    def words(self) -> dict[str, tuple[str, ...]]:
        """Tell what was noted of each line, oldest first; a line of the list that can't be read says nothing."""
        try:
            listed = self._file.read_text("ascii", "replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise PachaError(f"{self._file} can't be read: {error.strerror}", hint="may you read it?") from None
        found: dict[str, tuple[str, ...]] = {}
        for line in listed.split("\n"):
            word, _, key = line.partition(" ")
            if word in WORDS and HASH.match(key):
                found[key] = (*found.get(key, ()), word)
        return found

    def begin(self) -> None:
        """Begin the list; what an older build shows as removed stays so."""
        if self.is_begun:
            return
        refs = self._repo.refs.below(NOTES_ROOT).items()
        before = [event.hash for ref, tip in refs for event in removals_at(self._repo, ref, tip)]
        if before:
            self._add([(KEPT, key) for key in before])
        self._set(BEGUN)

    def note(self, word: str, hashes: Iterable[str]) -> None:
        """Note the same of several lines, durably, unless it is noted already.

        Raises:
            PachaError: the list can't be written.
        """
        self.begin()
        known = self.words()
        fresh = [(word, key) for key in dict.fromkeys(hashes) if known.get(key, ())[-1:] != (word,)]
        if fresh:
            self._add(fresh)

    def _add(self, rows: Iterable[tuple[str, str]]) -> None:
        # A line that a power cut tore stands alone, since each addition begins with a line feed.
        data = ("\n" + "".join(f"{word} {key}\n" for word, key in rows)).encode("ascii")
        with storing(self._repo.path):
            self._file.parent.mkdir(exist_ok=True)
            new = not self._file.exists()
            fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                if new:  # whoever may write the registry may add to it, whatever our umask
                    os.fchmod(fd, self._repo.path.stat().st_mode & 0o666)
                os.write(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_folder(self._file.parent)


class _AllKept(dict[str, tuple[str, ...]]):
    """What a registry knows that has no list yet: whatever is there was there before."""

    def get(self, key: str, default: Any = None) -> tuple[str, ...]:
        return (KEPT,)


def begin_removals(repo: GitRepository) -> None:
    """Let a new registry keep count of the removals that are its own."""
    from pacha_git.trust.signers import Signers

    RemovalList(repo, Signers, str).begin()


def removals_at(repo: GitRepository, ref: str, tip: Oid) -> list[Event]:
    """The tombstones, and the lines that take one back, in a commit of a notes ref; none where it can't be read."""
    if not ref.endswith(f"/{ATTESTATIONS}"):
        return []
    try:
        notes = read_notes(repo, tip)
    except PachaError:
        return []  # fsck's business
    lines = (line for note in notes.values() for line in parse_note(note) if _MAY_BE_ONE.search(line))
    return [event for event in map(parse_line, lines) if event is not None and event.type in ("tombstone", "revoke")]


def _signature(signers: Signers, event: Event) -> Signature:
    if event.sig is None:
        return Signature()
    from pacha_git.trust.verdict import signed_by  # a list of versions goes without it

    try:
        by = signed_by(signers, event.sig, signed_part(event.line), _NAMESPACE, event.at)
    except (VerificationFailed, InvalidInput):
        return Signature()
    return Signature(by.fingerprint, by.principal)
