"""Prints what two rules of cutting at tensors newly store when tensors come in another order, or two layers change."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable

import numpy
from safetensors.numpy import save

from pacha_git.chunking.cutter import chunks
from pacha_git.chunking.layout import FIRST
from pacha_git.chunking.tensors import tensor_cuts

LAYERS = 16
HIDDEN = (384, 1024)


def model(hidden: int, seed: int) -> dict[str, numpy.ndarray]:
    """Weights of transformer layers: four square matrices, two of feed-forward, and small vectors between them."""
    noise = numpy.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        shapes = {"q": (hidden, hidden), "k": (hidden, hidden), "v": (hidden, hidden), "o": (hidden, hidden)}
        shapes |= {"up": (4 * hidden, hidden), "norm": (hidden,), "bias": (hidden,)}
        for name, shape in shapes.items():
            tensors[f"layer.{layer:02}.{name}"] = noise.standard_normal(shape, dtype=numpy.float32)
    return tensors


def written(tensors: dict[str, numpy.ndarray], order: list[str]) -> bytes:
    """A safetensors file with its tensors in this order (its writer sorts by name, so names are given by place)."""
    return save({f"{at:04}.{name}": tensors[name] for at, name in enumerate(order)})


def both_ends(data: bytes) -> list[int]:
    """Our rule: a tensor of at least 16 KiB begins and ends on a cut."""
    return tensor_cuts(lambda offset, length: data[offset : offset + length], len(data))


def starts_only(data: bytes) -> list[int]:
    """The other rule: a cut at every tensor's start, those nearer than 16 KiB to the last or to the end left out."""
    import json

    head = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + head])
    starts = sorted(8 + head + value["data_offsets"][0] for key, value in table.items() if key != "__metadata__")
    kept, last = [], 0
    for start in starts:
        if start - last >= FIRST.minimum and len(data) - start >= FIRST.minimum:
            kept.append(start)
            last = start
    return kept


def stored(data: bytes, rule: Callable[[bytes], list[int]]) -> dict[bytes, int]:
    """Each distinct chunk by its hash, with its size."""
    found = {}
    for window in chunks(io.BytesIO(data).readinto, len(data), rule(data)):
        for start, end in window.spans:
            found[hashlib.sha1(window.data[start:end]).digest()] = end - start
    return found


def main() -> None:
    """Print one line for each model, change and rule."""
    print(
        f"{'hidden':>6} {'MiB':>6}  {'change':<22} {'both ends':>10} {'starts only':>12}   (newly stored, of the file)"
    )
    for hidden in HIDDEN:
        tensors = model(hidden, 1)
        order = list(tensors)
        shuffled = random.Random(3).sample(order, len(order))
        tuned = dict(tensors)
        for name, values in model(hidden, 2).items():
            if name.startswith(("layer.03", "layer.11")):
                tuned[name] = values
        before = written(tensors, order)
        changes = {"reversed": written(tensors, order[::-1]), "shuffled": written(tensors, shuffled)}
        changes["2 of 16 layers changed"] = written(tuned, order)
        for what, after in changes.items():
            shares = []
            for rule in (both_ends, starts_only):
                old = stored(before, rule)
                new = sum(size for key, size in stored(after, rule).items() if key not in old)
                shares.append(new / len(after))
            print(f"{hidden:>6} {len(before) / 2**20:>6.0f}  {what:<22} {shares[0]:>10.2%} {shares[1]:>12.2%}")


if __name__ == "__main__":
    main()
