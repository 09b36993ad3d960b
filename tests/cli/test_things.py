"""The verbs of models and datasets, word for word as the contract has them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.making import put

from .conftest import Ended, on_copy

Run = Callable[..., Ended]

VERSION_KEYS = {
    "kind", "name", "version", "stage", "aliases", "description", "address", "size", "file_count", "created_at",
    "created_by", "commit", "tags", "metrics", "lineage", "signed_by", "payload",
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(b"hello world")
    return path


@pytest.fixture(scope="session")
def filled_once(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    at = on_copy(empty, folder / "registry.git")
    data, model = put(folder / "data.csv", b"a,b\n1,2\n"), put(folder / "model.bin")
    assert at("data", "register", "transactions", data, "-v", "1.0.0", "-p", "detection").code == 0
    first = at("model", "register", "fraud", model, "-v", "1.9.0", "-d", "Fraud model", "--data", "transactions@1.0.0")
    assert first.code == 0, first
    model.write_bytes(b"hello again")
    second = at(
        "model", "register", "fraud", model, "-v", "1.10.0", "--from", "fine-tuned-from=fraud@1.9.0,epochs=3",
        "--metric", "auc=0.97", "--metric", "n=3", "--tag", "team=risk",
    )  # fmt: skip
    assert second.code == 0, second
    return folder


@pytest.fixture
def filled(filled_once: Path, model: Path, registry_path: Path, tmp_path: Path) -> Run:
    """A registry with a dataset, and a model of two versions; beside it the files as they were registered last."""
    for name in ("data.csv", "model.bin"):
        shutil.copy(filled_once / name, tmp_path)  # over what `model` wrote
    return on_copy(filled_once / "registry.git", registry_path)


def test_the_quick_start_word_for_word(pacha: Run, home: Path) -> None:
    (home / "model.apr").write_bytes(b"APR\0weights")
    (home / "data.ald").write_bytes(b"rows")
    for words in (
        ("init",),
        ("model", "register", "fraud-detector", "model.apr", "-v", "1.0.0", "-d", "Fraud detection model"),
        ("data", "register", "transactions", "data.ald", "-v", "1.0.0", "-p", "Training data"),
        ("model", "get", "fraud-detector", "-v", "1.0.0"),
        ("model", "stage", "fraud-detector", "-v", "1.0.0", "-t", "production"),
    ):
        ended = pacha(*words)
        assert ended.code == 0, ended
    assert pacha("model", "get", "fraud-detector", "--json").json["stage"] == "production"
    assert (home / ".pacha" / "registry.git").is_dir()


def test_init_makes_a_registry_once(pacha: Run, registry_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pacha("init", registry_path, "--json").json == {"path": str(registry_path), "created": True}
    assert pacha("init", registry_path, "--json").json == {"path": str(registry_path), "created": False}
    monkeypatch.setenv("PACHA_REGISTRY", str(registry_path))
    assert pacha("init", "--json").json["created"] is False


def test_the_flag_goes_before_the_environment_and_the_folder(
    pacha: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    folders = {name: tmp_path / name for name in ("flag", "environment", "stood-in")}
    for folder in folders.values():
        assert pacha("init", folder).code == 0

    def used(*words: str) -> str:
        return str(pacha(*words, "status", "--json").json["path"])

    assert pacha("stats").code == 3
    monkeypatch.chdir(folders["stood-in"] / "objects")
    assert used() == str(folders["stood-in"])
    monkeypatch.setenv("PACHA_REGISTRY", str(folders["environment"]))
    assert used() == str(folders["environment"])
    assert used("--registry", str(folders["flag"])) == str(folders["flag"])


@pytest.mark.parametrize(
    "words",
    [("stats",), ("model", "list"), ("push",), ("fsck",), ("status",), ("model", "get", "x@1.0.0"), ("remote", "list")],
)
def test_without_a_registry(pacha: Run, words: tuple[str, ...]) -> None:
    ended = pacha(*words)
    assert ended.code == 3
    assert "git pacha init" in ended.err


def test_register_tells_the_version_and_what_it_cost(at: Run, model: Path) -> None:
    ended = at("model", "register", "fraud", model, "-v", "1.0.0", "-d", "--json", "--json")
    assert ended.code == 0
    assert ended.err == ""
    assert set(ended.json) >= VERSION_KEYS | {"stored_bytes", "new_bytes", "shared_bytes"}
    assert ended.json["description"] == "--json"
    assert ended.json["address"] == "blake3:d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24"
    assert (ended.json["stage"], ended.json["payload"], ended.json["signed_by"]) == ("development", "here", None)
    assert ended.json["new_bytes"] == 11


def test_register_says_what_was_shared(at: Run, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(os.urandom(1 << 20))
    assert "All of it is new" in at("model", "register", "m", tmp_path / "w", "-v", "1.0.0").out
    again = at("model", "register", "m", tmp_path / "w", "-v", "1.0.1")
    assert "nothing is stored twice" in again.out
    assert at("model", "register", "m", tmp_path / "w", "-v", "1.0.2", "-q").out == ""


def test_registering_a_version_twice_is_a_conflict(filled: Run, model: Path) -> None:
    ended = filled("model", "register", "fraud", model, "-v", "1.9.0", "--json")
    assert ended.code == 4
    assert ended.error["code"] == "conflict"


def test_a_dry_run_leaves_nothing(at: Run, model: Path) -> None:
    ended = at("model", "register", "fraud", model, "-v", "1.0.0", "--dry-run", "--json")
    assert ended.code == 0
    assert ended.json["dry_run"] is True
    assert at("model", "list", "--json").json == []


def test_several_paths_and_what_is_left_out(at: Run, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    for name in ("a.bin", "sub/b.bin", "c.tmp", ".git/config"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".pachaignore").write_text("*.tmp\n")
    (tmp_path / "card.md").write_text("# Card")
    ended = at(
        "model", "register", "m", folder, tmp_path / "card.md", "-v", "1.0.0", "--exclude", ".pachaignore", "--card",
        tmp_path / "card.md",
    )  # fmt: skip
    assert ended.code == 0, ended
    assert ".git" in ended.err
    shown = at("model", "get", "m@1.0.0", "--json").json
    assert [file["path"] for file in shown["files"]] == ["card.md", "weights/a.bin", "weights/sub/b.bin"]
    assert shown["card"] == "# Card"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("model", "register", "../x", "{model}", "-v", "1.0.0"), 2),
        (("model", "register", "x\x1b", "{model}", "-v", "1.0.0"), 2),
        (("model", "register", "x", "{model}", "-v", "1.2"), 2),
        (("model", "register", "x", "{model}.not", "-v", "1.0.0"), 3),
        (("model", "register", "x", "{empty}", "-v", "1.0.0"), (1, 2)),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--from", "loved-by=fraud@1.9.0"), 2),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--from", "derived-from=absent@1.0.0"), 3),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--from", "derived-from=x@1.0.0"), 2),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--metric", "auc=high"), 2),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--tag", "team"), 2),
        (("model", "register", "x", "", "-v", "1.0.0"), 2),
        (("model", "register", "x", "{model}", "-v", "1.0.0", "--sign"), 1),
        (("model", "get", "absent"), 3),
        (("model", "get", "fraud@3.0.0"), 3),
        (("model", "get", "fraud@1.9.0", "-v", "1.10.0"), 2),
        (("model", "get", "fraud@blake3:123"), 2),
        (("model", "get", "data:transactions"), 2),
        (("model", "list", "absent"), 3),
        (("model", "list", "--stage", "limbo"), 2),
        (("model", "stage", "fraud", "-t", "production"), 2),
        (("model", "stage", "fraud@1.9.0", "-t", "limbo"), 2),
        (("model", "alias", "fraud", "latest", "-v", "1.9.0"), 2),
        (("model", "alias", "fraud", "unknown", "--unset"), 3),
        (("model", "rm", "fraud", "-m", "why"), 2),
        (("model", "history", "absent"), 3),
        (("model", "tag", "fraud@1.9.0", "x"), 2),
        (("model", "cat", "fraud@1.9.0:absent"), 3),
        (("model", "cat", "fraud@1.9.0", "--range", "x"), 2),
        (("model", "cat", "fraud@1.9.0", "--json"), 2),
        (("model", "lineage", "fraud@1.9.0", "--format", "svg"), 2),
        (("model", "lineage", "fraud@1.9.0", "--format", "dot", "--json"), 2),
        (("cat", "absent"), 3),
        (("sign", "fraud"), 2),
        (("verify", "absent@1.0.0"), 3),
        (("pull", "absent"), (1, 3)),
        (("push",), (1, 3)),
        (("remote", "remove", "absent"), 3),
        (("settings", "adopt", "absent"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else None,
)
def test_wrong_input_is_an_error_that_changes_nothing(
    filled: Run, model: Path, tmp_path: Path, words: tuple[str, ...], code: Any
) -> None:
    (tmp_path / "empty").mkdir()
    said = [word.format(model=model, empty=tmp_path / "empty") for word in words]
    before = filled("model", "list", "--all", "--json").json
    ended = filled(*said, "--json") if "--json" not in said else filled(*said)
    assert ended.code in (code if isinstance(code, tuple) else (code,)), ended
    assert ended.out == ""
    assert ended.error["message"]
    assert filled("model", "list", "--all", "--json").json == before
    if "--json" not in said:
        ended = filled(*said)
        assert ended.err.startswith("Error: ")
        assert "Traceback" not in ended.err


SPELLINGS = [
    ("fraud", "-v", "1.9.0"),
    ("fraud@1.9.0",),
    ("fraud:1.9.0",),
    ("fraud@champion",),
    ("fraud", "-v", "champion"),
    ("fraud@production",),
    ("fraud@PROD",),
    ("model:fraud@1.9.0",),
    ("pacha://fraud:1.9.0",),
    ("pacha://model/fraud@1.9.0",),
    ("fraud@blake3:d74981ef",),
    ("fraud@1.9.0", "-v", "1.9.0"),
]


@pytest.mark.parametrize("words", SPELLINGS, ids=" ".join)
def test_every_spelling_of_a_version(filled: Run, words: tuple[str, ...]) -> None:
    assert filled("model", "alias", "fraud", "champion", "-v", "1.9.0").code == 0
    assert filled("model", "stage", "fraud@1.9.0", "-t", "production").code == 0
    ended = filled("model", "get", *words, "--json")
    assert ended.code == 0, ended
    assert ended.json["version"] == "1.9.0"
    assert filled("model", "cat", *words).raw == b"hello world"


def test_get_shows_the_highest_version(filled: Run) -> None:
    got = filled("model", "get", "fraud", "--json").json
    assert set(got) >= VERSION_KEYS | {"files", "card"}
    assert got["version"] == "1.10.0"
    assert got["metrics"] == {"auc": 0.97, "n": 3}
    assert got["tags"] == {"team": "risk"}
    [edge] = got["lineage"]
    assert (edge["relation"], edge["params"]) == ("fine-tuned-from", {"epochs": 3})
    sheet = filled("model", "get", "fraud").out
    for word in (
        "model fraud 1.10.0",
        "development",
        "auc=0.97",
        "team=risk",
        "fine-tuned-from model:fraud@1.9.0",
        "model.bin",
    ):
        assert word in sheet
    data = filled("data", "get", "transactions", "--json").json
    assert (data["kind"], data["datasheet"]) == ("dataset", None)
    assert "detection" in filled("data", "get", "transactions").out


def test_a_card_cannot_speak_to_the_terminal(at: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# Card\n\x1b]0;title\x07\u202e")
    assert at(
        "model", "register", "m", model, "-v", "1.0.0", "-d", "first\n\x1b[2Jsecond", "--card", tmp_path / "card.md",
        "--tag", "a=\x1b[31m",
    ).code == 0  # fmt: skip
    for line in ("model get m", "model list", "model diff m m", "model lineage m", "status"):
        shown = at(*line.split()).out
        assert not set(shown) & set("\x1b\x07\u202e")
    assert "# Card" in at("model", "get", "m").out


def test_list_shows_names_versions_stages_and_tags(filled: Run, model: Path) -> None:
    [one] = filled("model", "list", "--json").json
    assert set(one) >= VERSION_KEYS | {"versions"}
    assert (one["version"], one["versions"]) == ("1.10.0", 2)
    assert [item["version"] for item in filled("model", "list", "fraud", "--json").json] == ["1.9.0", "1.10.0"]
    assert [item["version"] for item in filled("model", "list", "--all", "--json").json] == ["1.9.0", "1.10.0"]
    assert filled("model", "list", "--stage", "prod", "--json").json == []
    assert filled("model", "list", "--stage", "prod").code == 0
    assert filled("model", "stage", "fraud@1.9.0", "-t", "production").code == 0
    assert [item["version"] for item in filled("model", "list", "--stage", "prod", "--json").json] == ["1.9.0"]
    assert [item["version"] for item in filled("model", "list", "--tag", "team=risk", "--json").json] == ["1.10.0"]
    assert filled("model", "list", "--tag", "team=none", "--json").json == []
    table = filled("model", "list", "fraud").out.splitlines()
    assert table[0].split()[:3] == ["NAME", "VERSION", "STAGE"]
    assert table[1].split()[:3] == ["fraud", "1.9.0", "production"]


def test_stage_walks_the_steps_and_replaces_when_told(filled: Run) -> None:
    done = filled("model", "stage", "fraud@1.10.0", "-t", "PROD", "-m", "better", "--json").json
    assert done["steps"] == [{"from": "development", "to": "staging"}, {"from": "staging", "to": "production"}]
    assert done["stage"] == "production"
    warned = filled("model", "stage", "fraud@1.9.0", "-t", "production")
    assert warned.code == 0
    assert warned.err.startswith("Warning: ")
    assert "1.10.0" in warned.err
    assert filled("model", "get", "fraud@production", "--json").json["version"] == "1.10.0"
    replaced = filled("model", "stage", "fraud@1.9.0", "-t", "production", "--replace", "--json").json
    assert replaced["archived"] == ["1.10.0"]
    assert filled("model", "get", "fraud@production", "--json").json["version"] == "1.9.0"
    impossible = filled("model", "stage", "fraud@1.10.0", "-t", "production")
    assert impossible.code == 1


def test_history_tells_who_moved_what_and_why(filled: Run) -> None:
    assert filled("model", "history", "fraud", "--json").json == []
    assert filled("model", "stage", "fraud@1.9.0", "-t", "production", "-m", "it is good").code == 0
    assert filled("model", "alias", "fraud", "champion", "-v", "1.9.0").code == 0
    entries = filled("model", "history", "fraud", "--json").json
    keys = {"at", "by", "version", "type", "from", "to", "alias", "op", "reason", "overridden", "crossing", "signed_by"}
    keys |= {"status", "said_version"}
    assert [set(entry) for entry in entries] == [keys] * 3
    assert [entry["to"] for entry in entries] == ["staging", "production", None]
    assert entries[1]["reason"] == "it is good"
    assert entries[1]["by"] == "Ada Tester <ada@example.org>"
    assert (entries[2]["alias"], entries[2]["op"]) == ("champion", "set")
    table = filled("model", "history", "fraud").out
    assert "staging → production" in table
    assert "it is good" in table


def test_an_alias_moves_and_goes(filled: Run) -> None:
    assert filled("model", "alias", "fraud", "champion", "-v", "1.9.0", "--json").json["aliases"] == ["champion"]
    assert filled("model", "alias", "fraud@1.10.0", "champion", "--json").json["version"] == "1.10.0"
    assert filled("model", "get", "fraud@champion", "--json").json["version"] == "1.10.0"
    assert filled("model", "alias", "fraud", "champion", "--unset").code == 0
    assert filled("model", "get", "fraud@champion").code == 3


def test_tag_and_describe(filled: Run) -> None:
    commit = filled("model", "get", "fraud", "--json").json["commit"]
    assert filled("model", "tag", "fraud@1.10.0", "a=b", "team-", "--json").json["tags"] == {"a": "b"}
    assert filled("model", "describe", "fraud@1.10.0", "better words", "--json").json["description"] == "better words"
    assert filled("model", "get", "fraud", "--json").json["commit"] == commit


def test_download_overwrites_only_by_force(filled: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.bin"
    assert filled("model", "download", "fraud@1.9.0", "-o", out, "--json").json == {"path": str(out)}
    assert out.read_bytes() == b"hello world"
    again = filled("model", "download", "fraud@1.10.0", "-o", out)
    assert again.code == 4
    assert "--force" in again.err
    assert out.read_bytes() == b"hello world"
    assert filled("model", "download", "fraud@1.10.0", "-o", out, "--force").code == 0
    assert out.read_bytes() == b"hello again"
    (tmp_path / "folder").mkdir()
    assert filled("model", "download", "fraud@1.9.0", "-o", tmp_path / "folder").code == 0
    assert (tmp_path / "folder" / "model.bin").read_bytes() == b"hello world"


def test_path_prints_a_folder_with_the_bytes(filled: Run) -> None:
    folder = Path(filled("model", "path", "fraud@1.9.0").out.removesuffix("\n"))
    assert (folder / "model.bin").read_bytes() == b"hello world"
    assert filled("model", "path", "fraud@1.9.0", "--json").json == {"path": str(folder)}


@pytest.mark.parametrize(
    ("asked", "bytes_"), [("0-4", b"hello"), ("6-", b"world"), ("-3", b"rld"), ("0-0", b"h"), ("6-99", b"world")]
)
def test_cat_a_range(filled: Run, asked: str, bytes_: bytes) -> None:
    assert filled("model", "cat", "fraud@1.9.0", "--range", asked).raw == bytes_
    assert filled("cat", "fraud@1.9.0:model.bin", f"--range={asked}").raw == bytes_


def test_cat_of_any_kind(filled: Run, model: Path) -> None:
    assert filled("cat", "transactions").raw == b"a,b\n1,2\n"
    assert filled("model", "register", "transactions", model, "-v", "1.0.0").code == 0
    ended = filled("cat", "transactions", "-v", "1.0.0")
    assert ended.code == 2
    assert "data:transactions" in ended.err
    assert filled("cat", "data:transactions@1.0.0").raw == b"a,b\n1,2\n"


def test_lineage_goes_up_and_down(filled: Run) -> None:
    graph = filled("model", "lineage", "fraud@1.10.0", "--json").json
    assert [set(node) for node in graph["nodes"]] == [{"kind", "name", "version", "commit"}] * 3
    edges = {(edge["from"], edge["relation"], edge["to"]) for edge in graph["edges"]}
    assert edges == {
        ("model:fraud@1.10.0", "fine-tuned-from", "model:fraud@1.9.0"),
        ("model:fraud@1.9.0", "trained-on", "dataset:transactions@1.0.0"),
    }
    assert filled("model", "lineage", "fraud@1.10.0", "--format", "json").json == graph
    assert len(filled("model", "lineage", "fraud@1.10.0", "--depth", "1", "--json").json["nodes"]) == 2
    down = filled("data", "lineage", "transactions@1.0.0", "--down", "--json").json
    assert {(edge["from"], edge["to"]) for edge in down["edges"]} == {(start, end) for start, _, end in edges}
    assert "transactions" in filled("model", "lineage", "fraud@1.10.0").out
    assert filled("model", "lineage", "fraud@1.10.0", "--format", "dot").out.startswith("digraph")
    assert filled("model", "lineage", "fraud@1.10.0", "--format", "mermaid").out.startswith(("graph", "flowchart"))


def test_diff_names_changed_files_and_metrics(filled: Run) -> None:
    found = filled("model", "diff", "fraud@1.9.0", "fraud@1.10.0", "--json").json
    assert (found["a"], found["b"]) == ("fraud@1.9.0", "fraud@1.10.0")
    assert found["changed"] == ["model.bin"]
    assert found["metrics"]["auc"] == [None, 0.97]
    text = filled("model", "diff", "fraud@1.9.0", "fraud@1.10.0").out
    assert "~ model.bin" in text
    assert "auc" in text


def test_rm_removes_bytes_and_keeps_the_version_taken(filled: Run, model: Path) -> None:
    assert filled("model", "rm", "fraud@1.9.0", "-m", "leaked").code == 0
    assert filled("model", "get", "fraud@1.9.0", "--json").json["payload"] == "removed"
    assert [item["version"] for item in filled("model", "list", "fraud", "--json").json] == ["1.10.0"]
    removed = filled("model", "list", "fraud", "--removed", "--json").json
    assert "1.9.0" in [item["version"] for item in removed]
    assert filled("model", "register", "fraud", model, "-v", "1.9.0").code == 4
    assert filled("model", "download", "fraud@1.9.0", "-o", "x").code in (1, 3)


def test_rm_unpushed_lets_the_version_be_registered_anew(filled: Run, model: Path) -> None:
    assert filled("model", "rm", "fraud@1.10.0", "--unpushed").code == 0
    assert filled("model", "get", "fraud@1.10.0").code == 3
    assert filled("model", "register", "fraud", model, "-v", "1.10.0").code == 0


def test_non_finite_metrics_are_words(at: Run, model: Path) -> None:
    ended = at("model", "register", "m", model, "-v", "1.0.0", "--metric", "a=nan", "--metric", "b=-inf", "--json")
    assert ended.json["metrics"] == {"a": "NaN", "b": "-Infinity"}


def test_quiet_leaves_out_sentences_and_not_answers(filled: Run) -> None:
    ended = filled("model", "stage", "fraud@1.9.0", "-t", "staging", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert filled("-q", "model", "list").out.startswith("NAME")


EVERYTHING = """
    init; stats; model list; model get fraud; model history fraud; status; model lineage fraud; remote list; key list
    model diff fraud@1.9.0 fraud@1.10.0; verify --all; fsck; fsck --fast; doctor; reindex; gc --dry-run; settings
    settings show; help; version; completion bash; model path fraud; model stage fraud@1.9.0 -t dev; key generate
    model tag fraud x=y; model rm fraud@1.9.0 -m x
"""


@pytest.mark.parametrize("line", [line.strip() for line in EVERYTHING.replace(";", "\n").strip().splitlines()])
def test_json_is_one_document_and_nothing_else(filled: Run, line: str) -> None:
    ended = filled(*line.split(), "--json")
    assert ended.code == 0, ended
    assert ended.err == ""
    assert ended.out.count("\n") == 1
    json.loads(ended.out)


@pytest.mark.parametrize("line", ["stats", "model list", "model get fraud", "status", "settings", "fsck", "doctor"])
def test_people_get_words(filled: Run, line: str) -> None:
    ended = filled(*line.split(), terminal=True)
    assert ended.code == 0
    assert not ended.out.startswith(("{", "["))
