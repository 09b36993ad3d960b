"""One step of a ref transaction."""

from __future__ import annotations

from typing import NamedTuple

from pacha_git.gitobjects.oid import Oid


class RefUpdate(NamedTuple):
    """One step of a transaction: ``old`` is what must stand there now (None: nothing), ``new`` None deletes.

    With ``new`` equal to ``old`` nothing moves, but the transaction fails if the ref is not at ``old``.
    """

    ref: str
    new: Oid | None
    old: Oid | None
