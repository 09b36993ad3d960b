"""The session in README.md, typed word for word, gives what README.md prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What differs from one machine and one minute to the next.
VOLATILE = (
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "SHA256:…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?"), "WHEN"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "OID"),
    (re.compile(r"settings; [0-9.]+"), "settings; SOME"),
)


def steps() -> list[tuple[str, str]]:
    """Each command of the session with what the README prints after it."""
    [session] = SESSION.findall((ROOT / "README.md").read_text())
    parts = re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def masked(text: str) -> str:
    for pattern, word in VOLATILE:
        text = pattern.sub(word, text)
    return text.strip()


def test_the_session_gives_what_the_readme_prints(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada L\n\temail = ada@example.org\n")
    env = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    shown = steps()
    assert len(shown) > 15
    # One shell for all, as a person has one; a line of its own tells where an answer ends.
    script = "".join(f"{command} 2>&1\nprintf '\\036%s\\n' $?\n" for command, _ in shown)
    done = subprocess.run(
        ["bash"], input=script, env=env, cwd=work, capture_output=True, text=True, timeout=110, check=True
    )
    answers = re.split("\036(\\d+)\n", done.stdout)
    for (command, expected), answer, status in zip(shown, answers[0::2], answers[1::2], strict=False):
        assert status == "0", f"{command}: {answer}"
        assert masked(answer) == masked(expected.replace("$PWD", str(work))), command
    assert len(answers) == 2 * len(shown) + 1
