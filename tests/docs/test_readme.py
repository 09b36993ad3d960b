"""The session in README.md, typed word for word, gives what README.md prints."""

from __future__ import annotations

from pathlib import Path

from tests.docs.readme import program, shown, typed


def test_the_session_gives_what_the_readme_prints(tmp_path: Path) -> None:
    steps = shown()
    assert len(steps) > 15
    (tmp_path / "program.py").write_text(program() + "assert len(head) == 1024\n")
    *now, python = typed([*(step.command for step in steps), "python ../program.py"], tmp_path)
    for expected, step in zip(steps, now, strict=False):
        assert step.status == 0, step
        assert step.lasting == expected.lasting, f"{step.command}\n(`make docs` writes it anew)"
    assert len(now) == len(steps)
    assert (python.status, python.output) == (0, "")
