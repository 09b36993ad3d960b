"""Which kinds have a document that people write, and what each should say; it knows the declarations alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pacha_git.format.documents.card import CARD
from pacha_git.format.documents.datasheet import DATASHEET
from pacha_git.format.documents.document import Document, DocumentRules, parse_document
from pacha_git.vocabulary.kinds import Kind

RULES: Final[Mapping[Kind, DocumentRules]] = {Kind.MODEL: CARD, Kind.DATASET: DATASHEET}


def check_document(kind: Kind, data: bytes) -> Document:
    """Read the document of a kind and collect all its problems.

    Args:
        kind: model or dataset.
        data: Its bytes.
    """
    return parse_document(data, RULES[kind])
