"""The settings of a registry, ``registry.toml``: read, written, and merged by key; it knows no policy's meaning.

The format is docs/format.md, "Settings": ``format``, ``registry`` (its UUID), the table ``policy``; others are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.errors import Conflict, Corrupt
from pacha_git.format import toml
from pacha_git.format.record import FORMAT, refuse_newer

SETTINGS_LIMIT: Final = 2**20
SINGLE_STEPS: Final = "single_steps"
REQUIRE_SIGNATURES: Final = "require_signatures"
RULES: Final = (SINGLE_STEPS, REQUIRE_SIGNATURES)

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``registry.toml`` says.

    Attributes:
        registry: The registry's UUID, lowercase; says where an event was made.
        policy: The table of that name; empty if there is none.
        values: Every value of the file, these included.
    """

    registry: str
    policy: Mapping[str, Any] = field(hash=False)
    values: Mapping[str, Any] = field(hash=False, repr=False)

    def rule(self, name: str) -> bool:
        """Tell whether a rule of the policy is set.

        Raises:
            Corrupt: it is neither true nor false: a word in quotes must not pass for "off".
        """
        said = self.policy.get(name, False)
        if not isinstance(said, bool):
            raise Corrupt(
                f"policy.{name} in registry.toml is {said!r}",
                hint=f"it is true or false, as in {name} = true",
            )
        return said


def new_settings(registry: str, layout: str | None = None) -> Settings:
    """Return the settings of a new registry, without a policy, and the layout that it writes.

    Raises:
        Corrupt: ``registry`` is no UUID in lowercase.
    """
    return settings_of({"format": FORMAT, "registry": registry, **({"layout": layout} if layout else {})})


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Check values and take them as settings.

    Raises:
        PachaError: of a newer format.
        Corrupt: a key that is missing or wrong.
    """
    refuse_newer(values.get("format"), "this registry")
    if type(values.get("format")) is not int or values["format"] != FORMAT:
        raise Corrupt(f"registry.toml has no format = {FORMAT}")
    registry, policy = values.get("registry"), values.get("policy", {})
    if not isinstance(registry, str) or not _UUID.match(registry):
        raise Corrupt("registry.toml has no registry, a UUID in lowercase")
    if not isinstance(policy, dict):
        raise Corrupt("policy in registry.toml is no table")
    if not isinstance(values.get("layout", ""), str):
        raise Corrupt("layout in registry.toml is no text")
    return Settings(registry, policy, values)


def parse_settings(data: bytes) -> Settings:
    """Read ``registry.toml``.

    Raises:
        PachaError: of a newer format.
        Corrupt: larger than 1 MiB, no TOML, a key missing or wrong.
    """
    if len(data) > SETTINGS_LIMIT:
        raise Corrupt(f"registry.toml is larger than {SETTINGS_LIMIT} bytes")
    try:
        return settings_of(toml.loads(data.decode("utf-8")))
    except ValueError as error:
        raise Corrupt(f"registry.toml is not a TOML document: {error}") from None


def encode_settings(settings: Settings) -> bytes:
    """Write ``registry.toml``: ``parse_settings(encode_settings(s)) == s``."""
    # Every command reads settings and few write them; the writer is slow to load.
    import tomlkit

    return tomlkit.dumps(settings.values).encode("utf-8")


def merge_settings(base: Settings | None, ours: Settings, theirs: Settings) -> Settings:
    """Merge two settings by key, three ways: what only one side changed is taken from it.

    Args:
        base: What both came from; None if nothing: then a key that only one has is kept.
        ours: Ours.
        theirs: Theirs.

    Raises:
        Conflict: both changed the same keys to different values; it names them.
    """
    conflicts: list[str] = []
    merged = _merge_tables(base.values if base else {}, ours.values, theirs.values, "", conflicts)
    if conflicts:
        raise Conflict(
            f"both sides changed {', '.join(sorted(conflicts))} in the settings",
            hint="say whose hold: git pacha settings adopt REMOTE --ours (or --theirs)",
        )
    return settings_of(merged)


def _merge_tables(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], above: str, conflicts: list[str]
) -> dict[str, Any]:
    """Merge two tables; the dotted keys that both changed go to ``conflicts``."""
    merged: dict[str, Any] = {}
    for key in {**ours, **theirs}:
        before, here, there = (table.get(key, _ABSENT) for table in (base, ours, theirs))
        if isinstance(here, dict) and isinstance(there, dict):
            below = before if isinstance(before, dict) else {}
            merged[key] = _merge_tables(below, here, there, f"{above}{key}.", conflicts)
            continue
        if here != there and before not in (here, there):
            conflicts.append(above + key)
        chosen = there if here == before else here
        if chosen is not _ABSENT:
            merged[key] = chosen
    return merged
