"""No text of somebody else's reaches a terminal, a pipe, a page or a log as something that is acted upon."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.cli.program import root
from pacha_git.cli.showing import output
from pacha_git.vocabulary.printable import clean, clean_json, one_line
from tests.cli.conftest import run_inside
from tests.cli.hostile_registry import ACTED_UPON, EVIL, LINE, build
from tests.docs.test_man_page import leaves
from tests.making import put

# Each command as it may meet such text; {} is a folder of files.
COMMANDS = """
stats | version | help | status | search colours | search m | doctor | settings show | remote list
verify --all | verify m@1.2.0 | fsck | gc --dry-run | reindex | key list | run list | run get {run} | run get {other}
run lineage {other} | run compare {run} {other} | run best train -v 1.0.0 -m loss
run plot {run} -m loss -o {folder}/plot.svg | run download {run} -o {folder}/points
model list | model list m | model list --all | model list --removed | model list --tag {evil} | data list | recipe list
model get m@1.2.0 | model get m@1.1.0 | data get rows | recipe get train | model path m@1.0.0 | data path rows
model history m | model lineage m@1.2.0 | model lineage m@1.2.0 --format dot | model lineage m@1.2.0 --format mermaid
model lineage m@1.2.0 --format json | model lineage m@1.2.0 --format prov | data lineage rows --down
model diff m@1.0.0 m@1.2.0 | model diff m@1.2.0 m@1.1.0 | model card m@1.2.0 | model card m@1.1.0
model card m@1.2.0 --skeleton | model card m@1.0.0 --skeleton | data card rows --skeleton
data datasheet rows --skeleton | data cat rows | cat model:m@1.1.0 | model download m@1.2.0 -o {folder}/m
recipe download train -o {folder}/t.toml | recipe validate train
recipe validate {folder}/bad.toml | hook run pacha-recipe {folder}/bad.toml
hook run pacha-card {folder}/bad.md | hook install {folder}/{line}
model stage m@1.2.0 -t production -m {evil} | model alias m {line} -v 1.2.0 | model alias m x -v 1.2.0
model tag m@1.2.0 {line}={evil} | model describe m@1.0.0 {evil} | model rm m@1.1.0 -m {evil}
model register {line} {folder}/bad.md -v 1.0.0 | model register x {folder}/{line} -v 1.0.0
model register x {folder}/bad.md -v 1.0.0 --card {folder}/bad.md | recipe register {folder}/bad.toml
run import csv {folder}/runs.csv | run start --param {line}=1 --tag {line}={evil} | run finish {run}
run log {run} --metric {line}=1 | run exec -- {folder}/{line} | run import mlflow {folder}/{line}
model import hf {folder}/{line} h
remote add {line} {folder}/x | remote add there {folder}/{line} | fetch there | pull there | push there | evict m@1.0.0
remote add hub {folder}/hub.git | push hub | push hub --dry-run | fetch hub | pull hub
settings adopt hub | settings publish hub
remote remove there | remote remove hub
bundle create {folder}/b.bundle m | bundle import {folder}/b.bundle | bundle import {folder}/bad.md
clone {folder}/{line} {folder}/copy | clone {folder}/hub.git {folder}/copy
removal list | removal accept m@1.2.0 | removal refuse m@1.1.0 | attestation refuse {line} | cache list
cache clear m@1.0.0 | settings layout {line} | key untrust {line} | model rm --undo m@1.1.0
init {folder}/new{line} | sign m@1.2.0 | key trust {folder}/bad.md --as {line} | {line}
"""
# These say what is ours alone, or wait to be asked.
SAY_NOTHING_OF_OTHERS = {"demo", "completion", "serve", "key generate"}

Commands = list[list[str]]


@pytest.fixture
def commands(tmp_path: Path, registry_path: Path) -> Commands:
    assert run_inside("--registry", registry_path, "init").code == 0
    run = build(registry_path, tmp_path / "scratch")
    other = run[:-1] + ("0" if run[-1] != "0" else "1")
    folder = tmp_path / "folder"
    put(folder / "bad.md", f"---\nlicense: [{LINE}\n---\n# {EVIL}\n".encode())
    put(folder / "bad.toml", f'name = "{LINE}"\nversion = "{LINE}"\n'.encode())
    put(folder / "runs.csv", f"run,step,loss,{LINE}\na{LINE},1,1,{LINE}\n".encode())
    subprocess.run(["git", "init", "-q", "--bare", folder / "hub.git"], check=True)
    filled = {"run": run, "other": other, "folder": str(folder), "evil": EVIL, "line": LINE}
    every = [line.split() for part in COMMANDS.strip().split("\n") for line in part.split(" | ")]
    return [["--registry", str(registry_path), *(word.format(**filled) for word in words)] for words in every]


def modes() -> list[Any]:
    return [
        pytest.param((), False, id="pipe"), pytest.param(("--json",), False, id="json"),
        pytest.param((), True, id="terminal"), pytest.param(("--verbose",), True, id="verbose", marks=pytest.mark.soak),
    ]  # fmt: skip


@pytest.mark.damaged
@pytest.mark.parametrize(("flags", "terminal"), modes())
def test_no_command_hands_it_on(commands: Commands, flags: tuple[str, ...], terminal: bool) -> None:
    for words in commands:
        ended = run_inside(*flags, *words, terminal=terminal)
        shown = words[2:]
        assert ended.code != 70, (shown, ended.err)
        pipes_bytes = not terminal and "cat" in shown[:2]
        if not pipes_bytes:
            assert _raw(ended.out, terminal) == [], shown
        assert _raw(ended.err, terminal) == [], shown
        if flags == ("--json",) and ended.code == 0 and ended.out and not pipes_bytes:
            json.loads(ended.out)


def _raw(text: str, terminal: bool) -> list[str]:
    """What is acted upon in a text, but for the styles that we choose on a terminal."""
    ours = re.sub("\x1b\\[[0-9;]*m|\x1b\\[\\?25[lh]|\x1b\\[[12]K|\x1b\\[1A|\r", "", text) if terminal else text
    # The colours in what is hostile are red: none of ours are.
    return sorted(set(ACTED_UPON.findall(ours))) + ["red"] * ("\x1b[31m" in text)


def test_every_command_is_tried() -> None:
    """Said of one noun, a verb that all share is said of all."""
    tried = set()
    for words in re.split(r" \| |\n", COMMANDS.strip()):
        said = words.split()
        from_verb = said[said[0] in root.NOUNS :]
        tried |= {" ".join(from_verb[:length]) for length in (1, 2, 3)}
    left = {" ".join(path) for path, _ in leaves(root.command())} - tried
    assert left == SAY_NOTHING_OF_OTHERS


@pytest.mark.damaged
def test_nothing_of_it_reaches_a_real_terminal(commands: Commands, scripts: Path) -> None:
    for words in (each for each in commands if each[2:4] in (["model", "get"], ["model", "card"], ["data", "cat"])):
        master, slave = pty.openpty()
        child = subprocess.Popen([scripts / "git-pacha", *words], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        said = b""
        while block := _read(master):
            said += block
        assert child.wait(30) == 0
        os.close(master)
        assert _raw(said.decode(), terminal=True) == [], words[2:]


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # Linux's word for a terminal that the last program has left
        return b""


def test_a_parameter_of_an_edge_draws_no_branch(commands: Commands) -> None:
    ended = run_inside(*commands[0][:2], "model", "lineage", "m@1.2.0")
    assert len(ended.out.splitlines()) == 2
    assert "\\n└── trained-on" in ended.out


def test_a_log_of_a_bug_is_as_clean(monkeypatch: pytest.MonkeyPatch, registry_path: Path, home: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(EVIL)

    monkeypatch.setattr(root, "invoke", fail)
    ended = run_inside("--registry", registry_path, "stats")
    assert ended.code == 70
    log = next((home / ".local" / "state" / "pacha").glob("bug-*.log"))
    assert ACTED_UPON.findall(log.read_text()) == []


def test_styles_are_ours_alone() -> None:
    assert output.styled("\x1b[1mx") != output.styled("x")
    text = output.styled(f"\x1b[1m{clean(EVIL)}\x1b[0m")
    kept = sys.stdout
    raw = _Captured()
    sys.stdout = raw  # type: ignore[assignment]
    try:
        output.write(text + "\x1b[5m\ufdd0" + "0" * 16 + "\ufdd0[5m")
    finally:
        sys.stdout = kept
    assert raw.text.count("\x1b") == 2


class _Captured:
    text = ""

    def write(self, text: str) -> None:
        self.text += text


@given(st.text(st.characters()))
def test_what_is_made_harmless_can_be_read_again(text: str) -> None:
    assert not ACTED_UPON.search(one_line(text))
    assert not ACTED_UPON.search(clean(text))
    as_json = clean_json(json.dumps(text, ensure_ascii=False))
    assert not ACTED_UPON.search(as_json)
    assert json.loads(as_json) == text
    as_json.encode()
