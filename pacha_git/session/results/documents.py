"""What the verbs of cards and datasheets return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pacha_git.session.results.plain import Json, plain
from pacha_git.vocabulary.kinds import Kind


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """What is wrong with a card or datasheet, and where: lines and columns count from 1, None where none is known."""

    line: int | None
    column: int | None
    key: str
    message: str

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


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
        problems: What is wrong with it.
        by: Who wrote it, as that person says.
        signed_by: Whose good signature it bears; None if it bears none.
    """

    kind: Kind
    name: str
    version: str
    key: str
    text: str | None
    source: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    missing: tuple[str, ...] = ()
    problems: tuple[DocumentProblem, ...] = ()
    by: str | None = None
    signed_by: str | None = None

    def to_json(self) -> Json:
        """Return all fields; the text under its key."""
        return {**plain(self, leave_out=("key", "text")), self.key: self.text}
