from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pacha_git.errors import PachaError
from pacha_git.system import locks
from tests.making import put, python


def test_shared_holders_don_t_wait_for_one_another_and_an_exclusive_one_does(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with locks.shared(path), locks.shared(path), locks.exclusive(path, wait=False) as free:
        assert not free
    with locks.exclusive(path, wait=False) as free:
        assert free


def test_who_waits_goes_on_when_the_holder_leaves(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def wait() -> None:
        with locks.shared(path):
            order.append("second")

    with locks.exclusive(path):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = "import sys, time; from pathlib import Path; from pacha_git.system import locks\n"
    script += "with locks.exclusive(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    program = python(script, path)
    assert program.stdout is not None
    assert program.stdout.readline() == "held\n"
    with locks.exclusive(path, wait=False) as free:
        assert not free
    program.kill()
    program.communicate()
    with locks.exclusive(path, wait=False) as free:
        assert free


@pytest.mark.parametrize(("folder", "wanted"), [(0o2775, 0o664), (0o755, 0o644), (0o700, 0o600)])
def test_whoever_may_look_into_the_folder_may_lock_it(tmp_path: Path, folder: int, wanted: int) -> None:
    path = tmp_path / "shared" / "lock"
    path.parent.mkdir()
    path.parent.chmod(folder)
    before = os.umask(0o077)
    try:
        with locks.exclusive(path):
            assert path.stat().st_mode & 0o777 == wanted
    finally:
        os.umask(before)


def test_what_was_forked_off_meanwhile_keeps_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    wait, end = os.pipe()
    with locks.exclusive(path):
        child = os.fork()
        if not child:
            os.close(end)
            os.read(wait, 1)
            os._exit(0)
    try:
        with locks.exclusive(path, wait=False) as free:
            assert free
    finally:
        os.close(end)
        os.waitpid(child, 0)


def test_what_was_forked_off_meanwhile_frees_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locks.exclusive(path) as held:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            with locks.exclusive(path, wait=False) as free:
                assert held
                assert not free
    if not child:
        os._exit(0)


def test_a_lock_that_was_removed_while_one_waited_is_taken_anew(tmp_path: Path) -> None:
    path, got = tmp_path / "lock", threading.Event()

    def wait() -> None:
        with locks.exclusive(path):
            assert path.exists()
            got.set()

    with locks.exclusive(path):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        path.unlink()
    thread.join()
    assert got.is_set()


def test_a_lock_that_can_t_be_made_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(PachaError, match="can't lock") as caught, locks.shared(put(tmp_path / "file") / "lock"):
        pass
    assert caught.value.hint
