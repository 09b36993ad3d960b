"""The session in README.md: its commands, what they print when they are typed, and how the two are kept together.

``python -m tests.docs.readme`` types the session and, where it prints something else by now, writes that into README.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
_SESSION = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)
# What differs from one machine and one minute to the next.
_VOLATILE = (
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "SHA256:…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?"), "WHEN"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "OID"),
    (re.compile(r"settings; [0-9.]+"), "settings; SOME"),
)


@dataclass(frozen=True)
class Step:
    """A command, what it printed on both streams, and how it ended."""

    command: str
    output: str
    status: int = 0

    @property
    def lasting(self) -> str:
        """What it prints on any machine at any time."""
        text = self.output
        for pattern, word in _VOLATILE:
            text = pattern.sub(word, text)
        return text.strip()


def shown() -> list[Step]:
    """Each command of the session with what the README prints after it."""
    [session] = _SESSION.findall(README.read_text("utf-8"))
    parts = re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]
    return [Step(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def program() -> str:
    """What the README shows of Python, to be run after the session."""
    [program] = _PROGRAM.findall(README.read_text("utf-8"))
    return str(program)


def typed(commands: list[str], folder: Path) -> list[Step]:
    """Type commands into one shell, as a person does, with a HOME of its own; it ends early if one of them exits."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada L\n\temail = ada@example.org\n")
    env = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    # A line of its own tells where an answer ends.
    script = "".join(f"{command} 2>&1\nprintf '\\036%s\\n' $?\n" for command in commands)
    done = subprocess.run(
        ["bash"], input=script, env=env, cwd=work, capture_output=True, text=True, timeout=110, check=True
    )
    answers = re.split("\036(\\d+)\n", done.stdout.replace(str(work), "$PWD"))
    triples = zip(commands, answers[0::2], answers[1::2], strict=False)
    return [Step(command, output, int(status)) for command, output, status in triples]


def write(steps: list[Step]) -> None:
    """Put a session into the README."""
    session = "".join(f"$ {step.command}\n{step.output}" for step in steps)
    README.write_text(_SESSION.sub(lambda _: session, README.read_text("utf-8")), "utf-8")


def main() -> int:
    """Write what the session prints now, if that is not what stands there."""
    before = shown()
    with tempfile.TemporaryDirectory() as folder:
        now = typed([step.command for step in before], Path(folder))
    failed = [step for step in now if step.status]
    for step in failed:
        print(f"$ {step.command}\n{step.output}ended with {step.status}", file=sys.stderr)
    if failed or len(now) < len(before):
        return 1
    if [step.lasting for step in now] != [step.lasting for step in before]:
        write(now)
        print(f"{README.name} has the session as it is typed now")
    return 0


if __name__ == "__main__":
    sys.exit(main())
