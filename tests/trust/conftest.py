"""Keys of every type, made by the real ssh-keygen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacha_git.trust.keypair import KeyPair, load_private
from tests.trust.sshkeygen import KEY_OPTIONS, SshKeygen


@pytest.fixture
def ssh_keygen(tmp_path: Path) -> SshKeygen:
    return SshKeygen(tmp_path)


@pytest.fixture(scope="session", params=list(KEY_OPTIONS))
def foreign_key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key file of each type, made by ssh-keygen; ``.pub`` lies beside it."""
    return SshKeygen(tmp_path_factory.mktemp("keys")).make("key", *KEY_OPTIONS[request.param])


@pytest.fixture(scope="session")
def foreign_pair(foreign_key: Path) -> KeyPair:
    return load_private(foreign_key.read_bytes())
