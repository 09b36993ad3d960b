"""A child that dies, hangs or takes too much is an answer; the others are done all the same."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from pacha_git.system.confined import Death, confined

MEMORY = 4 << 30


def work(job: str) -> Any:
    match job:
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "ends":
            os._exit(7)
        case "raises":
            raise ValueError
        case "hangs":
            time.sleep(60)
        case "takes":
            return len(bytearray(8 << 30))
    return {"job": job, "pid": os.getpid(), "nan": float("nan")}


@pytest.mark.parametrize(
    ("job", "reason"),
    [("killed", "SIGKILL"), ("ends", "ended with 7"), ("raises", "ended with 1"), ("hangs", "took over 1 seconds"),
     ("takes", "ended with 1")],
)  # fmt: skip
def test_a_death_is_an_answer_and_the_rest_is_done(job: str, reason: str) -> None:
    seconds = lambda each: 1.0 if each == "hangs" else 60.0  # noqa: E731
    first, death, *rest = confined(["a", job, "b", "c"], work, memory=MEMORY, seconds=seconds)
    assert first["job"] == "a"
    assert isinstance(death, Death)
    assert reason in death.reason
    assert [each["job"] for each in rest] == ["b", "c"]
    assert rest[0]["pid"] == rest[1]["pid"] not in (first["pid"], os.getpid())


def test_who_stops_listening_leaves_no_child() -> None:
    answers = confined(["a", "hangs"], work, memory=MEMORY, seconds=lambda _: 60.0)
    pid = next(answers)["pid"]
    answers.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_is_done_for_nothing() -> None:
    assert list(confined([], work, memory=MEMORY, seconds=lambda _: 1.0)) == []
