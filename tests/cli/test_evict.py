"""``evict`` as a person says it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from .conftest import Ended

Run = Callable[..., Ended]


def test_evict_drops_only_what_a_remote_has(at: Run, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"hello world")
    assert at("model", "register", "m", tmp_path / "m", "-v", "1.0.0").code == 0
    assert at("evict", "m@1.0.0").code == 3
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "hub.git"], check=True)
    assert at("remote", "add", "origin", tmp_path / "hub.git").code == 0
    refused = at("evict", "m@1.0.0", "--json")
    assert refused.code == 1
    assert "git pacha push m@1.0.0" in refused.error["hint"]
    assert at("push").code == 0
    dropped = at("evict", "m@1.0.0", "--json").json
    assert dropped == {
        "evicted": [{"kind": "model", "name": "m", "version": "1.0.0", "size": 11, "remote": "origin"}],
        "bytes": 11,
    }
    assert at("model", "get", "m@1.0.0", "--json").json["payload"] == "thin"
    assert at("evict", "m@1.0.0").out == "These bytes are not here anyway.\n"
    assert at("pull", "m@1.0.0").code == 0
    assert "origin has it" in at("evict", "m").out
    assert at("evict").code == 2
    assert at("evict", "nothing@1.0.0").code == 3
