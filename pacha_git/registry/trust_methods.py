"""What a registry does about trust: signatures, keys, settings and removals; a part of ``Registry``.

It hands on to the verbs, as ``Registry`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pacha_git.registry import verbs
from pacha_git.session.session import Session
from pacha_git.vocabulary.kinds import Kind

if TYPE_CHECKING:
    from pacha_git.progress import Progress
    from pacha_git.session import results
    from pacha_git.trust.change import TrustChange
    from pacha_git.vocabulary.choices import Side
    from pacha_git.vocabulary.kinds import KindWord


class TrustMethods:
    """The methods of ``Registry`` that speak of trust."""

    _session: Session

    def sign(
        self, spec: str, *, kind: Kind | KindWord | None = None, version: str | None = None
    ) -> results.VersionInfo:
        """Vouch for a version with a signature made now."""
        return verbs.attest.sign(self._session, spec, kind=None if kind is None else Kind.parse(kind), version=version)

    def verify(
        self, specs: Sequence[str] = (), *, all: bool = False, progress: Progress | None = None
    ) -> list[results.Verification]:
        """Hash every byte of versions anew, and check their signatures and signers."""
        return verbs.verify.verify(self._session, specs, every=all, progress=progress)

    def claims(self) -> list[results.Claim]:
        """Return the removals that others claim and that nobody decided on here."""
        return verbs.removals.claims(self._session)

    def accept_removal(self, spec: str, *, version: str | None = None) -> results.VersionInfo:
        """Let what others claim of a version count here: its bytes go."""
        return verbs.removals.accept(self._session, spec, version)

    def refuse_removal(self, spec: str, *, version: str | None = None) -> results.VersionInfo:
        """Set aside what others claim of a version, and say so to whoever hears of it from here."""
        return verbs.removals.refuse(self._session, spec, version)

    def refuse_attestation(self, event_id: str) -> None:
        """Set aside here an endorsement or an evaluation, by its id: it no longer counts, nor fails ``verify``.

        Raises:
            NotFound: there is none with this id.
        """
        verbs.attest.refuse(self._session, event_id)

    def untrust_key(self, principal: str) -> list[results.KeyInfo]:
        """Take back that keys are trusted as somebody's; what they signed is signed by nobody trusted from now on.

        Raises:
            NotFound: nobody is trusted by that name.
        """
        return verbs.keys.untrust_key(self._session, principal)

    def trust_key(self, key: str, principal: str) -> results.KeyInfo:
        """Trust a public key (its line, or a file): whoever signs with it is ``principal``."""
        return verbs.keys.trust_key(self._session, key, principal)

    def keys(self) -> list[results.KeyInfo]:
        """Return the keys of this person, and the signers that are trusted here."""
        return verbs.keys.list_keys(self._session)

    def settings(self) -> results.SettingsInfo:
        """Return the settings: what ``registry.toml`` says, and the lines of ``allowed_signers``."""
        return verbs.remotes.show_settings(self._session)

    def layout(self, name: str | None = None, *, dry_run: bool = False) -> results.LayoutInfo:
        """Tell how files are cut here; or move on to another layout, for everything that is registered from now on.

        Args:
            name: The layout to write; None only tells.
            dry_run: Tell what it would cost, and change nothing.

        Raises:
            InvalidInput: no such layout is known here, or it is older than the one that is written.
        """
        return verbs.layouts.change_layout(self._session, name, dry_run=dry_run)

    def adopt_settings(
        self, remote: str, *, prefer: Side | None = None, tell: Callable[[TrustChange], None] | None = None
    ) -> results.SettingsInfo:
        """Take over a remote's settings; ``prefer`` (ours, theirs) settles what both changed.

        ``tell`` is told who would be trusted before anybody is; if it raises, all stays as it was.
        """
        return verbs.remotes.adopt_settings(self._session, remote, prefer, tell)

    def publish_settings(self, remote: str) -> None:
        """Give a remote our settings, such as a signer trusted since, if its own led to them.

        Raises:
            Conflict: it has settings that ours don't know of.
            RemoteError: it can't be reached, or refused.
        """
        verbs.remotes.publish_settings(self._session, remote)
