"""What was pulled is shared by what is registered next."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from pacha_git import Registry


def test_a_version_tuned_from_a_pulled_one_stores_what_changed_alone(tmp_path: Path) -> None:
    weights = random.Random(1).randbytes(3 << 20)
    (tmp_path / "m.bin").write_bytes(weights)
    here = Registry.init(tmp_path / "here.git")
    here.models.register("m", tmp_path / "m.bin", version="1.0.0")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "hub.git")], check=True)
    here.add_remote("origin", str(tmp_path / "hub.git"))
    here.push()
    there = Registry.clone(str(tmp_path / "hub.git"), tmp_path / "there.git")
    there.pull(specs=["m@1.0.0"])
    (tmp_path / "m.bin").write_bytes(weights[: 1 << 20] + b"tuned" + weights[1 << 20 :])
    tuned = there.models.register("m", tmp_path / "m.bin", version="1.1.0", lineage=["fine-tuned-from=m@1.0.0"])
    assert tuned.new_bytes < 1 << 19
    same = there.models.register("m", tmp_path / "m.bin", version="1.1.1")
    assert (same.new_bytes, same.shared_bytes) == (0, same.size)
