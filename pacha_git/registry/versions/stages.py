"""Moves versions between stages and aliases between versions, and tells who moved what: the events of a name.

It knows which moves a person means; whether one is legal, and what a history comes to, is the ledger's.
"""

from __future__ import annotations

from pacha_git.errors import InvalidInput, NotFound, PachaError
from pacha_git.format.event import Statement
from pacha_git.format.record import Target
from pacha_git.format.settings import SINGLE_STEPS
from pacha_git.gitobjects.oid import Oid
from pacha_git.ledger import stages as ways
from pacha_git.ledger.events import Ledger
from pacha_git.ledger.statements import alias_event, stage_event
from pacha_git.registry.reading.view import info
from pacha_git.session.resolve import no_such_name, resolve
from pacha_git.session.results import HistoryEntry, StageChange, VersionInfo
from pacha_git.session.session import Session
from pacha_git.store import records
from pacha_git.store.events import EVENTS, append, read_ledger
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Alias, Name
from pacha_git.vocabulary.specs import parse_spec
from pacha_git.vocabulary.stages import Stage


def stage(
    session: Session,
    spec: str,
    target: str,
    *,
    kind: Kind,
    version: str | None = None,
    reason: str | None = None,
    replace: bool = False,
    sign: bool | None = None,
) -> StageChange:
    """Move a version to a stage, recording every step on the way.

    Args:
        session: The registry.
        spec: Which version; it must say one.
        target: The stage, or a synonym.
        kind: The kind.
        version: What stood after ``-v``.
        reason: Why.
        replace: Whether the versions that are in the stage now are archived.
        sign: Whether the events are signed; None: as ``pacha.sign.default`` says.

    Raises:
        InvalidInput: an unknown stage, or no version said.
        NotFound: no such version.
        PachaError: there is no way from its stage to this one, or its payload was removed.
    """
    wanted = Stage.parse(target)
    author = session.author(sign)
    with session.deciding(f"stage {spec}") as changes:
        found, commit = resolve(session, spec, kind=kind, version=version, exact=True)
        _refuse_removed(session, found, commit, wanted)
        ledger = read_ledger(session.repo, found.kind, found.name)
        steps = _steps(session, found, ledger.stage(commit), wanted)
        others = _others_in(session, found, ledger, wanted)
        archived = others if replace else []
        statements = [(records.read(session.repo, commit).target, stage_event(*step)) for step in steps]
        statements += [(_target(session, each), stage_event(wanted, Stage.ARCHIVED)) for each in archived]
        if statements:
            append(session.repo, changes, EVENTS, statements, ledger.tips, author, reason)
    return StageChange(
        kind=found.kind,
        name=found.name,
        version=str(found.version),
        stage=wanted,
        steps=tuple((a.value, b.value) for a, b in steps),
        archived=tuple(str(each.version) for each in archived),
        warnings=() if replace else _warnings(found, others, wanted),
    )


def _refuse_removed(session: Session, version: VersionId, commit: Oid, wanted: Stage) -> None:
    if wanted is Stage.ARCHIVED:
        return
    if session.is_removed(version, commit):
        raise PachaError(f"the payload of {version} was removed", hint="register its bytes as another version")


def _steps(session: Session, version: VersionId, now: Stage, wanted: Stage) -> list[tuple[Stage, Stage]]:
    steps = ways.steps(now, wanted)
    if len(steps) > 1 and session.settings.settings.rule(SINGLE_STEPS):
        raise PachaError(
            f"{version} is in {now.value}: the policy of this registry wants every step taken by itself",
            hint=f"git pacha {version.kind.noun} stage {version.spec} -t {steps[0][1].value}",
        )
    return steps


def _others_in(session: Session, version: VersionId, ledger: Ledger, stage_: Stage) -> list[VersionId]:
    """Return the other versions in a stage, if it is one that people serve from."""
    if stage_ not in (Stage.PRODUCTION, Stage.STAGING):
        return []
    versions = records.versions_of(session.repo, version.kind, version.name)
    return [
        VersionId(version.kind, version.name, other)
        for other, commit in versions.items()
        if other != version.version and ledger.stage(commit) is stage_
    ]


def _warnings(version: VersionId, others: list[VersionId], wanted: Stage) -> tuple[str, ...]:
    higher = [other for other in others if other.version > version.version]
    if not higher:
        return ()
    best = max(higher, key=lambda other: other.version)
    return (
        f"{best.version} is in {wanted.value} too, so {version.name}@{wanted.value} stays {best.version};"
        " --replace archives the others",
    )


def _target(session: Session, version: VersionId) -> Target:
    return records.read_version(session.repo, version).target


def alias(
    session: Session,
    name: str,
    word: str,
    *,
    kind: Kind,
    version: str | None = None,
    unset: bool = False,
    reason: str | None = None,
    sign: bool | None = None,
) -> VersionInfo:
    """Let an alias name a version, or nothing.

    Returns:
        The version that it names now, or that it named before it was unset.

    Raises:
        InvalidInput: a word that can't be an alias, or both or neither of a version and ``unset``.
        NotFound: no such version, or no such alias to unset.
    """
    chosen = Alias.parse(word)
    if unset == (version is not None or parse_spec(name).selector is not None):
        raise InvalidInput("say a version with -v, or --unset", hint=f"as in alias {name} {word} -v 1.0.0")
    author = session.author(sign)
    with session.deciding(f"alias {name} {word}") as changes:
        found, commit = _aliased(session, name, chosen, kind) if unset else resolve(
            session, name, kind=kind, version=version, exact=True
        )  # fmt: skip
        ledger = read_ledger(session.repo, found.kind, found.name)
        if unset or ledger.aliases.get(chosen) != commit:
            stored = records.read(session.repo, commit)
            said: Statement = alias_event(chosen, "unset" if unset else "set")
            append(session.repo, changes, EVENTS, [(stored.target, said)], ledger.tips, author, reason)
    return info(session, records.read(session.repo, commit))


def _aliased(session: Session, name: str, word: Alias, kind: Kind) -> tuple[VersionId, Oid]:
    spec = parse_spec(name).with_kind(kind)
    commit = read_ledger(session.repo, kind, spec.name).aliases.get(word)
    if commit is None:
        raise NotFound(f"{spec.name} has no alias {word}", hint=f"git pacha {kind.noun} history {spec.name}")
    return records.read(session.repo, commit).id, commit


def history(session: Session, name: str, *, kind: Kind) -> list[HistoryEntry]:
    """Return everything that ever happened to the stages and aliases of a name, oldest first.

    Raises:
        NotFound: no such name.
    """
    spec = parse_spec(name).with_kind(kind)
    versions = records.versions_of(session.repo, kind, spec.name)
    if not versions:
        raise no_such_name(session, kind, spec.name)
    from pacha_git.registry.reading.history import shown

    only = resolve(session, name, kind=kind)[1] if spec.selector is not None else None
    return [entry for commit, entry in shown(session, kind, Name(spec.name)) if only is None or commit == only]
