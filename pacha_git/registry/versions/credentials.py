"""Looks for credentials in the small text files and documents of a version before it is registered.

It looks at so few that nobody waits for it. What counts as a credential is said in ``system.secrets``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final

from pacha_git.errors import PachaError
from pacha_git.store.payload.sources import FoundFile

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


# One of these stands in whatever ``system.secrets`` finds: nearly all files are done with after this look.
_HINTS: Final = (
    b"pass", b"pwd", b"secret", b"token", b"key", b"credential", b"://", b"-----begin ", b"akia", b"asia", b"gh", b"gl",
    b"hf_", b"api_org_", b"sk-", b"xox", b"aiza", b"ya29", b"gocspx", b"pypi-", b"npm_", b"_live_", b"_test_", b"dapi",
    b"dckr_pat", b"_v1_", b"sg.", b"eyj",
)  # fmt: skip
_SEAM: Final = b"\n"


def credentials_in(files: Sequence[FoundFile], documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Say where something looks like a credential: ``PATH, line N: what``, never the value."""
    texts = [*documents.items(), *_small_texts(files)]
    every = _SEAM.join([data for _, data in texts]).lower()
    if not any(hint in every for hint in _HINTS):
        return ()
    return tuple(f"{name}, {said}" for name, data in texts for said in _in_text(data))


def _small_texts(files: Sequence[FoundFile]) -> Iterator[tuple[str, bytes]]:
    ranked = [(rank, file) for file in files if 0 < file.size <= _LARGEST and (rank := _rank(file.path)) is not None]
    ranked.sort(key=itemgetter(0))
    left = _MOST_BYTES
    for _, file in ranked[:_MOST_FILES]:
        left -= file.size
        if left < 0:
            return
        try:
            descriptor = os.open(file.location, os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.read(descriptor, file.size)
            finally:
                os.close(descriptor)
        except OSError:
            continue  # whoever stores it says so
        yield file.path, data


def told(found: Sequence[str], *, strict: bool) -> tuple[str, ...]:
    """Tell what a person is told of it.

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


def _rank(path: str) -> int | None:
    name = path[path.rfind("/") + 1 :].lower()
    stem, dot, suffix = name.rpartition(".")
    suffix = dot + suffix if dot else ""
    if suffix in _SETTINGS or name in _SETTINGS or stem in _SETTINGS or stem.startswith(".env"):
        return 0
    return 1 if suffix in _TEXT else None


def _in_text(data: bytes) -> Iterator[str]:
    lowered = data.lower()
    if b"\0" not in data[:8192] and any(hint in lowered for hint in _HINTS):
        from pacha_git.system import secrets  # 5 ms to load

        for secret in secrets.find(data.decode("utf-8", "replace")):
            yield f"line {secret.line}: {secret.what}"
