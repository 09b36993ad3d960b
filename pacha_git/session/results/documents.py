"""What the verbs of cards and datasheets return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pacha_git.session.results.plain import Json, plain


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """The newest card or datasheet of a version, and what there is to say of it.

    Attributes:
        kind: model or dataset; with ``name`` and ``version`` it is whose document it is.
        key: ``card`` or ``datasheet``.
        text: The document; None if there is none.
        source: ``record`` (as registered), ``attestation`` (set since), or None.
        metadata: Its front matter, as JSON holds it.
        missing: Sections that it should have.
        problems: ``{line, column, key, message}`` each.
    """

    kind: str
    name: str
    version: str
    key: str
    text: str | None
    source: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    missing: tuple[str, ...] = ()
    problems: tuple[Json, ...] = ()

    def to_json(self) -> Json:
        """All fields; the text under its key."""
        return {**plain(self, leave_out=("key", "text")), self.key: self.text}
