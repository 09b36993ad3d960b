"""Says refs as people do: ``model fraud 1.0.0`` for its record, its bytes, the events of its name.

It knows the grammar of refs, and refuses to know what any of them points at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pacha_git import REGISTRY_REF, InvalidInput, parse_notes_ref, parse_payload_ref, parse_record_ref
from pacha_git.cli.showing.units import counted

_RUN: Final = re.compile(r"refs/pacha/(payload/)?runs/([0-9a-f-]{36})\Z")
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
    """What sort of thing a ref holds, how that is said, and of which version or name."""
    run = _RUN.match(ref)
    if run is not None:
        return ("payload", f"points and artifacts of run {run[2]}", ref) if run[1] else ("run", f"run {run[2]}", ref)
    try:
        version, payload, notes = parse_record_ref(ref), parse_payload_ref(ref), parse_notes_ref(ref)
    except InvalidInput:
        return "", ref, ref
    if payload is not None:
        return "payload", f"bytes of {payload.kind.noun} {payload.name} {payload.version}", ref
    if version is not None:
        return "version", f"{version.kind.noun} {version.name} {version.version}", ref
    if notes is not None:
        kind, name, what = notes
        return "events", f"{_NOTES[what]} of {kind.noun} {name}", f"{kind.noun} {name}"
    return ("settings", "settings", ref) if ref == REGISTRY_REF else ("", ref, ref)
