"""``git pacha run``: words, JSON keys, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.making import put

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
KEYS = {
    "id", "status", "recipe", "params", "metrics", "started_at", "finished_at", "git", "hardware", "artifacts", "error",
    "inputs",
}  # fmt: skip


@pytest.fixture
def recipe(at: Callable[..., Any], tmp_path: Path) -> str:
    text = b'name = "fit"\nversion = "1.0.0"\n[metrics.loss]\ngoal = "minimize"\n'
    assert at("recipe", "register", put(tmp_path / "fit.toml", text)).code == 0
    return "fit@1.0.0"


def begun(at: Callable[..., Any], *words: str) -> str:
    ended = at("run", "start", *words)
    assert ended.code == 0, ended.err
    assert ended.out.count("\n") == 1
    run_id: str = ended.out.strip()
    return run_id


def finished(at: Callable[..., Any], loss: str, *words: str) -> str:
    run_id = begun(at, *words)
    assert at("run", "log", run_id, "--metric", f"loss={loss}").code == 0
    assert at("run", "finish", run_id).code == 0
    return run_id


def test_start_log_finish_get(at: Callable[..., Any], recipe: str, tmp_path: Path) -> None:
    at("data", "register", "tx", put(tmp_path / "tx.csv"), "-v", "1.0.0")
    at("model", "register", "base", put(tmp_path / "base.bin"), "-v", "1.0.0")
    run_id = begun(
        at, "--recipe", recipe, "--data", "tx@1.0.0", "--model", "base@1.0.0", "--tag", "team=fraud",
        *(word for pair in ("n=3", "lr=1e-3", "deep=true", "name=adam", "sizes=[1, 2]") for word in ("--param", pair)),
    )  # fmt: skip
    assert at("run", "log", run_id, "--metric", "loss=0.5", "--metric", "acc=1", "--step", "10").out == ""
    assert at("run", "log", run_id, "--metric", "loss=nan").code == 0
    assert at("run", "log", run_id, "--artifact", tmp_path / "tx.csv", "--param", "late=1.0", "--tag", "a=b").code == 0
    live = at("run", "get", run_id, "--json").json
    assert (live["status"], live["finished_at"], live["artifacts"]) == ("running", None, ["tx.csv"])
    assert live["metrics"]["loss"] == {"last": "NaN", "min": 0.5, "max": 0.5, "steps": 2}
    assert at("run", "finish", run_id).out == f"Run {run_id} is completed.\n"
    found = at("run", "get", run_id, "--json").json
    assert found.keys() >= KEYS
    assert found["params"] == {"n": 3, "lr": 0.001, "deep": True, "name": "adam", "sizes": [1, 2], "late": 1.0}
    assert [type(found["params"][key]) for key in ("n", "lr", "deep", "late")] == [int, float, bool, float]
    assert found["recipe"] == "fit@1.0.0"
    assert [(edge["relation"], edge["kind"], edge["name"]) for edge in found["inputs"]] == [
        ("generated-by", "recipe", "fit"), ("trained-on", "dataset", "tx"), ("derived-from", "model", "base"),
    ]  # fmt: skip
    assert found["tags"] == {"team": "fraud", "a": "b"}
    assert at("run", "get", run_id).out.startswith(f"run {run_id} · completed")


def test_finish_twice_and_logging_afterwards(at: Callable[..., Any]) -> None:
    run_id = begun(at)
    assert at("run", "finish", run_id, "--status", "failed", "--error", "out of memory").code == 0
    assert at("run", "finish", run_id, "--status", "failed").code == 0
    assert at("run", "finish", run_id).code == 4
    assert at("run", "log", run_id, "--metric", "loss=1").code == 4
    assert at("run", "get", run_id, "--json").json["error"] == "out of memory"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["log", "ID"], 2),
        (["log", "ID", "--metric", "loss=low"], 2),
        (["log", "ID", "--metric", "loss"], 2),
        (["log", "ID", "--metric", "loss=1", "--metric", "loss=2"], 2),
        (["log", "ID", "--metric", "loss=1", "--step", "one"], 2),
        (["log", "ID", "--metric", "loss=1", "--step", "99999999999999999999"], 2),
        (["log", "ID", "--artifact", "nowhere"], 3),
        (["log", "ID", "--artifact", "one/plot.png", "--artifact", "two/plot.png"], 2),
        (["log", UNKNOWN, "--metric", "loss=1"], 3),
        (["log", "x", "--metric", "loss=1"], 2),
        (["finish", "ID", "--status", "done"], 2),
        (["finish", UNKNOWN], 3),
        (["get", UNKNOWN], 3),
        (["start", "--recipe", "nope@1.0.0"], 3),
        (["start", "--param", "lr"], 2),
        (["start", "--data", "fit@1.0.0"], 3),
        (["list", "nope"], 3),
        (["list", "-v", "1.0.0"], 2),
        (["list", "--status", "done"], 2),
        (["compare", "ID"], 2),
        (["compare", "ID", UNKNOWN], 3),
        (["best", "fit", "-m", "loss"], 3),
        (["best", "nope", "-m", "loss"], 3),
        (["best", "fit", "-m", "loss", "--minimize", "--maximize"], 2),
        (["plot", "ID", "-m", "loss", "-o", "x.png"], 2),
        (["plot", "ID", "-m", "loss", "-o", "x.svg"], 3),
        (["download", "ID", "-o", "out"], 1),
        (["exec"], 2),
        (["exec", "--", "no-such-program"], 3),
        (["exec", "--recipe", "nope", "--", "true"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_can_not_be_done_says_so_in_one_line(
    at: Callable[..., Any], recipe: str, words: list[str], code: int
) -> None:
    run_id = begun(at, "--recipe", recipe)
    ended = at("run", *(run_id if word == "ID" else word for word in words))
    assert ended.code == code, ended.err
    assert ended.out == ""
    first, *rest = ended.err.splitlines()
    assert first.startswith("Error: ")
    assert [line.split(":")[0] for line in rest] in ([], ["Hint"])
    assert [run["status"] for run in at("run", "list", "--json").json] == ["running"]


def test_list_best_compare(at: Callable[..., Any], recipe: str) -> None:
    one = finished(at, "0.5", "--recipe", recipe, "--param", "lr=0.1", "--param", "n=1")
    other = finished(at, "0.25", "--recipe", recipe, "--param", "lr=0.2", "--param", "n=1")
    nan = finished(at, "nan", "--recipe", recipe)
    alone = begun(at)
    assert [run["id"] for run in at("run", "list", "--json").json] == [one, other, nan, alone]
    assert [run["id"] for run in at("run", "list", "fit", "-v", "1.0.0", "--json").json] == [one, other, nan]
    assert [run["id"] for run in at("run", "list", "--status", "running", "--json").json] == [alone]
    table = at("run", "list").out.splitlines()
    assert table[0].split() == ["ID", "STATUS", "RECIPE", "STARTED", "PARAMS", "METRICS"]
    assert [line.split()[0] for line in table[1:]] == [one, other, nan, alone]
    best = at("run", "best", "fit", "-v", "1.0.0", "-m", "loss", "--json").json
    assert best.keys() >= KEYS
    assert (best["id"], best["goal"]) == (other, "minimize")
    assert at("run", "best", "fit", "-m", "loss").out.startswith("loss = 0.25, minimized as the recipe says")
    assert at("run", "best", "fit", "-m", "loss", "--maximize", "--json").json["id"] == one
    compared = at("run", "compare", one, other, nan, "--json").json
    assert compared.keys() >= {"runs", "metrics", "params", "best"}
    assert compared["metrics"]["loss"] == {one: 0.5, other: 0.25, nan: "NaN"}
    assert (compared["best"], compared["differing"]) == ({"loss": other}, ["lr", "n"])
    text = at("run", "compare", one, other).out
    assert text.index("Parameters that differ") < text.index("lr") < text.index("Parameters that are the same")
    assert "0.25 *" in text
    assert max(map(len, text.splitlines())) < 80
    at("run", "log", alone, "--metric", "loss=3")
    at("run", "log", alone, "--metric", "loss=2")
    lines = at("run", "compare", one, other, nan, alone, finished(at, "1", "--recipe", recipe)).out.splitlines()
    assert lines[1].split() == ["ID", "STATUS", "lr", "n", "loss", "(minimize)"]  # many runs: a line each
    assert lines[3].split() == [other, "completed", "0.2", "1", "0.25", "*"]
    assert lines[5].split() == [alone, "running", "2", "[2", "…", "3]"]


def test_a_name_that_a_terminal_would_act_upon(at: Callable[..., Any]) -> None:
    ids = [begun(at, "--param", "\x1b[31mred=1", "--param", f"\x1b[0m={lr}") for lr in "12"]
    for words in (["get", ids[0]], ["list"], ["compare", *ids]):
        said = at("run", *words).out
        assert "\x1b" not in said
        assert r"\x1b[31mred" in said


def test_a_list_without_runs_says_how_to_begin_one(at: Callable[..., Any]) -> None:
    ended = at("run", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "run start" in ended.err
    assert at("run", "list", "--json").json == []


def test_exec_ends_with_the_exit_code_of_its_command(at: Callable[..., Any], recipe: str, home: Path) -> None:
    script = "import os, sys; print('said'); sys.exit(3 if '--fail' in sys.argv else 0)"
    for words, code, status, error in (
        ([], 0, "completed", None), (["--fail"], 3, "failed", "ended with exit code 3"),
    ):  # fmt: skip
        ended = at("run", "exec", "--recipe", recipe, "--", sys.executable, "-c", script, *words)
        assert ended.code == code
        run = at("run", "list", "--json").json[-1]
        assert (run["status"], run["error"]) == (status, error)
        assert f"Run {run['id']} is {status}." in ended.err


def test_the_command_of_exec_keeps_its_own_flags(shell: Callable[..., Any], registry_path: Path) -> None:
    base = ["pacha", "--registry", registry_path]
    assert shell(*base, "init").code == 0
    echo = "import sys, os; print(*sys.argv[1:], os.environ['PACHA_RUN_ID'])"
    ended = shell(*base, "run", "exec", "--param", "lr=0.1", "--", sys.executable, "-c", echo, "--json", "-q", "x")
    (run,) = shell(*base, "run", "list", "--json").json
    assert ended.out == f"--json -q x {run['id']}\n"
    assert run["params"] == {"lr": 0.1}
    ended = shell(*base, "--json", "run", "exec", "--", sys.executable, "-c", echo)
    assert json.loads(ended.out)["status"] == "completed"
    assert json.loads(ended.out)["id"] in ended.err
    command = f"pacha run log $PACHA_RUN_ID --metric loss=0.5 --registry '{registry_path}'"
    ended = shell(*base, "run", "exec", "--", "sh", "-c", command)
    assert ended.code == 0, ended.err
    assert shell(*base, "run", "list", "--json").json[-1]["metrics"]["loss"]["last"] == 0.5


@pytest.mark.parametrize(
    ("number", "send", "status", "code"),
    [
        (signal.SIGINT, os.killpg, "cancelled", 130),  # as a terminal does, to all of the group
        (signal.SIGINT, os.kill, "cancelled", 130),  # as a supervisor does, to the one
        (signal.SIGTERM, os.kill, "failed", 143),
    ],
)
def test_a_signal_ends_the_command_and_its_run(
    scripts: Path,
    at: Callable[..., Any],
    registry_path: Path,
    number: signal.Signals,
    send: Callable[[int, int], None],
    status: str,
    code: int,
) -> None:
    words = [scripts / "pacha", "--registry", registry_path, "run", "exec", "--", "sh", "-c", "echo up; exec sleep 60"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        (run,) = at("run", "list", "--json").json
        assert run["status"] == "running"
        time.sleep(0.1)
        send(process.pid, number)
        assert process.wait(30) == code
    assert at("run", "get", run["id"], "--json").json["status"] == status


def test_what_is_no_program_is_a_run_that_failed(at: Callable[..., Any], tmp_path: Path) -> None:
    script = put(tmp_path / "no-first-line", b"echo up\n")
    script.chmod(0o755)
    ended = at("run", "exec", "--", script)
    assert ended.code == 1
    assert "Hint: " in ended.err
    (run,) = at("run", "list", "--json").json
    assert run["status"] == "failed"
    assert "format" in run["error"]


def test_a_shell_that_was_interrupted_is_a_run_that_was_cancelled(at: Callable[..., Any]) -> None:
    assert at("run", "exec", "--", "sh", "-c", "exit 130").code == 130
    assert [run["status"] for run in at("run", "list", "--json").json] == ["cancelled"]


def test_plot_and_download(at: Callable[..., Any], tmp_path: Path) -> None:
    ids = [finished(at, "0.5", "--param", f"name={name}") for name in ("<script>alert(1)</script>", "plain")]
    drawn = tmp_path / "loss.svg"
    assert at("run", "plot", *ids, "-m", "loss", "-o", drawn).code == 0
    text = drawn.read_text()
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    out = at("run", "download", ids[0], "-o", tmp_path / "out")
    assert out.code == 0
    assert (tmp_path / "out/metrics.series").read_bytes().startswith(b"pacha series 1\n")
    assert at("run", "download", ids[0], "-o", tmp_path / "out").code == 4


def test_register_names_the_run(at: Callable[..., Any], recipe: str, tmp_path: Path) -> None:
    run_id = begun(at, "--recipe", recipe)
    ended = at("model", "register", "m", put(tmp_path / "m.bin"), "-v", "1.0.0", "--run", run_id, "--json")
    assert ended.json["lineage"][0]["name"] == run_id
    assert at("model", "register", "m", put(tmp_path / "m.bin"), "-v", "2.0.0", "--run", UNKNOWN).code == 3
    edges = at("model", "lineage", "m@1.0.0", "--depth", "1", "--format", "json").json["edges"]
    assert edges == [{"from": "model:m@1.0.0", "to": f"run:{run_id}", "relation": "generated-by", "params": {}}]
    assert at("run", "finish", run_id).code == 0
    assert at("run", "lineage", run_id, "--down", "--json").json["edges"] == edges
    (up,) = at("run", "lineage", f"run:{run_id}", "--json").json["edges"]
    assert (up["from"], up["to"]) == (f"run:{run_id}", "recipe:fit@1.0.0")
    assert f"pacha:run/{run_id}" in str(at("run", "lineage", run_id, "--format", "prov").json["activity"])
    assert at("run", "lineage", run_id, "--up", "--down").code == 2
    assert at("run", "lineage", UNKNOWN).code == 3


def test_a_run_that_ended_on_two_machines(pacha: Callable[..., Any], at: Callable[..., Any], tmp_path: Path) -> None:
    hub, other = tmp_path / "hub.git", tmp_path / "other.git"
    run_id = begun(at)
    assert pacha("init", hub).code == 0
    at("remote", "add", "origin", hub)
    assert at("push").out.startswith("Pushed to origin: 1 run")
    assert pacha("clone", hub, other).code == 0
    for each in (at, lambda *words: pacha("--registry", other, *words)):
        each("run", "log", run_id, "--metric", f"loss={id(each)}")
        assert each("run", "finish", run_id).code == 0
        ended = each("push")
    assert ended.code == 4
    ref = f"refs/pacha/runs/{run_id}"
    assert f"update-ref -d {ref}, then pull" in ended.err
    subprocess.run(["git", "-C", other, "update-ref", "-d", ref], check=True)
    assert pacha("--registry", other, "pull").code == 0
    theirs = pacha("--registry", other, "run", "get", run_id, "--json").json
    assert (theirs["commit"], theirs["payload"]) == (at("run", "get", run_id, "--json").json["commit"], "thin")
    assert pacha("--registry", other, "push").code == 0
    assert pacha("--registry", other, "pull", f"run:{run_id}").code == 0


def test_help_needs_no_registry(pacha: Callable[..., Any]) -> None:
    for word in ("start", "log", "finish", "exec", "list", "get", "lineage", "compare", "best", "plot", "download"):
        assert pacha("run", word, "-h").code == 0
