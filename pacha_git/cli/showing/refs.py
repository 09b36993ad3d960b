"""Says refs as people do: ``model fraud 1.0.0`` for its record, its bytes, the events of its name.

It knows the grammar of refs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pacha_git import REGISTRY_REF, InvalidInput, NotesRef, PayloadRef, RunId, parse_ref
from pacha_git.cli.showing.units import counted

_NOTES: Final = {"_events": "stages and aliases", "_attestations": "tags, texts and signatures"}


def ref_in_words(ref: str) -> str:
    """Say what a ref holds; a ref that is none of ours is said as it is."""
    return _read(ref)[1]


def refs_in_words(refs: Iterable[str]) -> str:
    """Count what refs hold: ``2 versions, 1 run, 1 payload, the events of 1 name``; empty if nothing of that."""
    held: dict[str, set[str]] = {}
    for ref in refs:
        sort, _, what = _read(ref)
        held.setdefault(sort, set()).add(what)
    parts = [counted(len(held[sort]), sort) for sort in ("version", "run", "payload") if sort in held]
    parts += [f"the events of {counted(len(held['events']), 'name')}"] if "events" in held else []
    return ", ".join([*parts, *(["settings"] if "settings" in held else [])])


def _read(ref: str) -> tuple[str, str, str]:
    """Tell what sort of thing a ref holds, how that is said, and of which version or name."""
    try:
        found = parse_ref(ref)
    except InvalidInput:
        return "", ref, ref
    if isinstance(found, NotesRef):
        name = f"{found.kind.noun} {found.name}"
        return "events", f"{_NOTES[found.what]} of {name}", name
    if found is not None:
        item, is_payload = found.id, isinstance(found, PayloadRef)
        if isinstance(item, RunId):
            return (
                ("payload", f"points and artifacts of run {item}", ref) if is_payload else ("run", f"run {item}", ref)
            )
        version = f"{item.kind.noun} {item.name} {item.version}"
        return ("payload", f"bytes of {version}", ref) if is_payload else ("version", version, ref)
    return ("settings", "settings", ref) if ref == REGISTRY_REF else ("", ref, ref)
