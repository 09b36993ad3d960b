"""Large payloads through our own hook: parts of a push are taken, and gone in the end."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from pacha_git import Registry, RemoteError
from pacha_git.exchange import pull_payloads, push_payloads
from tests.exchange.syncing import bare, model, names, registry

MIB = 1 << 20


def test_parts_of_a_push_into_a_shared_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pull_payloads, push_payloads):
        monkeypatch.setattr(module, "PART_BYTES", 2 * MIB)
    hub = Registry.init(tmp_path / "hub.git", shared=True)
    here = registry(tmp_path, "here", hub.path)
    (tmp_path / "large").write_bytes(random.Random(1).randbytes(7 * MIB))
    here.models.register("m", [tmp_path / "large"], version="1.0.0")
    assert here.push().payloads == 1
    assert not any(ref.startswith("tmp/") for ref in names(hub.path, "refs/pacha"))
    there = Registry.clone(str(hub.path), tmp_path / "there.git", payload="all")
    assert there.models.get("m").payload == "here"


def test_what_a_server_never_takes_is_said_at_once(tmp_path: Path) -> None:
    hub = bare(tmp_path / "hub.git")
    here = registry(tmp_path, "here", hub)
    model(here, "m", "1.0.0")
    here.models.stage("m@1.0.0", "staging")
    hook = hub / "hooks/update"
    hook.write_text('#!/bin/sh\ncase $1 in refs/notes/*) echo "no notes here" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    begin = time.monotonic()
    with pytest.raises(RemoteError, match=r"refused refs/notes/pacha/models/m/_events: .*hook declined") as raised:
        here.push()
    assert "administrator" in raised.value.hint
    assert time.monotonic() - begin < 15
    assert {"models/m/1.0.0", "payload/models/m/1.0.0"} <= set(names(hub, "refs/pacha"))  # they hold nothing else back
    assert not any("_events" in ref for ref in names(hub, "refs/notes"))
