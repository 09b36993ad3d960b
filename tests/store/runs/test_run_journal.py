"""The journal: what a call acknowledged survives a kill, torn tails are left out, many writers lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pacha_git.errors import Conflict, InvalidInput
from pacha_git.store.runs import journal
from pacha_git.store.runs.journal import JournalWriter, closing, prepare
from pacha_git.store.runs.reader import read_journal

REPOSITORY = Path(__file__).resolve().parents[3]
KILLED = """
import sys, pathlib
from pacha_git.store.runs.journal import JournalWriter
writer = JournalWriter(pathlib.Path(sys.argv[1]))
for step in range(10**9):
    writer.points({"loss": float(step)}, step)
    if step % 100 == 0:
        print(step, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    prepare(path)
    return path


def test_what_is_written_is_read(folder: Path) -> None:
    writer = JournalWriter(folder)
    writer.points({"loss": 0.5, "acc": 1}, 3)
    writer.points({"loss": float("nan")}, 2)
    writer.note({"params": "lr = 0.1\n", "tags": {"a": "b"}, "error": "first"})
    writer.note({"params": "lr = 0.2\nn = 1\n", "error": "second"})
    writer.close()
    found = read_journal(folder)
    assert list(found.series["loss"].steps) == [3, 2]
    assert list(found.series["acc"].values) == [1.0]
    assert found.params == {"lr": 0.2, "n": 1}
    assert (found.tags, found.notes) == ({"a": "b"}, {"error": "second"})


def test_points_without_a_step_go_on_from_the_highest(folder: Path) -> None:
    for value in range(2):
        writer = JournalWriter(folder, background=False)
        writer.points({"loss": value})
        writer.points({"loss": value, "other": 1}, 10 * (value + 1))
        writer.points({"loss": value})
        writer.close()
    assert list(read_journal(folder).series["loss"].steps) == [0, 10, 11, 12, 20, 21]
    assert list(read_journal(folder).series["other"].steps) == [10, 20]


def test_what_was_acknowledged_survives_a_kill(folder: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        for _ in range(20):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    steps = list(read_journal(folder).series["loss"].steps)
    assert len(steps) > acknowledged
    assert steps == list(range(len(steps)))


@pytest.mark.parametrize("cut", [1, 5, 9, 20, 36])
def test_a_torn_tail_is_left_out_and_cut_off_by_the_next_writer(folder: Path, cut: int) -> None:
    writer = JournalWriter(folder)
    for step in range(3):
        writer.points({"loss": 1.0}, step)
    writer.close()
    (file,) = folder.glob("*.journal")
    os.truncate(file, file.stat().st_size - cut)
    assert list(read_journal(folder).series["loss"].steps) == [0, 1]
    again = JournalWriter(folder)
    again.points({"loss": 2.0}, 7)
    again.close()
    assert list(folder.glob("*.journal")) == [file]
    assert list(read_journal(folder).series["loss"].steps) == [0, 1, 7]


def test_a_flipped_bit_ends_its_file_and_no_other(folder: Path) -> None:
    first, second = JournalWriter(folder), JournalWriter(folder)
    first.points({"a": 1.0}, 0)
    first.points({"a": 2.0}, 1)
    second.points({"b": 3.0}, 0)
    first.close(), second.close()  # type: ignore[func-returns-value]
    file = min(folder.glob("*.journal"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    found = read_journal(folder)
    assert list(found.series["a"].values) == [1.0]
    assert list(found.series["b"].values) == [3.0]


def test_threads_and_processes_that_log_at_once_lose_nothing(folder: Path) -> None:
    script = (
        "import sys, pathlib\nfrom pacha_git.store.runs.journal import JournalWriter\n"
        "w = JournalWriter(pathlib.Path(sys.argv[1]))\n"
        "for step in range(500): w.points({'shared': step, sys.argv[2]: step}, step)\nw.close()\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(folder), f"own{n}"], cwd=REPOSITORY) for n in range(3)
    ]
    writer = JournalWriter(folder)
    threads = [
        threading.Thread(target=lambda n=n: [writer.points({f"thread{n}": s}, s) for s in range(500)]) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    writer.close()
    found = read_journal(folder).series
    assert len(found["shared"]) == 1500
    for n in range(3):
        assert list(found[f"own{n}"].steps) == list(range(500))
        assert sorted(found[f"thread{n}"].steps) == list(range(500))
    times = list(found["shared"].times)
    assert times == sorted(times)


def test_a_child_of_fork_writes_to_a_file_of_its_own(folder: Path) -> None:
    writer = JournalWriter(folder)
    writer.points({"loss": 1.0}, 0)
    child = os.fork()
    if child == 0:
        try:
            writer.points({"loss": 2.0, "child": 1.0}, 1)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    writer.points({"loss": 3.0}, 2)
    writer.close()
    assert sorted(read_journal(folder).series["loss"].values) == [1.0, 2.0, 3.0]


def test_one_bad_value_and_nothing_is_logged(folder: Path) -> None:
    writer = JournalWriter(folder)
    with pytest.raises(InvalidInput, match="acc"):
        writer.points({"loss": 1.0, "acc": "high"}, 0)
    with pytest.raises(InvalidInput):
        writer.points({"a\nb": 1.0}, 0)
    writer.points({"acc": 1.0}, 0)
    writer.close()
    assert read_journal(folder).series.keys() == {"acc"}


def test_while_it_is_sealed_nobody_writes_and_afterwards_all_that_was_acknowledged_is_there(folder: Path) -> None:
    writer = JournalWriter(folder)
    acknowledged: list[int] = []
    stop = threading.Event()

    def log() -> None:
        step = 0
        while not stop.is_set():
            try:
                writer.points({"loss": 1.0}, step)
            except Conflict:
                return
            acknowledged.append(step)
            step += 1

    thread = threading.Thread(target=log)
    thread.start()
    time.sleep(0.05)
    with closing(folder):
        read = read_journal(folder)
        stop.set()
        thread.join()
    assert len(read.series["loss"]) >= len(acknowledged) > 0
    with pytest.raises(Conflict, match="sealed"):
        writer.points({"loss": 1.0}, 0)


def test_sealing_that_fails_lets_writers_go_on(folder: Path) -> None:
    writer = JournalWriter(folder)

    def fail() -> None:
        with closing(folder):
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        fail()
    writer.points({"loss": 1.0}, 0)
    writer.close()
    assert len(read_journal(folder).series["loss"]) == 1


def test_a_journal_that_is_gone_takes_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        JournalWriter(tmp_path / "nowhere")
    (folder / journal.OPEN).write_bytes(b"")
    with pytest.raises(Conflict):
        JournalWriter(folder)


def test_after_close_nothing_is_written_to_whatever_has_the_number_of_the_file_now(folder: Path) -> None:
    writer = JournalWriter(folder)
    writer.close()
    with pytest.raises(Conflict, match="let go"):
        writer.points({"loss": 1.0}, 0)
    writer.close()


def test_a_full_disk_is_said_and_leaves_no_half_a_frame(folder: Path) -> None:
    script = (
        "import resource, sys, pathlib, signal\nfrom pacha_git.store.runs.journal import JournalWriter\n"
        "from pacha_git.errors import PachaError\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "w = JournalWriter(pathlib.Path(sys.argv[1]))\nresource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "step = 0\ntry:\n    while True:\n        w.points({'loss': 1.0}, step)\n        step += 1\n"
        "except PachaError as error:\n    print(step)\n    assert 'free some space' in error.hint\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert len(read_journal(folder).series["loss"]) == int(done.stdout)


def test_points_reach_the_disk_within_a_second(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[float] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(time.monotonic()), real(fd))[1])
    writer = JournalWriter(folder)
    writer.points({"loss": 1.0}, 0)
    written = time.monotonic()
    while not [at for at in synced if at > written] and time.monotonic() < written + 5:
        time.sleep(0.01)
    assert min(at for at in synced if at > written) - written < 1
    writer.close()
