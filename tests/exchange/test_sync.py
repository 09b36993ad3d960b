"""What a push and a pull take along: selections, conflicts, removals, settings, runs, and what status says of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pacha_git import InvalidInput, NotFound, Registry, VerificationFailed
from pacha_git.exchange import unchanged
from pacha_git.git.wire import transport
from tests.exchange.syncing import bare, clone, model, names, refs, registry

MODELS = ("refs/pacha/models",)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return bare(tmp_path / "hub.git")


@pytest.fixture
def here(tmp_path: Path, hub: Path) -> Registry:
    return registry(tmp_path, "here", hub)


# Selections -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(here: Registry, tmp_path: Path) -> Registry:
    (tmp_path / "rows").write_text("1,2")
    here.datasets.register("rows", tmp_path / "rows", version="1.0.0")
    model(here, "fraud", "1.0.0", data="rows@1.0.0")
    model(here, "fraud", "2.0.0")
    model(here, "fraud-small", "1.0.0", lineage=["distilled-from=fraud@1.0.0"])
    model(here, "other", "1.0.0")
    here.models.stage("fraud@1.0.0", "production")
    here.models.stage("other@1.0.0", "staging")
    return here


@pytest.mark.parametrize(
    ("words", "records", "payloads"),
    [
        ({"specs": ["fraud@1.0.0"]}, {"models/fraud/1.0.0", "datasets/rows/1.0.0"}, {"models/fraud/1.0.0"}),
        (
            {"specs": ["fraud*"]},
            {"models/fraud/1.0.0", "models/fraud/2.0.0", "models/fraud-small/1.0.0", "datasets/rows/1.0.0"},
            {"models/fraud/1.0.0", "models/fraud/2.0.0", "models/fraud-small/1.0.0"},
        ),
        ({"specs": ["model:fraud@2.*"]}, {"models/fraud/2.0.0"}, {"models/fraud/2.0.0"}),
        ({"specs": ["*@production"]}, {"models/fraud/1.0.0", "datasets/rows/1.0.0"}, {"models/fraud/1.0.0"}),
        ({"stage": "staging"}, {"models/other/1.0.0"}, {"models/other/1.0.0"}),
        ({"kind": "data"}, {"datasets/rows/1.0.0"}, {"datasets/rows/1.0.0"}),
        ({"specs": ["other"], "payload": "none"}, {"models/other/1.0.0"}, set()),
        (
            {"specs": ["fraud-small@1.0.0"], "lineage_payloads": True},
            {"models/fraud-small/1.0.0", "models/fraud/1.0.0", "datasets/rows/1.0.0"},
            {"models/fraud-small/1.0.0", "models/fraud/1.0.0", "datasets/rows/1.0.0"},
        ),
    ],
)
def test_a_selection_takes_its_lineage_and_nothing_of_others(
    many: Registry, hub: Path, words: dict[str, object], records: set[str], payloads: set[str]
) -> None:
    many.push(**words)  # type: ignore[arg-type]
    there = names(hub, "refs/pacha")
    assert there - {"registry", "root"} == records | {f"payload/{ref}" for ref in payloads}
    kinds = {"/".join(ref.split("/")[:2]) for ref in records}
    assert {ref.rpartition("/")[0] for ref in names(hub, "refs/notes")} <= {f"pacha/{kind}" for kind in kinds}


def test_a_pull_takes_the_bytes_that_were_asked_for(many: Registry, hub: Path, tmp_path: Path) -> None:
    many.push()
    there = clone(tmp_path, "there", hub)
    assert there.pull(specs=["fraud*@production"]).payloads == 1
    assert {v.name + v.version for v in there.models.list(all=True) if v.payload == "here"} == {"fraud1.0.0"}
    assert there.pull(stage="staging", kind="model").payloads == 1
    assert there.pull(specs=["fraud-small"], lineage_payloads=True).payloads == 2
    assert there.datasets.get("rows").payload == "here"
    assert there.pull(payload="all").payloads == 1
    assert there.pull(payload="all").payloads == 0


@pytest.mark.parametrize("words", [{"specs": ["nothing*"]}, {"specs": ["nothing"]}, {"stage": "archived"}])
def test_what_nothing_answers_to_is_said(many: Registry, words: dict[str, object]) -> None:
    with pytest.raises(NotFound):
        many.push(**words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words", [{"payload": "some"}, {"stage": "done"}, {"kind": "thing"}, {"payload": "none", "lineage_payloads": True}]
)
def test_words_that_can_not_be_are_refused(many: Registry, words: dict[str, object]) -> None:
    for verb in (many.push, many.pull):
        with pytest.raises(InvalidInput):
            verb(**words)  # type: ignore[arg-type]


def test_a_dry_run_says_how_much_would_move(here: Registry, hub: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(range(256)) * 2000)
    here.models.register("m", [tmp_path / "big"], version="1.0.0")
    dry = here.push(dry_run=True)
    assert (dry.payloads, dry.bytes) == (1, 512_000)
    assert refs(hub) == {}
    here.push()
    assert here.push(dry_run=True).bytes == 0


# Conflicts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def apart(here: Registry, hub: Path, tmp_path: Path) -> Registry:
    """Another registry that has another m 1.0.0 than the hub, something made from it, and something of its own."""
    model(here, "m", "1.0.0", "theirs")
    model(here, "child", "1.0.0", lineage=["derived-from=m@1.0.0"])
    here.push()
    there = registry(tmp_path, "there", hub)
    model(there, "m", "1.0.0", "ours")
    model(there, "small", "1.0.0", lineage=["quantized-from=m@1.0.0"])
    model(there, "own", "1.0.0")
    return there


def test_a_push_leaves_out_what_is_something_else_there(apart: Registry, hub: Path) -> None:
    before = refs(hub)
    pushed = apart.push()
    [conflict] = pushed.conflicts
    assert conflict.ref == "refs/pacha/models/m/1.0.0"
    assert before[conflict.ref] in conflict.detail
    assert apart.models.get("m@1.0.0").commit in conflict.detail
    assert {r.ref for r in pushed.refs if r.result == "skipped"} == {"refs/pacha/models/small/1.0.0"}
    new = {"models/own/1.0.0", "payload/models/own/1.0.0"}
    assert names(hub, "refs/pacha") - {ref.split("/", 2)[2] for ref in before} == new
    assert before.items() <= refs(hub).items()


def test_a_pull_keeps_ours_and_takes_the_rest(apart: Registry, here: Registry, hub: Path) -> None:
    model(here, "more", "1.0.0")
    here.push()
    mine = apart.models.get("m@1.0.0").commit
    pulled = apart.pull()
    assert [each.ref for each in pulled.conflicts] == ["refs/pacha/models/m/1.0.0"]
    assert {r.ref for r in pulled.refs if r.result == "skipped"} == {"refs/pacha/models/child/1.0.0"}
    assert apart.models.get("m@1.0.0").commit == mine
    assert apart.models.get("more").version == "1.0.0"
    assert apart.status().remotes[0].diverged == ("refs/pacha/models/m/1.0.0",)


def test_undoing_ours_is_a_way_on(apart: Registry, hub: Path) -> None:
    apart.pull()
    apart.models.remove("small@1.0.0", unpushed=True)
    apart.models.remove("m@1.0.0", unpushed=True)
    assert apart.pull().conflicts == ()
    assert apart.models.get("m@1.0.0").commit == refs(hub)["refs/pacha/models/m/1.0.0"]
    assert apart.models.get("child").version == "1.0.0"
    assert apart.push().conflicts == ()


# Removals -------------------------------------------------------------------------------------------------------------


def test_a_removed_payload_goes_there_too_and_never_comes_back(here: Registry, hub: Path, tmp_path: Path) -> None:
    model(here, "m", "1.0.0")
    here.push()
    there = clone(tmp_path, "there", hub)
    there.pull(specs=["m@1.0.0"])
    there.models.remove("m@1.0.0", reason="a licence")
    pushed = there.push()
    assert {r.ref: r.result for r in pushed.refs}["refs/pacha/payload/models/m/1.0.0"] == "removed"
    assert "payload/models/m/1.0.0" not in names(hub, "refs/pacha")
    here.push()  # it still has the bytes, and learns that they are not wanted
    assert "payload/models/m/1.0.0" not in names(hub, "refs/pacha")
    assert here.models.get("m@1.0.0").payload == "removed"
    with pytest.raises(NotFound, match="were removed"):
        there.pull(specs=["m@1.0.0"])


# Settings -------------------------------------------------------------------------------------------------------------


def test_a_pull_moves_no_settings(here: Registry, hub: Path, tmp_path: Path) -> None:
    model(here, "m", "1.0.0")
    here.push()
    there = clone(tmp_path, "there", hub)
    assert there.settings() == here.settings()
    other = registry(tmp_path, "other", hub)
    own = other.settings()
    other.pull()
    assert other.settings() == own
    assert other.status().remotes[0].settings_differ
    other.push()
    assert refs(hub)["refs/pacha/registry"] == refs(here.path)["refs/pacha/registry"]


# Events and status ----------------------------------------------------------------------------------------------------


def test_decisions_made_apart_all_arrive_and_cross(here: Registry, hub: Path, tmp_path: Path) -> None:
    model(here, "m", "1.0.0")
    model(here, "m", "2.0.0")
    here.push()
    there = clone(tmp_path, "there", hub)
    here.models.stage("m@1.0.0", "staging", reason="here")
    there.models.stage("m@1.0.0", "archived", reason="there")
    here.models.alias("m", "champion", version="1.0.0")
    there.models.alias("m", "champion", version="2.0.0")
    here.push()
    there.push()
    here.pull()
    assert here.models.history("m") == there.models.history("m")
    assert len(here.models.history("m")) == 4
    assert here.models.get("m@1.0.0").stage == there.models.get("m@1.0.0").stage
    assert len(here.status().crossing) == 2
    notes = "refs/notes/pacha/models/m/_events"
    assert refs(hub)[notes] == refs(here.path)[notes] == refs(there.path)[notes]


def test_status_says_what_each_side_lacks(here: Registry, hub: Path, tmp_path: Path) -> None:
    model(here, "m", "1.0.0")
    assert here.status().remotes[0].fetched is False
    here.push()
    there = clone(tmp_path, "there", hub)
    model(here, "m", "2.0.0")
    here.models.stage("m@1.0.0", "staging")
    model(there, "n", "1.0.0")
    events = "refs/notes/pacha/models/m/_events"
    [state] = here.status().remotes
    assert (set(state.ahead), state.behind, state.diverged) == ({"refs/pacha/models/m/2.0.0", events}, (), ())
    here.push()
    assert here.status().remotes[0].ahead == ()
    there.fetch()
    status = there.status()
    assert set(status.remotes[0].behind) == {"refs/pacha/models/m/2.0.0", events}
    assert status.remotes[0].ahead == ("refs/pacha/models/n/1.0.0",)
    assert status.thin == ("model:m@1.0.0",)
    assert set(status.unsigned) == {"model:m@1.0.0", "model:n@1.0.0"}
    there.models.stage("m@1.0.0", "staging")
    assert events in there.status().remotes[0].ahead
    assert events in there.status().remotes[0].behind


# Runs -----------------------------------------------------------------------------------------------------------------


def test_runs_travel_forward_only(here: Registry, hub: Path, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("1,2")
    here.datasets.register("rows", tmp_path / "rows", version="1.0.0")
    run = here.run(data="rows@1.0.0", params={"rate": 0.1})
    here.push()
    assert f"runs/{run.id}" in names(hub, "refs/pacha")
    there = clone(tmp_path, "there", hub)
    assert there.runs.get(run.id).status == "running"
    for step in range(3):
        run.log({"loss": 1 / (step + 1)}, step=step)
    run.finish()
    model(here, "m", "1.0.0", run=run.id)
    there.push()
    here.push(specs=["m@1.0.0"])
    assert there.pull(specs=["m@1.0.0"], lineage_payloads=True).warnings == (
        f"origin has not the bytes of run:{run.id}",
    )
    here.push(specs=["m@1.0.0"], lineage_payloads=True)
    there.pull(specs=["m@1.0.0"], lineage_payloads=True)
    assert there.runs.get(run.id).status == "completed"
    assert there.status().remotes[0].behind == ()
    ref = f"refs/pacha/runs/{run.id}"
    assert refs(there.path)[ref] == refs(here.path)[ref] == refs(hub)[ref]
    payload = f"refs/pacha/payload/runs/{run.id}"
    assert refs(there.path)[payload] == refs(here.path)[payload]


def test_a_run_that_moved_back_is_reported(here: Registry, hub: Path, tmp_path: Path) -> None:
    run = here.run(params={"rate": 0.1})
    ref = f"refs/pacha/runs/{run.id}"
    first = refs(here.path)[ref]
    run.finish()
    here.push()
    there = clone(tmp_path, "there", hub)
    last = refs(there.path)[ref]
    (hub / ref).write_text(first + "\n")
    with pytest.raises(VerificationFailed, match="moved"):
        there.pull()
    assert refs(there.path)[ref] == last


@pytest.mark.damaged
def test_bytes_here_that_are_not_those_of_their_record_replace_none_there(here: Registry, hub: Path) -> None:
    model(here, "m", "1.0.0", "right")
    model(here, "m", "2.0.0", "wrong")
    here.push()
    before = refs(hub, "refs/pacha/payload")
    one, two = ("refs/pacha/payload/models/m/1.0.0", "refs/pacha/payload/models/m/2.0.0")
    subprocess.run(["git", "-C", here.path, "update-ref", one, two], check=True)
    here.push()
    assert refs(hub, "refs/pacha/payload") == before


# Nothing to do --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_nothing_to_do_is_remembered_until_something_changes(
    here: Registry, hub: Path, tmp_path: Path, verb: str
) -> None:
    model(here, "m", "1.0.0")
    here.push()
    there = clone(tmp_path, "there", hub)
    for registry_ in (here, there):
        for _ in range(3):
            assert getattr(registry_, verb)().refs == ()
        assert verb in (registry_.path / "pacha/quiet.json").read_text()
    model(here, "m", "2.0.0")
    assert here.push().payloads == 1
    there.models.stage("m@1.0.0", "staging")
    assert {r.ref for r in there.push().refs} == {"refs/notes/pacha/models/m/_events"}
    assert {r.ref for r in there.pull().refs} == {"refs/pacha/models/m/2.0.0"}
    assert here.pull().refs != ()
    here.gc()  # moves refs about, and changes nothing
    for registry_ in (here, there):
        (registry_.path / "pacha/quiet.json").write_text("damaged")
        assert getattr(registry_, verb)().refs == ()
    assert here.models.get("m@1.0.0").stage == there.models.get("m@1.0.0").stage == "staging"


def test_both_sides_in_step_are_compared_as_lists(here: Registry, hub: Path, tmp_path: Path) -> None:
    """Without what was remembered: nothing is read but two lists, unless these differ in anything."""
    model(here, "m", "1.0.0")
    here.models.stage("m@1.0.0", "staging")
    here.push()
    there = clone(tmp_path, "there", hub)

    def in_step(registry_: Registry) -> bool:
        context = registry_._session
        return unchanged.in_step(context, "origin", transport.listing(context.repo, "origin"))

    assert in_step(here)
    assert in_step(there)  # whose bytes are elsewhere
    here.gc()
    assert in_step(here)
    tip = refs(hub)["refs/pacha/root"]
    for ref in ("refs/pacha/tmp/0190/000000", "refs/pacha/models/n/1.0.0", "refs/notes/pacha/models/n/_events"):
        subprocess.run(["git", "-C", hub, "update-ref", ref, tip], check=True)
        assert not in_step(here)
        subprocess.run(["git", "-C", hub, "update-ref", "-d", ref], check=True)
        assert in_step(here)
    for ref, oid in refs(hub).items():
        subprocess.run(["git", "-C", hub, "update-ref", "-d", ref], check=True)
        assert not in_step(here), ref
        assert in_step(there) == ("/payload/" in ref), ref
        subprocess.run(["git", "-C", hub, "update-ref", ref, oid], check=True)
    for ref in refs(here.path, "refs/remotes"):
        oid = refs(here.path)[ref]
        subprocess.run(["git", "-C", here.path, "update-ref", "-d", ref], check=True)
        assert not in_step(here), ref
        subprocess.run(["git", "-C", here.path, "update-ref", ref, oid], check=True)
    assert in_step(here)
    model(here, "n", "1.0.0")
    assert not in_step(here)
    here.push()
    assert in_step(here)
    assert not in_step(there)
    here.models.remove("m@1.0.0", reason="wrong data")
    here.push()
    assert not in_step(here)  # somebody may still have the bytes


# Memory ---------------------------------------------------------------------------------------------------------------


def test_no_git_on_either_side_maps_whole_packs(
    here: Registry, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub is a plain repository, whose own settings know nothing of it; ours say so to whichever git."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    monkeypatch.setenv("GIT_TRACE2_CONFIG_PARAMS", "core.packedgitwindowsize")
    model(here, "m", "1.0.0")
    here.push()
    clone(tmp_path, "there", hub).pull(specs=["m@1.0.0"])
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    bounded = {event["sid"] for event in events if event["event"] == "def_param" and event["value"] == "16m"}
    started = [(event["sid"], set(event["argv"])) for event in events if event["event"] == "start"]
    for word in ("pack-objects", "rev-list", "cat-file", "upload-pack", "receive-pack"):
        found = [sid in bounded for sid, argv in started if word in argv]
        assert found, word
        assert all(found), word
