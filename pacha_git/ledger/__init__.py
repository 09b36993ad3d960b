"""What sets of lines come to: stages, aliases, history, attestations."""

from __future__ import annotations

from pacha_git.ledger.attestations import Attestations, Attested, fold_attestations
from pacha_git.ledger.events import Ledger, LedgerEntry, fold
from pacha_git.ledger.notes import MergeCommit, encode_note, merge_commit, merge_notes, parse_note, union
from pacha_git.ledger.registers import EventStatus
from pacha_git.ledger.stages import INITIAL, LEGAL, steps

__all__ = [
    "INITIAL",
    "LEGAL",
    "Attestations",
    "Attested",
    "EventStatus",
    "Ledger",
    "LedgerEntry",
    "MergeCommit",
    "encode_note",
    "fold",
    "fold_attestations",
    "merge_commit",
    "merge_notes",
    "parse_note",
    "steps",
    "union",
]
