"""Looks for credentials in the small text files and documents of a version before it is registered.

It looks at so few that nobody waits for it. What counts as a credential is said in ``system.secrets``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.store.payload.sources import FoundFile
from pacha_git.system import secrets

_MOST_FILES: Final = 200
_LARGEST: Final = 64 << 10
_MOST_BYTES: Final = 2 << 20
_TOLD: Final = 5
# What people keep settings in comes first, then other text.
_SETTINGS: Final = frozenset(
    [
        ".env",
        ".envrc",
        ".netrc",
        ".pypirc",
        ".npmrc",
        ".pgpass",
        ".pem",
        ".key",
        ".cfg",
        ".conf",
        ".ini",
        ".toml",
        ".yaml",
        ".yml",
        ".json",
        ".properties",
        ".sh",
        "credentials",
        "config",
        "id_rsa",
        "id_ed25519",
        "id_ecdsa",
    ]
)
_TEXT: Final = frozenset(
    [*[".py", ".ipynb", ".md", ".txt", ".rst", ".r", ".js", ".ts", ".tf", ".xml", ".log", ".sql"], ""]
)


def credentials_in(files: Sequence[FoundFile], documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Say where something looks like a credential: ``PATH, line N: what``, never the value."""
    found = [f"{name}, {said}" for name, data in documents.items() for said in _in_text(data)]
    left = _MOST_BYTES
    ranked = [(rank, file) for file in files if (rank := _rank(file)) is not None]
    for _, file in sorted(ranked, key=lambda each: each[0])[:_MOST_FILES]:
        left -= file.size
        if left < 0:
            break
        try:
            data = Path(file.location).read_bytes()
        except OSError:
            continue  # whoever stores it says so
        found += [f"{file.path}, {said}" for said in _in_text(data)]
    return tuple(found)


def told(found: Sequence[str], *, strict: bool) -> tuple[str, ...]:
    """What a person is told of it.

    Raises:
        PachaError: something was found, and ``strict``.
    """
    if found and strict:
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        raise PachaError(
            f"this looks like a credential: {found[0]}{more}", hint="take it out, or --exclude the file; then change it"
        )
    notices = [f"Warning: this looks like a credential, and travels with every push: {each}" for each in found[:_TOLD]]
    if len(found) > _TOLD:
        notices.append(f"Warning: {len(found) - _TOLD} more look like one; --strict refuses to register them")
    return tuple(notices)


def _rank(file: FoundFile) -> int | None:
    if not 0 < file.size <= _LARGEST:
        return None
    name = file.path.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    if f".{suffix}" in _SETTINGS or name in _SETTINGS or stem in _SETTINGS or stem.startswith(".env"):
        return 0
    return 1 if (f".{suffix}" if dot else "") in _TEXT else None


def _in_text(data: bytes) -> Iterator[str]:
    if b"\0" not in data[:8192]:
        for secret in secrets.find(data.decode("utf-8", "replace")):
            yield f"line {secret.line}: {secret.what}"
