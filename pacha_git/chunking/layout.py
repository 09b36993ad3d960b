"""The declaration of a layout: every number that decides where bytes are cut and grouped; it cuts nothing itself.

Reading never needs a layout. Writing is pinned by it: two writers that cut differently share nothing, so a change to
any number here is a new layout with a new name. docs/format.md states the rules, tests/golden/chunking.json fixes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Layout:
    """How files are cut. All sizes are bytes.

    Attributes:
        name: What manifests call it.
        whole_file_limit: Files up to this size are stored whole, larger ones in chunks.
        minimum: The least a content-defined cut leaves; only the end of a segment leaves less.
        average: Where the mask changes from the strict to the easy one (FastCDC's normalisation point).
        maximum: The most a chunk may have.
        normalization: Bits added to the strict mask and taken from the easy one.
        tensor_minimum: Tensors of at least this size begin and end on a cut.
        group_least: Chunks that a group has at least, unless the file ends.
        group_most: Chunks that a group has at most.
        group_mask: A group may close at a chunk whose oid's last byte has none of these bits.
        cuts_at_parts: Whether members of zip and tar, pages of Parquet and frames of zstd are cut as tensors are.
    """

    name: str
    whole_file_limit: int
    minimum: int
    average: int
    maximum: int
    normalization: int
    tensor_minimum: int
    group_least: int
    group_most: int
    group_mask: int
    cuts_at_parts: bool = False


FIRST: Final = Layout(
    name="pacha-cdc-1",
    whole_file_limit=262_144,
    minimum=16_384,
    average=65_536,
    maximum=262_144,
    normalization=1,
    tensor_minimum=16_384,
    group_least=16,
    group_most=64,
    group_mask=15,
)
"""What a registry writes whose settings name no layout."""
NEWEST: Final = replace(FIRST, name="pacha-cdc-2", cuts_at_parts=True)
"""What a new registry writes."""
LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType({layout.name: layout for layout in (FIRST, NEWEST)})


def layout_named(name: object) -> Layout:
    """Return the layout that a registry's settings name; the newest that is known here if it is a newer one.

    Bytes are readable under any layout, so a client that does not know one writes beside it what it does know.
    """
    if name is None:
        return FIRST
    return LAYOUTS.get(str(name), NEWEST)


class Grouper:
    """Says after which chunks a group ends; one for each file."""

    def __init__(self, layout: Layout = FIRST) -> None:
        self._layout = layout
        self._held = 0

    def push(self, oid: bytes) -> bool:
        """Take the next chunk (its raw Git oid); whether the group closes after it."""
        self._held += 1
        layout = self._layout
        closes = self._held >= layout.group_most or (
            self._held >= layout.group_least and not oid[-1] & layout.group_mask
        )
        if closes:
            self._held = 0
        return closes
