"""Every error of the API is a PachaError with what it was about, whatever fails underneath."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pacha_git
from pacha_git import PachaError, Registry
from pacha_git.registry.face import Face
from tests.making import noise, put

FAILURES: list[Callable[[], BaseException]] = [
    lambda: OSError(errno.EIO, os.strerror(errno.EIO), "/somewhere/pack"),
    lambda: OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    lambda: RuntimeError("can't start new thread"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    lambda: sqlite3.OperationalError("disk I/O error"),
    MemoryError,
]


@pytest.fixture
def registry(registry_path: Path, tmp_path: Path) -> Registry:
    registry = Registry.init(registry_path)
    registry.models.register("m", put(tmp_path / "m", noise(300_000)), version="1.0.0")
    return registry


@pytest.mark.parametrize("name", ["Registry", "Models", "Datasets", "Recipes", "Runs", "Run"])
def test_every_class_of_the_api_is_guarded(name: str) -> None:
    face = getattr(pacha_git, name)
    assert issubclass(face, Face)
    for member, value in vars(face).items():
        if not member.startswith("_") and callable(value):
            assert hasattr(value, "__wrapped__"), member


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each()).__name__)
@pytest.mark.parametrize(
    "call", ["cat", *(pytest.param(each, marks=pytest.mark.soak) for each in ("get", "list", "download", "history"))]
)
def test_what_fails_underneath_is_told(
    registry: Registry, call: str, failure: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: registry.models.get("m@1.0.0"),
        "list": lambda: registry.models.list("m"),
        "cat": lambda: list(registry.models.cat("m@1.0.0")),
        "download": lambda: registry.models.download("m@1.0.0", tmp_path / "out"),
        "history": lambda: registry.models.history("m"),
    }

    def fail(*_: Any, **__: Any) -> Any:
        raise failure()

    monkeypatch.setattr(type(registry._session.repo), "ref", fail)
    monkeypatch.setattr(type(registry._session.repo), "refs_below", fail)
    monkeypatch.setattr(type(registry._session.catalogue), "refresh", fail)
    with pytest.raises(PachaError) as raised:
        calls[call]()
    assert raised.value.message
    assert "\n" not in raised.value.message
    if isinstance(failure(), OSError) and failure().errno == errno.EIO:  # type: ignore[attr-defined]
        assert "/somewhere/pack" in raised.value.message
    elif not isinstance(failure(), sqlite3.Error):
        assert call in raised.value.message


def test_what_the_caller_raises_within_a_block_is_the_caller_s(registry: Registry, tmp_path: Path) -> None:
    mine = FileNotFoundError(errno.ENOENT, "mine")
    with pytest.raises(FileNotFoundError) as raised, registry.batch():
        raise mine
    assert raised.value is mine
    with pytest.raises(RuntimeError, match="mine"), registry.run(params={"x": 1}):
        raise RuntimeError("mine")


def blocks(registry: Registry) -> Iterator[bytes]:
    return iter(registry.models.cat("m@1.0.0"))


def test_an_iterator_is_guarded_to_its_end(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    found = blocks(registry)
    monkeypatch.setattr(
        type(registry._session.repo.packs), "read", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken"))
    )
    monkeypatch.setattr(
        "pacha_git.git.packs.pack.Pack.read_run", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "b"))
    )
    monkeypatch.setattr("pacha_git.git.packs.pack.Pack.read", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "b")))
    with pytest.raises(PachaError, match=r"cat m@1\.0\.0: broken"):
        list(found)
