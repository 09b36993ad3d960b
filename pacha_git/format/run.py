"""What is said of one run: the record ``run.json`` as a value and as bytes, and the commit that carries it.

The format is docs/format.md, "Runs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import blake3
from pydantic import Field, ValidationError, model_validator

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format import canonical
from pacha_git.format.content import Content, check_content, encode_with_content
from pacha_git.format.fields import AddressText, IdentityText, Number, Part, RunIdText, TimeText, first_problem
from pacha_git.format.grammar import timestamp
from pacha_git.format.params import decode_params
from pacha_git.format.record import FORMAT, PARENT_LIMIT, RECORD_LIMIT, Edge, Target, refuse_newer
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import tree_bytes
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.kinds import Kind

RUN_FILE: Final = "run.json"
PARAMS_FILE: Final = "params.toml"
TERMINAL: Final = ("completed", "failed", "cancelled")
STATUSES: Final = ("pending", "running", *TERMINAL)
SERIES_PATH: Final = "metrics.series"
DIFF_PATH: Final = "code.diff"
ARTIFACTS: Final = "artifacts/"

_FILE_MODE: Final = "100644"
_ARMORED: Final = re.compile(r"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END SSH SIGNATURE-----\n\Z")


class SealedMetric(Part):
    """One metric of a run: its value at the highest step, the least and the greatest but for NaN, how many points."""

    last: Number
    min: Number
    max: Number
    steps: Annotated[int, Field(ge=1)]


class RunRecord(Part):
    """A run as one of its commits says it.

    Attributes:
        status: pending, running, completed, failed or cancelled.
        at: When this was said; the date of the commit.
        by: Who said it; the author of the commit.
        params: The address of ``params.toml``.
        inputs: What it worked with; the parents of the first commit.
        metrics: Summaries; the points are payload.
        environment: Command line, Python, packages, platform.
        git: Commit and state of the code; None if it lies in no repository.
        hardware: CPU, memory, GPUs.
        error: Why it failed.
        content: Its payload (series and artifacts), once there is one.
    """

    format: Literal[1] = FORMAT
    kind: Literal["run"] = "run"
    id: RunIdText
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    at: TimeText
    by: IdentityText
    started_at: TimeText
    finished_at: TimeText | None
    params: AddressText
    tags: dict[str, str]
    inputs: list[Edge]
    metrics: dict[str, SealedMetric]
    environment: dict[str, Any]
    git: dict[str, Any] | None
    hardware: dict[str, Any]
    seed: Number | None
    error: str | None
    content: Content | None

    @model_validator(mode="after")
    def _check(self) -> RunRecord:
        if (self.finished_at is not None) != self.is_sealed:
            raise ValueError("finished_at stands in a run that ended, and in no other")
        if self.content is not None and not self.is_sealed:
            raise ValueError("content stands in a run that ended, and in no other")
        problem = _inputs_problem(self)
        if problem:
            raise ValueError(problem)
        return self

    @property
    def is_sealed(self) -> bool:
        """Whether it ended: nothing may come after."""
        return self.status in TERMINAL

    @property
    def parents(self) -> list[Oid]:
        """The record commits of its inputs, each once, in order: the parents of its first commit."""
        return [Oid(commit) for commit in dict.fromkeys(edge.target.commit for edge in self.inputs)]


def _inputs_problem(run: RunRecord) -> str:
    seen: dict[tuple[str, str, str | None], str] = {}
    for edge in run.inputs:
        target = edge.target
        if (target.kind, target.name) == (Kind.RUN.value, run.id):
            return "it would come from itself"
        if seen.setdefault((target.kind, target.name, target.version), target.commit) != target.commit:
            return f"{target} stands for two records among its inputs"
    return f"it has more than {PARENT_LIMIT} inputs" if len(seen) > PARENT_LIMIT else ""


def make_run(values: Mapping[str, Any]) -> RunRecord:
    """Build a run from its values.

    Raises:
        InvalidInput: with the field that can't be so.
    """
    return _validated(values, InvalidInput)


def _validated(values: Mapping[str, Any], error_type: type[PachaError]) -> RunRecord:
    if type(values.get("format", FORMAT)) is not int:
        raise error_type("the format of a run is a whole number")
    try:
        return RunRecord.model_validate(values)
    except ValidationError as error:
        raise error_type(f"bad run {str(values.get('id'))[:40]}: {first_problem(error)}") from None


def encode_run(run: RunRecord) -> bytes:
    """Write ``run.json``: canonical JSON of at most 1 MiB.

    Its list of files is left out from 256 KiB on; of what would still be too much, packages and then the last summaries
    go (``metrics_left_out`` counts those): the series have them all.

    Raises:
        InvalidInput: too large even so, or a value that canonical JSON can't hold.
    """
    value = run.model_dump()
    data = encode_with_content(value)
    return data if len(data) <= RECORD_LIMIT else _shortened(value)


def _shortened(value: dict[str, Any]) -> bytes:
    value["environment"] = {key: item for key, item in value["environment"].items() if key != "packages"}
    everything = list(value["metrics"].items())
    kept = len(everything)
    while kept:
        value["metrics"] = dict(everything[:kept])
        if kept < len(everything):
            value["metrics_left_out"] = len(everything) - kept
        data = canonical.encode(value)
        if len(data) <= RECORD_LIMIT:
            return data
        kept = kept * 3 // 4
    raise InvalidInput(f"{RUN_FILE} of {value['id']} would be over {RECORD_LIMIT} bytes", hint="shorten tags and texts")


def decode_run(data: bytes) -> RunRecord:
    """Read ``run.json``, whoever wrote it.

    Raises:
        PachaError: it was made by a newer pacha-git.
        Corrupt: too large or too deep, not canonical, a key missing or wrong.
    """
    value = canonical.decode(data, limit=RECORD_LIMIT, what=RUN_FILE)
    if not isinstance(value, dict):
        raise Corrupt(f"{RUN_FILE} is no JSON object")
    refuse_newer(value.get("format"), f"the run {str(value.get('id'))[:40]}")
    missing = RunRecord.model_fields.keys() - value.keys()
    if missing:
        raise Corrupt(f"{RUN_FILE} lacks {', '.join(sorted(missing))}")
    return _validated(value, Corrupt)


# The commit ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunCommit:
    """A commit of a run, taken apart and checked as far as its own bytes allow."""

    record: RunRecord
    parents: tuple[Oid, ...]
    signature: str | None
    unsigned: bytes


def run_target(run: RunRecord, data: bytes, commit: Oid) -> Target:
    """Return the run as an edge names it, at one of its commits.

    Args:
        run: What the commit says.
        data: ``run.json``.
        commit: The commit.
    """
    address = Address.of_digest(blake3.blake3(data).digest())
    return Target(kind=Kind.RUN.value, name=run.id, version=None, record=address, commit=commit)


def run_tree(data: bytes, params: bytes) -> bytes:
    """Return the body of a run commit's tree: ``run.json`` and ``params.toml``."""
    files = {RUN_FILE: data, PARAMS_FILE: params}
    return tree_bytes((_FILE_MODE, name.encode("ascii"), git_oid("blob", body)) for name, body in files.items())


def run_commit(
    run: RunRecord, data: bytes, params: bytes, parents: Sequence[Oid], *, signature: str | None = None
) -> bytes:
    """Return the body of a run's commit object.

    Args:
        run: What it says.
        data: ``run.json``, to which it was written.
        params: ``params.toml``.
        parents: The records of its inputs, or the commit before.
        signature: An armored signature over ``run_commit(…)`` without it.
    """
    address = Address.of_digest(blake3.blake3(data).digest())
    trailers = f"Pacha-Kind: run\nPacha-Run: {run.id}\nPacha-Status: {run.status}\nPacha-Record: {address}\n"
    return commit_bytes(
        tree=git_oid("tree", run_tree(data, params)),
        parents=parents,
        identity=run.by,
        seconds=timestamp(run.at),
        message=f"run {run.id}\n\n{trailers}",
        signature=signature,
    )


def check_run_commit(raw: bytes, data: bytes, params: bytes) -> RunCommit:
    """Check a run commit by writing it anew; its parents are taken as they are (``store.runs`` looks at those).

    Args:
        raw: The body of the commit object.
        data: The blob ``run.json`` of its tree.
        params: The blob ``params.toml``.

    Raises:
        PachaError: made by a newer pacha-git.
        Corrupt: with what is not as it must be.
    """
    run = decode_run(data)
    parsed = split_commit(raw)
    decode_params(params)
    if run.params != Address.of_digest(blake3.blake3(params).digest()):
        raise Corrupt(f"{PARAMS_FILE} of run {run.id} is not the one that {RUN_FILE} names")
    if parsed.signature is not None and not _ARMORED.match(parsed.signature):
        raise Corrupt(f"the signature of run {run.id} is no armored SSH signature")
    if run.content is not None and run.content.files is not None:
        check_content(run.content, run.content.files)
    if run_commit(run, data, params, parsed.parents, signature=parsed.signature) != raw:
        raise Corrupt(f"the commit of run {run.id} is not what its {RUN_FILE} spells")
    return RunCommit(run, parsed.parents, parsed.signature, parsed.unsigned)
