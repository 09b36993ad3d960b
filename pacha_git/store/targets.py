"""The targets of edges: under which ref one lies, and whether it stands as the edge says.

Whoever takes over, checks or sends a record asks here, so that one rule holds everywhere (docs/format.md 17, check 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pacha_git.format.kinds import grows
from pacha_git.format.record import Target
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import records
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import RunId, VersionId, payload_ref_of
from pacha_git.vocabulary.kinds import Kind

Tips = Callable[[str], Iterable[Oid]]
"""The commits at which a ref stands, or is about to stand."""


def target_ref(target: Target) -> str:
    """Spell the ref that an edge's target lies under.

    Raises:
        InvalidInput: its name or version breaks the grammar.
    """
    if target.kind == Kind.RUN.value:
        return RunId(target.name).ref
    return VersionId.parse(Kind(target.kind), target.name, target.version or "").ref


def target_payload_ref(target: Target) -> str:
    """Spell the ref that the bytes of an edge's target lie under."""
    return payload_ref_of(target_ref(target))


def read_target(repo: GitRepository, target: Target) -> Target:
    """Read the commit that an edge names, and say how an edge to it must read.

    Raises:
        NotFound, Corrupt: there is no such record.
    """
    read = run_commits.read if target.kind == Kind.RUN.value else records.read
    return read(repo, Oid(target.commit)).target


def target_problem(
    repo: GitRepository,
    target: Target,
    tips: Tips,
    known: Callable[[str, Oid], Target | None] = lambda ref, commit: None,
) -> str:
    """Say what is wrong with the target of an edge; empty if it stands as the edge says.

    Args:
        repo: Where objects are read.
        target: What the edge names: a version, or a run at one of its commits.
        tips: Where a ref stands.
        known: How an edge to this commit of this ref must read, if that was read before.

    Raises:
        InvalidInput, NotFound, Corrupt: it can't be read.
    """
    ref, wanted = target_ref(target), Oid(target.commit)
    if not any(_leads_to(repo, ref, tip, wanted) for tip in tips(ref)):
        return f"it comes from {target}, which is not here at {wanted[:12]}"
    found = known(ref, wanted) or read_target(repo, target)
    return "" if found == target else f"it comes from {target}, whose record is another"


def _leads_to(repo: GitRepository, ref: str, tip: Oid, wanted: Oid) -> bool:
    """Tell whether a ref that stands at ``tip`` stands at a commit or, for a run, at a later one."""
    return tip == wanted or (grows(ref) and wanted in run_commits.history(repo, tip))
