"""Deltas as packs hold them: applied to their base by dulwich, in memory. It has never heard of packs.

Layout: https://git-scm.com/docs/gitformat-pack, "Deltified representation".
"""

from __future__ import annotations

from pacha_git.errors import Corrupt


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Make an object from its base and a delta.

    Raises:
        Corrupt: the delta is for another base, or says what can't be.
    """
    from dulwich.errors import ApplyDeltaError  # 10 ms to load, and only what git has repacked has deltas
    from dulwich.pack import apply_delta as applied

    try:
        return b"".join(applied(base, delta))
    except (ApplyDeltaError, IndexError, ValueError) as error:
        raise Corrupt(f"a delta does not fit its base: {error}") from None


def delta_result_size(delta: bytes) -> int:
    """Tell how many bytes a delta says it makes.

    Raises:
        Corrupt: it ends before it has said so.
    """
    size = shift = 0
    numbers = 0
    for byte in delta:
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            numbers += 1
            if numbers == 2:  # the first is the size of the base
                return size
            size = shift = 0
    raise Corrupt("a delta does not say how much it makes")


def offset_distance(data: bytes, at: int) -> tuple[int, int]:
    """Tell how far before an entry its base begins, and where what follows starts.

    Raises:
        Corrupt: the data ends before the number does.
    """
    try:
        byte = data[at]
        distance = byte & 127
        while byte & 128:
            at += 1
            byte = data[at]
            distance = (distance + 1) << 7 | byte & 127
    except IndexError:
        raise Corrupt("a delta does not say where its base is") from None
    return distance, at + 1
