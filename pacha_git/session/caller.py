"""Who works on a registry: what the session is handed, so that nothing below the face looks around by itself.

What the command line and ``Registry.open`` do not name is looked up in ``caller``, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pacha_git.format.grammar import check_identity
from pacha_git.session.identity import Acting, git_identity
from pacha_git.session.signing import Keys, PersonalKeys
from pacha_git.store.records import StoredRecord

if TYPE_CHECKING:
    pass

Project = Callable[[StoredRecord], dict[str, Any]]
"""What the catalogue keeps of a record beside the record itself."""

Actor = Callable[[], str]
"""Says who acts, as ``Name <email>``; it raises where nobody can be named."""

Clock = Callable[[], float]
"""Says what time it is, in seconds since 1970."""


class Caller(NamedTuple):
    """Who works on a registry, and what the catalogue is to keep for that.

    Attributes:
        project: What the catalogue keeps of a record.
        actor: Who acts; asked for each act.
        clock: What time it is.
        keys: The keys that sign.
    """

    project: Project
    actor: Actor
    clock: Clock
    keys: Keys

    def now(self) -> Acting:
        """Return the actor, acting at this moment.

        Raises:
            PachaError: nobody can be named.
        """
        return Acting(self.actor(), int(self.clock()))


def caller(
    project: Project, *, actor: str | Actor | None = None, clock: Clock | None = None, keys: Keys | None = None
) -> Caller:
    """Whoever is named; for what is not, the person whom Git knows, this machine's clock, the keys in that one's home.

    Raises:
        InvalidInput: an actor that can't stand in a commit.
    """
    if isinstance(actor, str):
        actor = partial(check_identity, actor)
        actor()  # refused now rather than when something is to be written
    return Caller(project, actor or git_identity, clock or time.time, keys or PersonalKeys())
