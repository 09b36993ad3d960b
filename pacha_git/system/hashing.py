"""Makes BLAKE3 hashers that use all cores, where that ends: the library's threads don't live on in a forked process.

Whoever wants all cores asks here, or a forked worker waits for ever for threads that its parent has.
"""

from __future__ import annotations

import os

import blake3

_threads = blake3.blake3.AUTO


def _stay_alone() -> None:
    global _threads
    _threads = 1


os.register_at_fork(after_in_child=_stay_alone)


def many_core_hasher() -> blake3.blake3:
    """Return a hasher for much data at a time."""
    return blake3.blake3(max_threads=_threads)
