"""Runs whose owner dies, that several log to or end at once, that meet a full disk: nothing logged is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from pacha_git import MetricSummary, Registry
from tests.making import git, python


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


# Interruption -------------------------------------------------------------------------------------------------------

OWNER = """
import sys
from pacha_git import Registry
run = Registry.open(sys.argv[1]).run(params={"lr": 0.1})
for step in range(100):
    run.log(loss=float(step), step=step)
print(run.id, flush=True)
sys.stdin.read()
"""


def killed(registry: Registry) -> str:
    """The id of a run whose owner was killed."""
    with python(OWNER, registry.path) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert registry.runs.get(run_id).status == "running"
        process.send_signal(signal.SIGKILL)
    return run_id


def test_a_run_whose_owner_died_is_interrupted_and_has_lost_nothing(registry: Registry) -> None:
    run_id = killed(registry)
    found = registry.runs.get(run_id)
    assert (found.status, found.metrics["loss"].steps) == ("interrupted", 100)
    assert [run.id for run in registry.runs.list(status="interrupted")] == [run_id]
    ended = registry.runs.finish(run_id, "failed", error="killed")
    assert (ended.status, ended.metrics["loss"]) == ("failed", MetricSummary(99, 0, 99, 100))


def test_an_interrupted_run_goes_on_where_it_was(registry: Registry) -> None:
    run_id = killed(registry)
    with registry.run(resume=run_id) as run:
        assert registry.runs.get(run_id).status == "running"
        run.log(loss=100.0)
    assert list(registry.runs.series(run_id)["loss"].steps) == list(range(101))
    assert registry.runs.get(run_id).status == "completed"


def test_owners_of_another_boot_host_or_namespace(registry: Registry) -> None:
    run = registry.run()
    file = registry.path / "pacha/runs" / run.id / "owner.json"
    owner = json.loads(file.read_text())
    for changes, status in (
        ({}, "running"), ({"boot": "another"}, "interrupted"), ({"started": 1}, "interrupted"),
        ({"host": "elsewhere", "boot": "another"}, "running"), ({"namespace": "pid:[1]", "pid": 1}, "running"),
    ):  # fmt: skip
        file.write_text(json.dumps(owner | changes))
        assert registry.runs.get(run.id).status == status, changes
    file.write_text("{ torn")
    assert registry.runs.get(run.id).status == "running"


def test_a_run_begun_by_the_command_line_has_no_owner(registry: Registry) -> None:
    run = registry.runs.start(own=False)
    run.close()
    assert not (registry.path / "pacha/runs" / run.id / "owner.json").exists()
    assert registry.runs.get(run.id).status == "running"


# Many at once -------------------------------------------------------------------------------------------------------

LOGGER = """
import sys
from pacha_git import Registry
run = Registry.open(sys.argv[1]).runs.resume(sys.argv[2], own=False)
for step in range(200):
    run.log({"shared": step, sys.argv[3]: step}, step=step)
run.close()
"""


def test_processes_and_threads_that_log_to_one_run(registry: Registry) -> None:
    run = registry.run()
    processes = [python(LOGGER, registry.path, run.id, f"p{n}") for n in range(2)]
    threads = [
        threading.Thread(target=lambda n=n: [run.log({f"t{n}": s}, step=s) for s in range(200)]) for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    run.finish()
    found = registry.runs.get(run.id).metrics
    assert found["shared"].steps == 400
    assert {found[name].steps for name in ("p0", "p1", "t0", "t1")} == {200}


def test_two_who_end_a_run_at_once_end_it_once(registry: Registry) -> None:
    run = registry.run()
    run.log(loss=1.0)
    script = (
        "import sys\nfrom pacha_git import Registry\nRegistry.open(sys.argv[1]).runs.finish(sys.argv[2], sys.argv[3])\n"
    )
    words = ["completed", "completed", "failed"]
    processes = [python(script, registry.path, run.id, word) for word in words]
    codes = [process.wait(60) for process in processes]
    status = registry.runs.get(run.id).status
    assert [code == 0 for code in codes] == [word == status for word in words]
    assert registry.runs.get(run.id).metrics["loss"].steps == 1
    assert git(registry.path, "rev-list", "--count", f"refs/pacha/runs/{run.id}").strip() == "2"


def test_a_full_disk_at_the_end_leaves_the_run_as_it_was(registry: Registry) -> None:
    script = (
        "import resource, signal, sys\nfrom pacha_git import PachaError, Registry\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nrun = Registry.open(sys.argv[1]).run()\n"
        "import random\n[run.log(loss=random.random()) for _ in range(5000)]\nprint(run.id, flush=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n    run.finish()\nexcept PachaError as error:\n    print(error.message)\n"
    )
    with python(script, registry.path) as process:
        run_id, message = process.communicate(timeout=60)[0].splitlines()
    assert "can't" in message or "space" in message
    assert registry.runs.get(run_id).status == "interrupted"
    assert registry.runs.finish(run_id).metrics["loss"].steps == 5000
    assert subprocess.run(["git", "-C", str(registry.path), "fsck", "--strict"], check=False).returncode == 0
