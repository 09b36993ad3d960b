"""A registry in which every text that somebody else may choose holds what a terminal would act upon."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pacha_git import Registry
from pacha_git.format.record import make_record
from pacha_git.git.changes import changing
from pacha_git.ledger import statements
from pacha_git.ledger.stages import Stage
from pacha_git.store import events, records
from pacha_git.store.events import ATTESTATIONS, EVENTS
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Alias
from tests.making import folder, put, recipe

# Sets colours, titles and the cursor; C1; turned text; line separators; and lines that look like ours.
EVIL: Final = (
    "A\x1b[31mB\x1b]0;T\x07\x9b2J\u202e\u061c\u2028\u2029\x85\x7f\nError: forged\n└── trained-on: data:forged@1.0.0"
)
ACTED_UPON: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A person's name in a commit holds no control of ASCII, but may hold all else.
BY: Final = "Eve \x9b2J\u202e\u2028 <eve@example.org>"
LINE: Final = "\x1b[2J\x9b\u202e\u2066"


def build(path: Path, scratch: Path) -> str:
    """Fill an empty registry; returns the id of its run."""
    made = Registry.open(path)
    made.datasets.register(
        "rows", put(scratch / "rows.csv", b"a\x1b[2J,b\xc2\x9b\n1,2\n"), version="1.0.0", purpose=EVIL
    )
    made.models.register("m", folder(scratch / "m", {"a\u202eb.bin": b"x" * 90, "b": b"y"}), version="1.0.0")
    card = put(scratch / "card.md", f"---\nlicense: mit\ntags: ['\u202e\u0085']\n---\n# H\n\n{EVIL}\n".encode())
    made.models.register("m", put(scratch / "c", b"z"), version="1.1.0", card=card)
    made.recipes.register(recipe(scratch / "recipe.toml"))
    with made.runs.start(params={"lr": 0.1, LINE: LINE}, tags={LINE: EVIL}) as run:
        run.log({"loss": 1.0}, step=0)
    _forge_record(path)
    _forge_run(path, run.id)
    _say(path)
    return run.id


def _forge_record(path: Path) -> None:
    """Add model m 1.2.0: 1.0.0 with other words, from the hand of someone who has no git-pacha."""
    context = Registry.open(path)._session  # what the face offers refuses such words
    honest = records.read_version(context.repo, VersionId.parse(Kind.MODEL, "m", "1.0.0"))
    data = records.read_version(context.repo, VersionId.parse(Kind.DATASET, "rows", "1.0.0"))
    values: dict[str, Any] = honest.record.model_dump() | {
        "version": "1.2.0", "created_by": BY, "description": EVIL, "tags": {LINE: EVIL}, "metrics": {EVIL: 1, LINE: 2},
        "inspected": [
            {"path": EVIL, "format": EVIL, "dtypes": [EVIL], "warnings": [EVIL], "runs_code": True, "imports": [EVIL]}
        ],
        "lineage": [{"relation": "trained-on", "target": data.target.model_dump(), "params": {EVIL: EVIL}}],
    }  # fmt: skip
    with changing(context.repo, "forge") as changes:
        stored = records.write(changes, make_record(values), {}, None)
        payload = context.repo.ref("refs/pacha/payload/models/m/1.0.0")
        changes.move("refs/pacha/payload/models/m/1.2.0", payload, None)
    assert stored.record.description == EVIL


def _forge_run(path: Path, run_id: str) -> None:
    context = Registry.open(path)._session
    honest = run_commits.read_run(context.repo, run_id)
    other = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    record = honest.record.model_copy(
        update={
            "id": other, "by": BY, "error": EVIL, "tags": {EVIL: EVIL}, "content": None, "status": "failed",
            "environment": {"command": [EVIL], "python": EVIL, "host": EVIL},
            "git": {"commit": EVIL, "branch": EVIL, "remote": EVIL, "dirty": True},
            "hardware": {"cpu_model": EVIL, "gpu_model": EVIL, "gpu_count": 1},
            "metrics": {EVIL: next(iter(honest.record.metrics.values()))},
        }
    )  # fmt: skip
    with changing(context.repo, "forge") as changes:
        run_commits.write(changes, record, honest.params_bytes, None)


def _say(path: Path) -> None:
    """Stage, alias, describe, tag and card, all with words of the same sort."""
    context = Registry.open(path)._session
    author = replace(context.author(False), identity=BY)
    target = records.read_version(context.repo, VersionId.parse(Kind.MODEL, "m", "1.2.0")).target
    moves = [
        (target, statements.stage_event(Stage.DEVELOPMENT, Stage.STAGING)),
        (target, statements.alias_event(Alias.parse("best"), "set")),
    ]
    words = [
        (target, statements.describe(EVIL)), (target, statements.tag(EVIL, EVIL)),
        (target, statements.card(f"---\nlicense: mit\n---\n# H\n\n{EVIL}\n")),
    ]  # fmt: skip
    for what, said in ((EVENTS, moves), (ATTESTATIONS, words)):
        with changing(context.repo, "forge") as changes:
            events.append(context.repo, changes, what, said, (), author, EVIL)
