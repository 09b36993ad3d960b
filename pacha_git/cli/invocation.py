"""What was asked for beside the command itself: the global flags, and the registry they mean."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from click import Context

from pacha_git import Kind

if TYPE_CHECKING:
    from pacha_git import Collection, Registry


@dataclass(slots=True)
class Invocation:
    """One run of the program; the flags are filled in while its words are read.

    ``notices`` are of the registry, and are told when the command has ended.
    ``inherited`` is what Git told us of another repository than the registry: the one that a hook runs in.
    """

    program: str
    words: tuple[str, ...] = ()
    registry: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    inherited: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def invocation(ctx: Context) -> Invocation:
    """Return the invocation that a command runs in."""
    asked = ctx.obj
    assert isinstance(asked, Invocation)
    return asked


def registry_path(ctx: Context) -> Path | None:
    """Tell where ``--registry`` points; None if it was not given."""
    said = invocation(ctx).registry
    return Path(said) if said else None


def registry(ctx: Context, *, healed: bool = False) -> Registry:
    """Open the registry that is meant; ``healed``: after a repair, if it is too damaged to be opened."""
    from pacha_git import PersonalKeys, Registry

    keys = PersonalKeys(_ask_passphrase if sys.stdin.isatty() else None)
    path = registry_path(ctx)
    opened = Registry.open_healed(path, keys=keys) if healed else Registry.open(path, keys=keys)
    invocation(ctx).notices += opened.notices
    return opened


@cache
def _ask_passphrase(key: Path) -> str:
    """Ask whoever sits at the terminal, once."""
    from getpass import getpass

    try:
        return getpass(f"Passphrase of {key}: ")
    except EOFError:  # Ctrl-D: none is given
        return ""


def noun_kind(ctx: Context) -> Kind:
    """Return the kind whose noun (model, data, recipe) the command was said under."""
    assert ctx.parent is not None
    assert ctx.parent.info_name is not None
    return Kind.parse(ctx.parent.info_name)


def collection(ctx: Context) -> Collection:
    """Return the part of the registry that the noun means."""
    return registry(ctx).collection(noun_kind(ctx))
