"""A few trials of each kind, so that the long ones work when they are wanted: ``make soak`` runs thousands."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.soak.__main__ import fast_folder
from tests.soak.rig import Shard


def test_one_trial_of_each_kind_finds_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="pacha-few-", dir=fast_folder()) as root:
        argv = [sys.executable, "-m", "tests.soak", "few", "--seed", "1", "--count", "4", "--root", root]
        done = subprocess.run(argv, cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4 trials" in done.stdout
        assert len(Path(root, "few-1.jsonl").read_text().splitlines()) == 4
        assert list(Shard(Path(root), "few", 1).missing(0, 5)) == [4]
