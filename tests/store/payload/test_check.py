"""Checking a payload: all its files are read as one stream, and each is told from the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacha_git import Registry
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.store import records
from pacha_git.store.payload.check import check_payload
from pacha_git.vocabulary.ids import VersionId
from pacha_git.vocabulary.kinds import Kind
from tests.making import folder, noise


def test_small_files_are_read_as_one_stream(
    registry_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{number:03}.txt": noise(number, number) for number in range(50)} | {"large.bin": noise(400_000)}
    registry = Registry.init(registry_path)
    registry.datasets.register("d", folder(tmp_path / "in", files), version="1.0.0")
    repo = GitRepository(registry_path)
    version = VersionId.parse(Kind.DATASET, "d", "1.0.0")
    content = records.read_version(repo, version).record.content
    commit = repo.ref(version.payload_ref)
    assert content is not None
    assert commit is not None
    begun: list[Any] = []
    read_blobs = GitRepository.read_blobs

    def counted(self: GitRepository, oids: Iterator[Oid]) -> Iterator[bytes]:
        begun.append(self)
        return read_blobs(self, oids)

    monkeypatch.setattr(GitRepository, "read_blobs", counted)
    seen: list[int] = []
    check_payload(repo, commit, content, seen=lambda oid, block: seen.append(len(block)))
    assert len(begun) == 1
    assert sum(seen) == sum(map(len, files.values()))
