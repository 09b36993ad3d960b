"""What a pull or push is about: SPECs, patterns, a stage, a kind, with or without bytes, and whose.

It knows how a wish is said and which versions and runs answer to it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacha_git.errors import InvalidInput, NotFound
from pacha_git.format.kinds import ITEM_ROOTS
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger.events import Ledger
from pacha_git.session.items import Item, read_item
from pacha_git.session.resolve import find, resolve
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import read_ledger
from pacha_git.store.runs import commits as run_commits
from pacha_git.store.targets import target_ref
from pacha_git.vocabulary.choices import parse_payload_choice
from pacha_git.vocabulary.ids import NOTES_ROOT, PAYLOAD_ROOT, REF_ROOT, RunId, VersionId, parse_record_ref
from pacha_git.vocabulary.kinds import KIND_WORDS, VERSIONED_KINDS, Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.specs import Spec, parse_selector
from pacha_git.vocabulary.stages import Stage

_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """What is to move.

    Attributes:
        specs: SPECs, or patterns as in ``fraud*``, ``model:fraud*@production``, ``fraud*@2.*``; none for everything.
        payload: all, none, or None for what is usual.
        stage: Only versions in this stage.
        kind: Only this kind.
        lineage_payloads: Also the bytes of everything that they come from.
        without: What of the remote is passed by: names, with or without their kind, ``run:ID``, or refs.

    Raises:
        InvalidInput: a word that can't be.
    """

    specs: tuple[str, ...] = ()
    payload: str | None = None
    stage: str | None = None
    kind: str | None = None
    lineage_payloads: bool = False
    without: tuple[str, ...] = ()

    def passes_by(self, ref: str) -> bool:
        """Tell whether a ref of the remote is to be passed by."""
        return any(_speaks_of(word, ref) for word in self.without)

    def __post_init__(self) -> None:
        """Refuse what can't be."""
        if self.payload is not None:
            parse_payload_choice(self.payload)
        if self.stage is not None:
            Stage.parse(self.stage)
        if self.kind is not None:
            Kind.parse(self.kind)
        if self.payload == "none" and self.lineage_payloads:
            raise InvalidInput("--lineage-payloads with --payload none", hint="give one of them")

    @property
    def is_selective(self) -> bool:
        """Whether anything less than everything is meant."""
        return bool(self.specs or self.stage or self.kind)


def _speaks_of(word: str, ref: str) -> bool:
    """Tell whether a word of ``without`` means a ref: a name has its versions, its payloads and its events."""
    if word.startswith("refs/"):
        return ref == word
    head, colon, rest = word.partition(":")
    kind = KIND_WORDS.get(head.lower()) if colon else None
    kinds = [kind] if kind is not None else list(Kind)
    name = rest if kind is not None else word
    roots = (REF_ROOT, NOTES_ROOT, PAYLOAD_ROOT)
    for root in roots:
        for each in kinds:
            prefix = f"{root}{each.plural}/{name}"
            if ref == prefix or (ref.startswith(prefix + "/") and "/" not in ref[len(prefix) + 1 :]):
                return True
    return False


def choose(session: Session, wish: TransferRequest) -> dict[str, Oid]:
    """Return the versions and runs that a wish names, by ref.

    Raises:
        NotFound: nothing answers to it.
        InvalidInput: a SPEC that can't be read.
    """
    chosen: dict[str, Oid] = {}
    for text in wish.specs:
        chosen |= dict(_matching(session, text) if _GLOB & set(text) else _named(session, text))
    if not wish.specs:
        for root in ITEM_ROOTS:
            chosen |= session.repo.refs_below(root)
    kept = {ref: oid for ref, oid in chosen.items() if _fits(session, wish, ref)} if wish.kind else chosen
    if wish.stage is not None:
        kept = _in_stage(session, kept, Stage.parse(wish.stage))
    if wish.is_selective and not kept:
        said = " ".join([*wish.specs, *filter(None, (wish.kind, wish.stage))])
        raise NotFound(f"nothing here answers to {said}", hint="git pacha model list --all shows what there is")
    return kept


def _named(session: Session, text: str) -> Iterator[tuple[str, Oid]]:
    head, _, rest = text.partition(":")
    if KIND_WORDS.get(head.lower()) is Kind.RUN:
        yield RunId(rest).ref, run_commits.read_run(session.repo, rest).commit
        return
    version, commit = resolve(session, text)
    yield version.ref, commit


def _matching(session: Session, text: str) -> Iterator[tuple[str, Oid]]:
    """Yield everything that a pattern means; of a name without a selector all versions."""
    head, colon, rest = text.partition(":")
    said = KIND_WORDS.get(head.lower()) if colon else None
    pattern, at, selector = (rest if said else text).partition("@")
    found = False
    for kind in (said,) if said else VERSIONED_KINDS:
        if kind is Kind.RUN:
            matching = [(RunId(run).ref, oid) for run, oid in run_commits.all_runs(session.repo).items()]
            yield from ((ref, oid) for ref, oid in matching if fnmatch.fnmatchcase(ref.rpartition("/")[2], pattern))
            continue
        for name in records.names_of(session.repo, kind):
            if fnmatch.fnmatchcase(name, pattern):
                found = True
                yield from _versions(session, kind, name, selector if at else None)
    if not found and said is not Kind.RUN:
        raise NotFound(f"nothing here answers to {text}", hint="git pacha model list shows what there is")


def _versions(session: Session, kind: Kind, name: Name, selector: str | None) -> Iterator[tuple[str, Oid]]:
    if selector is None or _GLOB & set(selector):
        for version, commit in records.versions_of(session.repo, kind, name).items():
            if selector is None or fnmatch.fnmatchcase(str(version), selector):
                yield VersionId(kind, name, version).ref, commit
        return
    try:
        version_id, commit = find(session, Spec(name, parse_selector(selector), kind))
    except NotFound:
        return  # a name of which nothing is in that stage, say
    yield version_id.ref, commit


def _fits(session: Session, wish: TransferRequest, ref: str) -> bool:
    return wish.kind is None or ref.startswith(f"refs/pacha/{Kind.parse(wish.kind).plural}/")


def _in_stage(session: Session, chosen: dict[str, Oid], stage: Stage) -> dict[str, Oid]:
    ledgers: dict[tuple[Kind, Name], Ledger] = {}
    kept: dict[str, Oid] = {}
    for ref, commit in chosen.items():
        version = parse_record_ref(ref)
        if version is None:
            continue
        name = (version.kind, version.name)
        if name not in ledgers:
            ledgers[name] = read_ledger(session.repo, *name, keeps=False)
        if ledgers[name].stage(commit) is stage:
            kept[ref] = commit
    return kept


def with_lineage(session: Session, chosen: dict[str, Oid]) -> dict[str, Item]:
    """Return the items chosen, and everything that they come from, as it lies here."""
    found: dict[str, Item] = {}
    queue = list(chosen)
    while queue:
        ref = queue.pop()
        commit = session.repo.ref(ref)
        if ref in found or commit is None:
            continue
        found[ref] = read_item(session.repo, ref, commit)
        queue += [target_ref(target) for target in found[ref].targets]
    return found
