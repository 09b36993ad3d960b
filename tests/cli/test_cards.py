"""``card``: shown, set, edited in a terminal, begun; and ``get``, ``lineage --format prov`` beside it."""

from __future__ import annotations

import os
import pty
import selectors
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import REPOSITORY, Ended

Run = Callable[..., Ended]
CARD = """\
---
license: mit
tags: [a, b]
---

# Model Details

A model with a <script>alert("x")</script> and a [link](https://example.org/there).

<div onclick="evil()">block</div>

| metric | value |
|---|---|
| auc | 0.9 |
"""


@pytest.fixture
def model(at: Run, tmp_path: Path) -> Run:
    (tmp_path / "m.bin").write_bytes(b"weights, and more")
    assert at("model", "register", "m", tmp_path / "m.bin", "-v", "1.0.0").code == 0
    return at


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.md"
    path.write_text(CARD)
    return path


def test_set_show_get(model: Run, card: Path) -> None:
    none = model("model", "card", "m")
    assert none.code == 3
    assert "--skeleton > card.md" in none.err
    done = model("model", "card", "m@1.0.0", "--set", card)
    assert (done.code, done.out) == (0, "The card of model m 1.0.0 is kept.\n")
    assert "It says nothing yet on Intended Use" in done.err
    shown = model("model", "card", "m")
    assert shown.out == CARD  # to a pipe as it is
    found = model("model", "card", "m", "-v", "1.0.0", "--json").json
    assert (found["card"], found["source"], found["problems"]) == (CARD, "attestation", [])
    assert found["metadata"] == {"license": "mit", "tags": ["a", "b"]}
    assert "Factors" in found["missing"]
    assert model("model", "get", "m", "--json").json["card"] == CARD


def test_drawn_for_a_terminal_markup_is_text(model: Run, card: Path) -> None:
    card.write_text(CARD + "\n\x1b]0;title\x07 \u202e\n")
    assert model("model", "card", "m@1.0.0", "--set", card).code == 0
    drawn = model("model", "card", "m", terminal=True).out
    assert '<script>alert("x")</script>' in drawn
    assert '<div onclick="evil()">block</div>' in drawn
    assert "https://example.org/there" in drawn
    assert "\x1b]" not in drawn
    assert "\u202e" not in drawn
    assert "license" in drawn
    assert "Model Details" in drawn


def test_a_card_with_the_line_ends_of_windows(model: Run, card: Path) -> None:
    card.write_bytes(b"---\r\nlicense: mit\r\n---\r\n# Uses\r\n")
    assert model("model", "card", "m@1.0.0", "--set", card).code == 0
    assert model("model", "card", "m").out == "---\nlicense: mit\n---\n# Uses\n"
    found = model("model", "card", "m", "--json").json
    assert (found["card"].encode(), found["metadata"]) == (card.read_bytes(), {"license": "mit"})


def test_files_that_are_no_cards_have_a_next_step(model: Run, tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"\xff")
    for name, code in (("absent.md", 3), ("latin.md", 1), (".", 1)):
        ended = model("model", "card", "m@1.0.0", "--set", tmp_path / name)
        assert ended.code == code
        assert "Hint: " in ended.err


def test_bad_cards_are_refused_with_their_line(model: Run, card: Path, tmp_path: Path) -> None:
    card.write_text("---\nlicense: [mit\ntags: x\n---\n")
    bad = model("model", "card", "m@1.0.0", "--set", card)
    assert bad.code == 1
    assert f"{card}:3:5: not YAML" in bad.err
    assert model("model", "card", "m@1.0.0", "--set", tmp_path / "absent.md").code == 3
    assert model("model", "card", "m@1.0.0", "--set", card, "--skeleton").code == 2
    assert model("model", "card", "absent", "--set", card).code in (1, 3)
    assert model("recipe", "card", "m").code == 2
    card.write_bytes(b"\xff")
    assert model("model", "card", "m@1.0.0", "--set", card).code == 1
    assert model("model", "card", "m").code == 3


def test_registered_with_a_card_that_lacks_much(at: Run, card: Path, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"weights, and more")
    done = at("model", "register", "m", tmp_path / "m.bin", "-v", "1.0.0", "--card", card)
    assert done.code == 0
    assert "card.md says nothing yet on Intended Use, Factors" in done.err
    assert at("model", "card", "m", "--json").json["source"] == "record"


def test_the_skeleton_becomes_the_card(model: Run, tmp_path: Path) -> None:
    text = model("model", "card", "m", "--skeleton").out
    assert text.startswith("---\n")
    assert "## Ethical Considerations" in text
    (tmp_path / "new.md").write_text(text)
    assert model("model", "card", "m@1.0.0", "--set", tmp_path / "new.md").code == 0
    assert model("model", "card", "m", "--skeleton", "--json").json["skeleton"].startswith("---\n")


def test_a_datasheet_is_begun_and_kept(at: Run, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,x\n2,\n")
    assert at("data", "register", "d", tmp_path / "d.csv", "-v", "1.0.0", "-p", "to test").code == 0
    text = at("data", "card", "d", "--skeleton").out
    assert "features:\n  a:\n    dtype: int64\n" in text
    (tmp_path / "sheet.md").write_text(text)
    assert (
        at("data", "card", "d@1.0.0", "--set", tmp_path / "sheet.md").out == "The datasheet of data d 1.0.0 is kept.\n"
    )
    assert at("data", "get", "d", "--json").json["datasheet"] == text
    assert at("data", "datasheet", "d").out == text


def test_from_stdin_and_signed(model: Run, registry_path: Path, shell: Run) -> None:
    assert model("key", "generate").code == 0
    done = shell("git-pacha", "--registry", registry_path, "model", "card", "m@1.0.0", "--set", "-", "--sign",
                 input=CARD.encode())  # fmt: skip
    assert done.code == 0, done
    assert model("model", "card", "m").out == CARD
    commit = model("model", "get", "m", "--json").json["commit"]
    notes = shell("git", "-C", registry_path, "notes", "--ref=pacha/models/m/_attestations", "show", commit)
    assert "BEGIN SSH SIGNATURE" in notes.out


def test_what_files_say_is_shown(at: Run, tmp_path: Path) -> None:
    golden = REPOSITORY / "tests" / "golden" / "formats"
    done = at("model", "register", "m", golden / "state.pt", golden / "tiny.gguf", "-v", "1.0.0")
    assert done.code == 0
    assert "state.pt is a pickle (pytorch): loading it runs the code in it" in done.err
    sheet = at("model", "get", "m").out
    assert "89 float32, int64" in sheet
    assert "code that runs when it is loaded, with " in sheet
    assert "torch._utils._rebuild_tensor_v2" in "".join(sheet.split())
    formats = at("model", "get", "m", "--json").json["formats"]
    assert [(each["path"], each["format"]) for each in formats] == [("state.pt", "pytorch"), ("tiny.gguf", "gguf")]


def test_lineage_as_prov_is_one_document(model: Run) -> None:
    for words in (("--format", "prov"), ("--format", "prov", "--json")):
        found = model("model", "lineage", "m", *words).json
        assert set(found["entity"]) == {"pacha:model/m@1.0.0"}
        assert found["prefix"]["pacha"] == "urn:pacha:"
    assert model("model", "lineage", "m", "--format", "nonsense").code == 2


# In a terminal ------------------------------------------------------------------------------------------------------


def test_edit_takes_a_terminal(model: Run) -> None:
    refused = model("model", "card", "m@1.0.0", "--edit")
    assert refused.code == 2
    assert "--set FILE" in refused.err


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An editor that appends a line, and tells which file it was given."""

    def make(line: str, status: int = 0) -> None:
        script = tmp_path / "my editor"
        script.write_text(
            f"#!/bin/sh\ncp \"$1\" '{tmp_path}/was.md'\nprintf '%s\\n' '{line}' >> \"$1\"\nexit {status}\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("VISUAL", f"'{script}'")

    return make


def in_terminal(*words: str | Path) -> tuple[int, str]:
    """Run the program with a terminal for all three streams."""
    program = "import sys; from pacha_git.cli.main import main; sys.exit(main(['git-pacha', *sys.argv[1:]]))"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", program, *map(str, words)])
    said = b""
    selector = selectors.DefaultSelector()  # select() knows no descriptor above 1023
    selector.register(terminal, selectors.EVENT_READ)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        ready = selector.select(1)
        try:
            block = os.read(terminal, 65536) if ready else None
        except OSError:
            break
        if block == b"":
            break
        said += block or b""
    selector.close()
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode()


def test_edit_keeps_what_the_editor_saved(
    model: Run, card: Path, registry_path: Path, editor: Callable[..., None], tmp_path: Path
) -> None:
    editor("Written in the editor.")
    code, said = in_terminal("--registry", registry_path, "model", "card", "m@1.0.0", "--edit")
    assert (code, "is kept" in said) == (0, True), said
    assert "## Ethical Considerations" in (tmp_path / "was.md").read_text()  # begun from the skeleton
    assert model("model", "card", "m").out.endswith("Written in the editor.\n")
    editor("", status=3)
    code, said = in_terminal("--registry", registry_path, "model", "card", "m@1.0.0", "--edit")
    assert code == 1
    assert "ended with 3" in said


def test_an_editor_that_changed_nothing_leaves_nothing(
    model: Run, registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for editor, ends, says in (("true", 0, "Nothing was changed"), ("false", 1, "set EDITOR")):
        monkeypatch.setenv("VISUAL", editor)
        code, said = in_terminal("--registry", registry_path, "model", "card", "m@1.0.0", "--edit")
        assert (code, says in said) == (ends, True), said
    assert list(tmp_path.glob("pacha-*")) == []
    assert model("model", "card", "m@1.0.0").code == 3  # a skeleton that nobody touched is no card


def test_what_was_written_is_not_lost(
    model: Run,
    registry_path: Path,
    editor: Callable[..., None],
    card: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    card.write_text("# Only a body\n")
    assert model("model", "card", "m@1.0.0", "--set", card).code == 0
    monkeypatch.setenv("VISUAL", "sed -i '1i ---\\nlicense: [\\n---'")
    code, said = in_terminal("--registry", registry_path, "model", "card", "m@1.0.0", "--edit")
    assert code == 1
    [kept] = tmp_path.glob("pacha-*/m-card.md")
    assert kept.read_text().endswith("# Only a body\n")
    assert "license: [" in kept.read_text()
    assert kept.name in said.replace("\r\n", "")
    assert model("model", "card", "m").out == "# Only a body\n"
    monkeypatch.setenv("VISUAL", "true")
    code, said = in_terminal("--registry", registry_path, "model", "card", "m@1.0.0", "--edit")
    assert (code, "Nothing was changed" in said) == (0, True)
