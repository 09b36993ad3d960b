"""What a run records of its surroundings holds no credential, and the difference of its code still applies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.errors import InvalidInput, PachaError
from pacha_git.registry.runs import credentials
from pacha_git.registry.runs.code_diff import clean_diff
from pacha_git.store.runs import commits as run_commits
from tests.cli.conftest import run_inside
from tests.making import put

TOKEN = "hf_" + "a" * 34
SECRET = "SEKRIT99"


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def recorded(registry: Registry, run_id: str) -> dict[str, Any]:
    context = registry._session
    data = run_commits.read_run(context.repo, run_id).data
    assert SECRET.encode() not in data
    found: dict[str, Any] = json.loads(data)
    return found


COMMANDS = [
    ["true", f"postgres://bob:{SECRET}@db/x"],
    ["true", f"--api-key={SECRET}"],
    ["true", "--password", SECRET],
    ["true", f"--DB_PASSWORD={SECRET}"],
    ["true", f"-token:{SECRET}"],
    ["true", "--apiKey", SECRET],
    ["true", TOKEN],
    ["true", f"db.password={SECRET}"],
    ["true", "sh", "-c", f"PGPASSWORD={SECRET} psql"],
    ["true", f"https://x/y?access_token={SECRET}&z=1"],
    ["true", "-H", f"Authorization: Bearer {SECRET}"],
    ["true", f"a=secret={SECRET}"],
    ["true", f'{{"api_key": "{SECRET}"}}'],
    ["true", f"https://{SECRET}@github.com/x"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words[1:])[:30])
def test_a_command_line_loses_its_credentials(registry: Registry, command: list[str]) -> None:
    done = registry.runs.exec(command)
    said = recorded(registry, done.run_id)["environment"]["command"]
    assert said[0] == "true"
    assert "***" in " ".join(said)
    assert TOKEN not in " ".join(said)


HONEST = [
    "true",
    "--max-tokens=512",
    "--pad-token",
    "<pad>",
    "--lr",
    "1e-3",
    "http://host:8080/x@1.0",
    "key=value",
    "-p5",
]


def test_what_is_no_credential_stays(registry: Registry) -> None:
    done = registry.runs.exec(HONEST)
    assert recorded(registry, done.run_id)["environment"]["command"] == HONEST


def test_paths_below_home_are_nobody_s(registry: Registry, home: Path) -> None:
    done = registry.runs.exec(["true", f"{home}/data.csv", f"--out={home}", f"{home}s/x"])
    said = recorded(registry, done.run_id)["environment"]["command"]
    assert said == ["true", "~/data.csv", "--out=~", f"{home}s/x"]


def test_an_exception_loses_them_too(registry: Registry) -> None:
    with pytest.raises(RuntimeError), registry.run() as run:
        raise RuntimeError(f"can't reach postgres://bob:{SECRET}@db/x with password='{SECRET}'")
    assert recorded(registry, run.id)["error"] == "RuntimeError: can't reach postgres://bob:***@db/x with password=***"
    ended = registry.runs.start()
    ended.finish("failed", error=f"--token={SECRET}")
    assert recorded(registry, ended.id)["error"] == "--token=***"


@pytest.mark.parametrize("how", ["flag", "setting", "environment"])
def test_how_much_of_the_command_line_is_recorded(
    registry: Registry, how: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    words = ["true", f"--password={SECRET}x"]
    for mode, expected in (("full", words), ("clean", ["true", "--password=***"]), ("none", None)):
        if how == "setting":
            subprocess.run(["git", "config", "--global", "pacha.recordCommand", mode], check=True)
            credentials.gitconfig._remembered.clear()
        if how == "environment":
            monkeypatch.setenv(credentials.MODE_VARIABLE, mode)
        done = registry.runs.exec(words, record_command=mode if how == "flag" else None)
        said = json.loads(run_commits.read_run(registry._session.repo, done.run_id).data)
        assert said["environment"].get("command") == expected
        assert registry.runs.get(done.run_id).status == "completed"
    with pytest.raises(InvalidInput, match="all of it"):
        registry.runs.exec(words, record_command="all of it")


def test_what_takes_part_in_a_run_records_as_little(registry: Registry, tmp_path: Path) -> None:
    script = put(
        tmp_path / "train.py", b"from pacha_git import Registry\nwith Registry.open().run() as run:\n    run.log(a=1)\n"
    )
    ended = run_inside(
        "--registry",
        registry.path,
        "run",
        "exec",
        "--record-command",
        "none",
        "--",
        _python(),
        script,
        f"--token={SECRET}",
    )
    assert ended.code == 0, ended.err
    assert "command" not in recorded(registry, registry.runs.list()[0].id)["environment"]


def _python() -> str:
    import sys

    return sys.executable


def test_strict_refuses_and_a_parameter_is_said(registry: Registry) -> None:
    run = registry.runs.start(params={"api_key": "hidden-value", "lr": 1}, tags={"url": f"x://u:{SECRET}@h"})
    assert ["api_key" in notice for notice in run.notices if "credential" in notice] == [True, False]
    run.finish()
    for wrong in ({"params": {"api_key": "hidden"}}, {"tags": {"t": TOKEN}}, {"command": ["x", f"--token={SECRET}"]}):
        with pytest.raises(PachaError, match="looks like a credential") as caught:
            registry.runs.start(strict=True, **wrong)  # type: ignore[arg-type]
        assert SECRET not in caught.value.message
    registry.runs.start(strict=True, params={"lr": 1}, command=HONEST).finish()


# The difference of code -----------------------------------------------------------------------------------------------

BEFORE = "import os\n\n\ndef f():\n    return 1\n\n\nx = 1\ny = 2\nz = 3\n"


@pytest.fixture
def code(tmp_path: Path) -> Callable[..., tuple[bytes, Path]]:
    """Commit files, change them, and give the difference and the work tree."""
    tree = tmp_path / "code"
    tree.mkdir()

    def change(before: dict[str, str], after: dict[str, str | None]) -> tuple[bytes, Path]:
        run = ["git", "-C", str(tree)]
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
        for name, text in before.items():
            put(tree / name, text.encode())
        subprocess.run([*run, "add", "."], check=True)
        subprocess.run([*run, "commit", "-qm", "one"], check=True)
        for name, text in after.items():
            (tree / name).unlink() if text is None else put(tree / name, text.encode())
        subprocess.run([*run, "add", "-AN", "."], check=True)
        diff = subprocess.run(
            [*run, "diff", "--binary", "--full-index", "HEAD"], check=True, capture_output=True
        ).stdout
        return diff, tree

    return change


def applied(diff: bytes, tree: Path) -> dict[str, str]:
    subprocess.run(["git", "-C", tree, "reset", "-q", "--hard"], check=True)
    subprocess.run(["git", "-C", tree, "clean", "-qfd"], check=True)
    done = subprocess.run(["git", "-C", tree, "apply", "-"], input=diff, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return {file.name: file.read_text(errors="replace") for file in tree.iterdir() if file.is_file()}


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{SECRET}"',
        f"db = 'postgres://u:{SECRET}@h/d'",
        f"token={TOKEN}",
        f"API_TOKEN={SECRET}",
        KEY.rstrip(),
    ],
    ids=["literal", "url", "token", "setting", "key"],
)
def test_added_lines_are_masked_and_it_applies(code: Callable[..., tuple[bytes, Path]], line: str) -> None:
    diff, tree = code(
        {"a.py": BEFORE}, {"a.py": BEFORE.replace("y = 2", f"{line}\ny = 2"), "new.py": line + "\nb = 1\n"}
    )
    cleaned = clean_diff(diff)
    assert cleaned.left_out == ()
    for secret in (SECRET, TOKEN, "MIIE", "abcd"):
        assert secret.encode() not in cleaned.data
    found = applied(cleaned.data, tree)
    assert found["a.py"].count("\n") == BEFORE.count("\n") + line.count("\n") + 1
    assert "***" in found["a.py"]
    assert found["new.py"].endswith("b = 1\n")


@pytest.mark.parametrize("where", ["context", "removed", "heading", "key in context"])
def test_a_file_with_one_in_context_is_left_out_and_named(code: Callable[..., tuple[bytes, Path]], where: str) -> None:
    secret = KEY.rstrip() if where == "key in context" else f'password = "{SECRET}"'
    if where == "heading":
        secret = f'def f(password="{SECRET}"):\n' + "    pass\n" * 8
    before = {"a.py": BEFORE.replace("x = 1", f"{secret}\nx = 1"), "b.py": BEFORE}
    after: dict[str, str | None] = {name: text.replace("x = 1", "x = 5") for name, text in before.items()}
    if where == "removed":
        after["a.py"] = BEFORE
    diff, tree = code(before, after)
    cleaned = clean_diff(diff)
    assert SECRET.encode() not in cleaned.data
    assert b"abcd" not in cleaned.data
    assert cleaned.left_out == (() if where == "heading" else ("a.py",))
    assert "x = 5" in applied(cleaned.data, tree)["b.py"]


def test_what_has_none_is_as_it_was(code: Callable[..., tuple[bytes, Path]]) -> None:
    before = {
        "a.py": BEFORE,
        "gone": "x\n",
        "crlf": "a\r\nb\r\n",
        "end": "no line end",
        "ctrl": "a\x0cb\x85\u2028c\nd\n",
    }
    after = {
        "a.py": BEFORE.replace("x = 1", "x = 2\nfor a in b: pass"),
        "gone": None,
        "bin": "\0\1\2",
        "crlf": "a\r\nc\r\n",
        "end": "another",
        "ctrl": "a\x0cb\x85\u2028c\ne\x0cf\n",
        "--- a/x": "++ b\n-- c\n",
    }
    diff, tree = code(before, after)
    cleaned = clean_diff(diff)
    assert (cleaned.data, cleaned.left_out) == (diff, ())
    assert applied(cleaned.data, tree)["end"] == "another"


def test_a_run_says_which_changes_it_lacks(
    registry: Registry, code: Callable[..., tuple[bytes, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = BEFORE + f'password = "{SECRET}"\n'
    _, tree = code({"a.py": text, "b.py": BEFORE}, {"a.py": text + "x = 9\n", "b.py": BEFORE + "x = 9\n"})
    monkeypatch.chdir(tree)
    started = run_inside("--registry", registry.path, "run", "start", "--diff")
    assert "a.py" in started.err
    assert run_inside("--registry", registry.path, "run", "finish", started.out.strip()).code == 0
    (run,) = registry.runs.list()
    diff = (registry.runs.download(run.id, tree / "out") / "code.diff").read_text()
    assert SECRET not in diff
    assert diff.count("+x = 9") == 1


# What was recorded before ---------------------------------------------------------------------------------------------


def test_the_doctor_finds_what_an_older_release_recorded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _state(registry) == "ok"
    old = registry.runs.exec(["true", f"--password={SECRET}"], record_command="full")
    registry.runs.exec(["true"])
    finding = run_inside("--registry", registry.path, "doctor")
    assert _state(registry) == "problem"
    assert old.run_id in finding.out
    assert SECRET not in finding.out


def _state(registry: Registry) -> str:
    return next(finding.state for finding in registry.doctor() if finding.check == "credentials")
