"""Pulls payloads: small ones together, large ones part by part so that it can go on where it was cut off.

It knows which bytes are missing and checks every one before a ref holds them; which are wanted is its callers'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from blake3 import blake3

from pacha_git.errors import Corrupt, PachaError, VerificationFailed
from pacha_git.exchange.incoming import Arrival
from pacha_git.exchange.look import on_progress
from pacha_git.format.commits import payload_commit
from pacha_git.format.record import Content, check_content
from pacha_git.git.changes import Changes, SharedObjectGone, changing, retried
from pacha_git.git.packs.writer import PackWriter
from pacha_git.git.side import Side, passing, resumable
from pacha_git.git.wire import fetch as fetching
from pacha_git.git.wire.fetch import ObjectRefused, WantRefused
from pacha_git.git.wire.transport import Moved
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.progress import Progress
from pacha_git.session.items import Item
from pacha_git.session.results import RefResult
from pacha_git.session.session import Session
from pacha_git.store.payload.check import MANIFEST_LIMIT, check_payload
from pacha_git.store.payload.reader import Payload
from pacha_git.store.payload.tree import payload_tree
from pacha_git.store.targets import target_payload_ref
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import PAYLOAD_ROOT, ROOT_COMMIT

T = TypeVar("T")

PART_BYTES: Final = 64 << 20
# Shallow in both: every registry has it, and nothing is behind it.
_BOTH_HAVE: Final = Oid(ROOT_COMMIT)
_HAVES: Final = 512
_SLACK: Final = 64 << 20


@dataclass(slots=True)
class Pulled:
    """What pulling payloads came to."""

    wire: Moved = field(default_factory=Moved)
    count: int = 0
    warnings: list[str] = field(default_factory=list)


def pull_payloads(
    session: Session,
    remote: str,
    items: Sequence[Item],
    arrival: Arrival,
    pulled: Pulled,
    progress: Progress | None,
) -> None:
    """Fetch payloads that a remote has and that are not here, check every byte, and only then let refs hold them.

    Raises:
        RemoteError: it can't be reached, or broke off; what had arrived of a large payload is kept for the next time.
    """
    unit: list[Item] = []
    for item in items:
        if _size(item) > PART_BYTES:
            try:
                _pull_large(session, remote, item, arrival, pulled, progress)
            except ObjectRefused as error:
                arrival.refuse(item.payload_ref, error.message)
            continue
        if unit and sum(map(_size, unit)) + _size(item) > PART_BYTES:
            _pull_together(session, remote, unit, arrival, pulled, progress)
            unit = []
        unit.append(item)
    if unit:
        _pull_together(session, remote, unit, arrival, pulled, progress)


def _pull_together(
    session: Session,
    remote: str,
    items: Sequence[Item],
    arrival: Arrival,
    pulled: Pulled,
    progress: Progress | None,
) -> None:
    """Fetch several small payloads at once; where Git refuses an object, each by itself, and only the bad ones stay."""

    def attempt(_: bool) -> None:
        before = len(arrival.results)
        try:
            _pull_unit(session, remote, items, arrival, pulled, progress)
        except SharedObjectGone:
            del arrival.results[before:]
            raise

    try:
        retried(session.repo, attempt)  # a gc may free what was here, and so did not come
    except ObjectRefused as error:
        if len(items) == 1:
            arrival.refuse(items[0].payload_ref, error.message)
            return
        for item in items:
            _pull_together(session, remote, [item], arrival, pulled, progress)


def _size(item: Item) -> int:
    return item.content.size if item.content is not None else 0


def _pull_unit(
    session: Session,
    remote: str,
    items: Sequence[Item],
    arrival: Arrival,
    pulled: Pulled,
    progress: Progress | None,
) -> None:
    with passing(session.repo) as side:
        commits = [item.payload_commit for item in items if item.payload_commit is not None]
        most = sum(_size(item) + _overhead(item) for item in items) + _SLACK
        pulled.wire.add(
            fetching.fetch(
                side, remote, commits, haves=_haves(session, items), shallow=_BOTH_HAVE, most=most,
                on_progress=on_progress(progress, "pull"),
            )
        )  # fmt: skip
        _keep(session, side, items, arrival, pulled, progress)


def _overhead(item: Item) -> int:
    """Bytes that trees, headers and incompressible data may add to a payload."""
    return (_size(item) >> 4) + 1024 * (item.content.file_count if item.content is not None else 0)


def _keep(
    session: Session,
    side: Side,
    items: Sequence[Item],
    arrival: Arrival,
    pulled: Pulled,
    progress: Progress | None,
) -> None:
    """Check what arrived, move what is sound among our objects, and let refs hold it."""
    sound = check_arrived(side, items, arrival, progress)
    if not sound.items:
        return
    commits = [item.payload_commit for item in sound.items if item.payload_commit is not None]
    with changing(session.repo, "pull " + " ".join(item.payload_ref for item in sound.items)) as changes:
        hold_arrived(session, changes, side, sound, arrival)
        changes.take_in(side.packs if len(sound.items) == len(items) else side.only(commits))
    pulled.count += len(sound.items)


@dataclass(slots=True)
class Sound:
    """Payloads of which every byte was checked, and what was learnt from it: BLAKE3 and oid of each piece, raw."""

    items: list[Item] = field(default_factory=list)
    digests: list[tuple[bytes, bytes]] = field(default_factory=list)


def check_arrived(side: Side, items: Sequence[Item], arrival: Arrival, progress: Progress | None) -> Sound:
    """Check every byte of payloads that lie in a side repository; what is wrong with one, the arrival is told."""
    sound = Sound()
    try:
        side.refuse_larger(MANIFEST_LIMIT)
    except Corrupt as error:
        for item in items:
            arrival.refuse(item.payload_ref, error.message)
        return sound
    for item in items:
        assert item.content is not None
        assert item.payload_commit is not None
        report = None if progress is None else _reporting(progress, f"check {item.label}", item.content.size)
        try:
            check_payload(
                side.repo, item.payload_commit, item.content, progress=report,
                seen=lambda oid, block: sound.digests.append((blake3(block).digest(), oid.raw)),
            )  # fmt: skip
            sound.items.append(item)
        except PachaError as error:
            arrival.refuse(item.payload_ref, error.message)
    return sound


def hold_arrived(session: Session, changes: Changes, side: Side, sound: Sound, arrival: Arrival) -> None:
    """Let refs of ours hold payloads that were checked, before what arrived is moved among our objects."""
    changes.rely_on(_shared(side, sound.items))
    changes.afterwards(lambda: _remember(session, sound.items, sound.digests))
    for item in sound.items:
        changes.move(item.payload_ref, item.payload_commit, session.repo.ref(item.payload_ref))
        # Another pull may bring the same.
        changes.resolve_with(item.payload_ref, lambda _changes, update, _now: update.new)
        arrival.results.append(RefResult(item.payload_ref, "new"))


def _remember(session: Session, items: Iterable[Item], digests: Sequence[tuple[bytes, bytes]]) -> None:
    """Tell the side index what came, so that what is registered next shares it."""
    session.index.add_chunks(digests)
    for item in items:
        content, commit = item.content, item.payload_commit
        if content is not None and commit is not None:
            session.index.add_files(content.layout, session.payloads.read(content).lines, item.payload_ref, commit)


def _reporting(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(what, done, total)


def _shared(side: Side, items: Iterable[Item]) -> set[Oid]:
    """Objects of these payloads that did not come: they were here, and must be still."""
    every: set[Oid] = set()
    for item in items:
        if item.content is not None and item.payload_commit is not None:
            every |= {item.payload_commit, Oid(item.content.tree), Oid(item.content.manifest)}
            every.update(_objects(side, item.content))
    return every.difference(side.arrived())


def _objects(side: Side, content: Content) -> Iterator[Oid]:
    for line in Payload(side.repo, content).lines:
        for part, _ in line.parts or ():
            yield part
            if line.stored == "chunked":
                yield from (entry.oid for entry in parse_tree(side.repo.read_as(part, "tree")))


def _haves(session: Session, items: Iterable[Item]) -> list[Oid]:
    """Payloads that are here, the nearest first: of the same names, of the lineage, then any."""
    refs = session.repo.refs_below(PAYLOAD_ROOT)
    near: dict[Oid, None] = {}
    for item in items:
        folder = item.payload_ref.rpartition("/")[0] + "/"
        near.update({oid: None for ref, oid in refs.items() if ref.startswith(folder)})
        for target in item.targets:
            ref = target_payload_ref(target)
            if ref in refs:
                near[refs[ref]] = None
    near.update(dict.fromkeys(refs.values()))
    return list(near)[:_HAVES]


# Large ones -----------------------------------------------------------------------------------------------------------


def _pull_large(
    session: Session,
    remote: str,
    item: Item,
    arrival: Arrival,
    pulled: Pulled,
    progress: Progress | None,
) -> None:
    assert item.payload_commit is not None
    with resumable(session.repo, item.payload_commit) as side:
        if session.repo.ref(item.payload_ref) == item.payload_commit:
            side.discard()
            return  # another process was at it while we waited
        try:
            _fetch_parts(session, remote, side, item, pulled, progress)
        except WantRefused as error:
            side.discard()
            pulled.warnings.append(f"{remote} can't resume a pull that is cut off; {error.hint}")
            _pull_together(session, remote, [item], arrival, pulled, progress)
            return
        except VerificationFailed as error:
            side.discard()
            arrival.refuse(item.payload_ref, error.message)
            return
        try:
            _keep(session, side, [item], arrival, pulled, progress)
        finally:
            side.discard()


def _fetch_parts(
    session: Session, remote: str, side: Side, item: Item, pulled: Pulled, progress: Progress | None
) -> None:
    """Fetch the manifest, then what is missing of its parts, each time one part more; then build the trees above."""
    content = item.content
    assert content is not None
    haves = _haves(session, [item])
    manifest = Oid(content.manifest)
    if not side.repo.has(manifest):
        pulled.wire.add(fetching.fetch(side, remote, [manifest], haves=haves[:1], most=MANIFEST_LIMIT))
    side.refuse_larger(MANIFEST_LIMIT)
    lines = Payload(side.repo, content).lines
    check_content(content, lines)
    parts = {oid: size for line in lines for oid, size in line.parts or ()}
    done = sum(parts.values())
    absent = set(side.repo.missing(parts))
    missing = {oid: size for oid, size in parts.items() if oid in absent}
    done -= sum(missing.values())
    for batch in batches(missing, PART_BYTES):
        most = sum(batch.values()) * 2 + _SLACK
        pulled.wire.add(
            fetching.fetch(side, remote, list(batch), haves=haves, shallow=_BOTH_HAVE if haves else None, most=most)
        )
        done += sum(batch.values())
        if progress is not None:
            progress(f"pull {item.label}", done, content.size)
    side.refuse_larger(MANIFEST_LIMIT)
    _fetch_holes(remote, side, content, pulled)
    with PackWriter(side.repo.objects, reason="upper trees") as writer:
        tree = payload_tree(lines, side.repo.read_as(manifest, "blob"), writer.add)  # type: ignore[arg-type]
        if tree != content.tree:
            raise VerificationFailed("the tree of the payload is not what its manifest spells")
        writer.add("commit", payload_commit(tree, Address(content.address)))
        writer.finish()


def _fetch_holes(remote: str, side: Side, content: Content, pulled: Pulled) -> None:
    """Fetch single chunks that a tree which was here already names, and that a collection has taken meanwhile."""
    holes = side.repo.missing(set(_objects(side, content)))
    for start in range(0, len(holes), 256):
        pulled.wire.add(fetching.fetch(side, remote, holes[start : start + 256], most=_SLACK * 2))


def batches(sizes: Mapping[T, int], most: int) -> Iterator[dict[T, int]]:
    """Consecutive runs of objects that together have at most so many bytes (one alone may have more)."""
    batch: dict[T, int] = {}
    total = 0
    for oid, size in sizes.items():
        if batch and total + size > most:
            yield batch
            batch, total = {}, 0
        batch[oid] = size
        total += size
    if batch:
        yield batch
