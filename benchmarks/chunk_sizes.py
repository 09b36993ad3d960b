"""Prints what the average chunk size costs and saves: objects per GiB, and new bytes after small edits of weights."""

from __future__ import annotations

import hashlib
import random
import time

import pyfastcdc

from benchmarks.inputs import edited, weights

SIZES = (16, 32, 64, 128, 256)


def chunks(data: bytes, average: int) -> dict[bytes, int]:
    """Each distinct chunk by its hash, with its size."""
    chunker = pyfastcdc.FastCDC(
        avg_size=average, min_size=average // 4, max_size=average * 4, normalized_chunking=1, seed=0
    )
    view = memoryview(data)
    cuts = chunker.cut_buf(data)
    return {hashlib.sha1(view[cut.offset : cut.offset + cut.length]).digest(): cut.length for cut in cuts}


def main() -> None:
    """Print one line for each size."""
    before = weights().read_bytes()
    after = edited(before, random.Random(1))
    print(f"{len(before) / 2**20:.1f} MiB, 20 patches of 1 KiB, 3 insertions of 77 bytes")
    print(f"{'average':>10} {'chunks/GiB':>12} {'new KiB':>9} {'MB/s with SHA-1':>16}")
    for kibibytes in SIZES:
        start = time.perf_counter()
        old = chunks(before, kibibytes * 1024)
        seconds = time.perf_counter() - start
        new = sum(size for key, size in chunks(after, kibibytes * 1024).items() if key not in old)
        per_gib = len(old) / len(before) * 2**30
        print(f"{kibibytes:>6} KiB {per_gib:>12,.0f} {new / 1024:>9,.0f} {len(before) / seconds / 1e6:>16,.0f}")


if __name__ == "__main__":
    main()
