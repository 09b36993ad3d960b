"""Lists names and versions, and counts what is here.

It asks the catalogue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.registry.reading.view import RowSource
from pacha_git.session.resolve import no_such_name
from pacha_git.session.results import ListedName, ListedVersion, Stats, VersionInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.catalogue.rows import Row
from pacha_git.vocabulary.ids import parse_payload_ref
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.stages import Stage


def list_versions(
    session: Session,
    kind: Kind,
    name: str | None = None,
    *,
    stage: str | None = None,
    tags: Mapping[str, str] | None = None,
    every: bool = False,
    removed: bool = False,
) -> list[VersionInfo]:
    """List versions.

    Args:
        session: The registry.
        kind: The kind.
        name: All versions of this name, ascending by SemVer; None: of every name its latest (``NameInfo``).
        stage: Only versions in this stage; without a name, of each name the highest of them.
        tags: Only versions that have all of these tags.
        every: Every version of every name.
        removed: Also versions whose payload was removed.

    Raises:
        NotFound: no such name.
        InvalidInput: an unknown stage, or a bad name.
    """
    wanted = Stage.parse(stage).value if stage is not None else None

    def fits(row: Row) -> bool:
        if (wanted is not None and row.stage != wanted) or (row.removed and not removed):
            return False
        return not tags or _has_tags(tags, row.tags)

    source = RowSource(session)
    if name is not None:
        rows = session.catalogue.rows(kind, Name.parse(name))
        if not rows:
            raise no_such_name(session, kind, name)
        return [ListedVersion.of(source, row) for row in rows if fits(row)]
    if every:
        return [ListedVersion.of(source, row) for row in session.catalogue.rows(kind) if fits(row)]
    if wanted is None and not tags:
        latest = [(row, count) for row, count in session.catalogue.latest_rows(kind) if fits(row)]
    else:
        latest = _highest(session.catalogue.rows(kind), fits)
    return [ListedName.of(source, row, count) for row, count in latest]


def _highest(rows: Iterable[Row], fits: Callable[[Row], bool]) -> list[tuple[Row, int]]:
    """Return the highest fitting version of each name, with how many versions the name has (rows ascend by version)."""
    counts: Counter[str] = Counter()
    best: dict[str, Row] = {}
    for row in rows:
        counts[row.name] += 1
        if fits(row):
            best[row.name] = row
    return [(row, counts[name]) for name, row in best.items()]


def _has_tags(wanted: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    return all(tags.get(key) == value for key, value in wanted.items())


def stats(session: Session) -> Stats:
    """Count what is here: bytes as registered are those of payloads that are here, on disk those of Git's objects."""
    totals = session.catalogue.totals()
    names = {kind: totals.get(kind.value, (0, 0, 0))[0] for kind in Kind}
    return Stats(
        models=names[Kind.MODEL],
        datasets=names[Kind.DATASET],
        recipes=names[Kind.RECIPE],
        runs=len(session.repo.refs_below("refs/pacha/runs/")),
        versions=sum(versions for _, versions, _ in totals.values()),
        payload_bytes=sum(size for _, _, size in totals.values()),
        stored_bytes=stored_bytes(session),
        chunks=_count_chunks(session),
    )


def stored_bytes(session: Session) -> int:
    """Bytes that all objects take on disk."""
    return sum(file.stat().st_size for file in session.repo.objects.rglob("*") if file.is_file())


def _count_chunks(session: Session) -> int:
    """Tell how many distinct blobs hold the payloads that are here; each group's tree is read once."""
    found: set[Oid] = set()
    groups: set[Oid] = set()
    for ref in session.payloads.held():
        version = parse_payload_ref(ref)
        if version is None or session.repo.ref(version.ref) is None:
            continue
        content = records.read_version(session.repo, version).record.content
        for line in session.payloads.read(content).lines if content is not None else ():
            parts = [oid for oid, _ in line.parts or ()]
            if line.stored == "blob":
                found.update(parts)
                continue
            for group in parts:
                if group not in groups:
                    groups.add(group)
                    found.update(entry.oid for entry in parse_tree(session.repo.read_as(group, "tree")))
    return len(found)
