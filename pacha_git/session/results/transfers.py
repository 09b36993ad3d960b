"""What moved between machines, and how they stand to one another."""

from __future__ import annotations

from dataclasses import dataclass

from pacha_git.session.results.plain import Json, plain


@dataclass(frozen=True, slots=True)
class RefResult:
    """What became of one ref in a transfer: new, updated, up-to-date, removed, conflict, rejected, skipped, lost."""

    ref: str
    result: str
    detail: str = ""

    def to_json(self) -> Json:
        """ref, result, and detail where there is one."""
        return plain(self, leave_out=() if self.detail else ("detail",))


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a fetch, pull or push moved. ``bytes`` as they crossed the wire; ``payloads`` moved whole or in part."""

    refs: tuple[RefResult, ...]
    bytes: int = 0
    objects: int = 0
    payloads: int = 0
    warnings: tuple[str, ...] = ()
    remote: str = ""
    dry_run: bool = False

    @property
    def conflicts(self) -> tuple[RefResult, ...]:
        """The refs that were refused because both sides have something else there."""
        return tuple(result for result in self.refs if result.result == "conflict")

    def to_json(self) -> Json:
        """``{refs, bytes, objects, payloads}``."""
        return plain(self, leave_out=("warnings", "refs", "dry_run", "remote")) | {
            "refs": [r.to_json() for r in self.refs]
        }


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a bundle has: its refs, how many versions and runs (their lineage too) and payloads, its bytes on disk."""

    file: str
    bytes: int
    refs: tuple[str, ...]
    versions: int
    payloads: int
    since: str | None = None

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """How this registry stands to one remote, by what was last fetched."""

    remote: str
    url: str
    ahead: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    diverged: tuple[str, ...] = ()
    settings_differ: bool = False
    settings_older: bool = False
    fetched: bool = False

    def to_json(self) -> Json:
        """Return all fields."""
        return plain(self)


@dataclass(frozen=True, slots=True)
class Status:
    """What stands out in this registry, and how it stands to its remotes. The bytes of ``lost`` ones are nowhere."""

    path: str
    thin: tuple[str, ...]
    unsigned: tuple[str, ...]
    crossing: tuple[str, ...]
    remotes: tuple[RemoteStatus, ...]
    lost: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Return all fields, remotes as objects."""
        return plain(self, leave_out=("remotes",)) | {"remotes": [r.to_json() for r in self.remotes]}
