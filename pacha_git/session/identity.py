"""Who is acting, and when; and the name and email by which Git knows the person at the keyboard."""

from __future__ import annotations

import os
from typing import NamedTuple

from pacha_git.errors import InvalidInput, PachaError
from pacha_git.format.grammar import check_identity, time_text
from pacha_git.session import gitconfig


class Acting(NamedTuple):
    """Someone doing something now: ``Name <email>``, and seconds since 1970."""

    identity: str
    seconds: int

    @property
    def at(self) -> str:
        """The time as ``YYYY-MM-DDTHH:MM:SSZ``."""
        return time_text(self.seconds)


def git_identity() -> str:
    """``Name <email>`` as Git would write it: from ``GIT_AUTHOR_*``, else ``author.*``, ``user.*``, ``EMAIL``.

    Raises:
        PachaError: there is none, or it can't stand in a commit.
    """
    name, email = _said("name"), _said("email") or os.environ.get("EMAIL")
    if not name or not email:
        raise PachaError(
            "Git does not know who you are",
            hint='git config --global user.name "Your Name"; git config --global user.email you@example.org',
        )
    try:
        return check_identity(f"{name.strip()} <{email.strip()}>")
    except InvalidInput as error:
        raise PachaError(error.message, hint=error.hint) from None


def _said(what: str) -> str | None:
    """The ``name`` or ``email`` of the author, in Git's order; that of the committer before the settings of both."""
    for role in ("AUTHOR", "COMMITTER"):
        if said := os.environ.get(f"GIT_{role}_{what.upper()}"):
            return said
    return gitconfig.value(f"author.{what}") or gitconfig.value(f"user.{what}")
