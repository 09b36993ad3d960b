"""pacha-git: a registry for models, datasets, recipes and runs that is a Git repository.

``Registry`` opens one; everything that ``git pacha`` does is a method. Errors are below ``PachaError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pacha_git.errors import (
    Ambiguous,
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    PachaError,
    RemoteError,
    VerificationFailed,
)

if TYPE_CHECKING:
    from pacha_git.registry.collections import Collection
    from pacha_git.registry.registry import Registry
    from pacha_git.registry.runs.live import Run

__version__ = "0.1.0"
__all__ = [
    "Ambiguous",
    "Collection",
    "Conflict",
    "Corrupt",
    "InvalidInput",
    "NotFound",
    "PachaError",
    "Registry",
    "RemoteError",
    "Run",
    "VerificationFailed",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load what is heavy only when it is used (PEP 562): ``git pacha version`` needs none of it."""
    if name == "Registry":
        from pacha_git.registry.registry import Registry

        return Registry
    if name == "Run":
        from pacha_git.registry.runs.live import Run

        return Run
    if name == "Collection":
        from pacha_git.registry.collections import Collection

        return Collection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
