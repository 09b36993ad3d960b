from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacha_git.errors import NotFound
from pacha_git.system.environment import COUNT, LOCAL_ENV_VARS, PARAMETERS, clean_environment
from pacha_git.system.process import CommandFailed, run, run_watched, started


def test_a_program_that_ends_well_gives_what_it_wrote() -> None:
    done = run(
        [sys.executable, "-c", "import sys; print(sys.stdin.read()[::-1]); print('e', file=sys.stderr)"], stdin=b"abc"
    )
    assert (done.stdout, done.stderr) == (b"cba\n", "e\n")


def test_a_program_that_ends_badly_is_told_with_its_last_line() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3: last$") as caught:
        run([sys.executable, "-c", "import sys; print('out'); print('first\\nlast', file=sys.stderr); sys.exit(3)"])
    assert (caught.value.status, caught.value.stdout) == (3, b"out\n")
    assert caught.value.stderr == "first\nlast\n"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    for start in (lambda: run(["no-such-program"]), lambda: run_watched(["no-such-program"], on_stderr=print)):
        with pytest.raises(NotFound, match="no-such-program is not installed") as caught:
            start()
        assert "install" in caught.value.hint
    with pytest.raises(NotFound, match="no such folder"):
        run(["git", "version"], cwd=tmp_path / "nowhere")


def test_a_program_that_takes_too_long_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(CommandFailed, match="no answer within"):
        run(["sleep", "60"], timeout=0.1)
    assert time.monotonic() - begun < 10


def test_nothing_inherited_names_another_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, check=True, text=True)
    assert set(listed.stdout.split()) - set(LOCAL_ENV_VARS) == {COUNT, PARAMETERS}  # a person's settings, as they are
    for name in LOCAL_ENV_VARS:
        monkeypatch.setenv(name, "elsewhere")
    left = clean_environment({"EXTRA": "1"})
    assert {name for name in LOCAL_ENV_VARS if name in left} == {"GIT_NO_REPLACE_OBJECTS"}
    assert (left["GIT_NO_REPLACE_OBJECTS"], left["LC_ALL"], left["EXTRA"]) == ("1", "C", "1")


def test_progress_is_handed_on_step_by_step() -> None:
    script = r"import sys; sys.stderr.write('a 1%\ra 50%\ra 100%\nünfinished'); print('out')"
    steps: list[str] = []
    done = run_watched([sys.executable, "-X", "utf8", "-c", script], on_stderr=steps.append, stdin=b"x" * 300_000)
    assert steps == ["a 1%", "a 50%", "a 100%", "ünfinished"]
    assert done.stdout == b"out\n"
    with pytest.raises(CommandFailed, match="ended with 4: why"):
        run_watched([sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(4)"], on_stderr=steps.append)


def test_a_program_is_ended_with_its_block() -> None:
    begun = time.monotonic()
    with pytest.raises(KeyError), started(["sleep", "60"]) as child:
        raise KeyError
    assert child.poll() is not None
    assert time.monotonic() - begun < 5


def test_a_program_that_won_t_end_is_killed() -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    with started([sys.executable, "-c", script]) as child:
        assert child.stdout is not None
        child.stdout.readline()
    assert child.poll() == -9
