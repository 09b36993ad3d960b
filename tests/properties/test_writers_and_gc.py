"""Whatever the order in which two writers and a gc come to their steps, each chunk is stored and none is lost.

Real processes on one registry. Each writer registers versions that share most of their bytes with the other's, and
removes some; the gc frees with no days of grace, as often as it can.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacha_git import Registry

_WRITER = """
import random, sys, time
from pathlib import Path
from pacha_git import Registry
from pacha_git.errors import PachaError

registry, folder, name, *steps = sys.argv[1:]
r = Registry.open(registry)
for number, step in enumerate(steps):
    seed, pause, drop = map(int, step.split(","))
    time.sleep(pause / 1000)
    file = Path(folder, f"{name}.bin")
    data = random.Random(seed).randbytes(400_000) + random.Random(99).randbytes(400_000)
    file.write_bytes(data)
    for attempt in range(20):
        try:
            r.models.register(name, file, version=f"1.{number}.0")
            break
        except PachaError as error:
            if error.code != "conflict":  # what it relied on was freed: said so, and doing it again works
                raise
    if drop:
        r.models.remove(f"{name}@1.{number}.0", reason="not needed")
"""
_COLLECTOR = """
import sys, time
from pacha_git import Registry
r = Registry.open(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    r.gc(grace_days=0)
"""
STEP = st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 1))


def _bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(400_000) + random.Random(99).randbytes(400_000)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=st.lists(STEP, min_size=2, max_size=4), other=st.lists(STEP, min_size=2, max_size=4))
def test_each_chunk_is_stored_and_none_is_lost(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    registry = Registry.init(folder / "registry.git")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, registry.path, folder, name, *(",".join(map(str, s)) for s in steps)]
        )
        for name, steps in (("one", one), ("other", other))
    ]
    collector = subprocess.Popen([sys.executable, "-c", _COLLECTOR, registry.path, "1.5"])
    assert [process.wait(120) for process in (*running, collector)] == [0, 0, 0]
    registry = Registry.open(registry.path)
    registry.gc(grace_days=0)
    for name, steps in (("one", one), ("other", other)):
        for number, (seed, _, dropped) in enumerate(steps):
            if not dropped:
                assert b"".join(registry.models.cat(f"{name}@1.{number}.0")) == _bytes(seed)
    assert not registry.fsck().problems
