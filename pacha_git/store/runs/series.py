"""The points of a run's metrics, in memory as columns and in one compact file.

The file is docs/format.md, "The series of a run": a line of magic, a line of JSON, and three columns for any zlib.
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from operator import sub
from typing import Any, Final

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.canonical import encode, json_number
from pacha_git.format.params import metric_name

MAGIC: Final = b"pacha series 1\n"
HEADER_LIMIT: Final = 64 << 20
POINT_LIMIT: Final = 1 << 31

_COLUMNS: Final = ("steps", "times", "values")
_WIDTH: Final = 8


@dataclass(slots=True)
class Series:
    """The points of one metric in the order they were logged.

    Attributes:
        steps: Whole numbers; they may go back.
        times: Milliseconds since 1970.
        values: Doubles; NaN and infinities are kept.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.values)

    def by_step(self) -> list[tuple[int, float]]:
        """Step and value, ascending by step; of one step the point logged last."""
        return sorted(dict(zip(self.steps, self.values, strict=True)).items())


def summary(series: Series) -> dict[str, Any]:
    """Return the ``last``, ``min``, ``max`` and number of ``steps`` of a metric.

    Last is at the highest step, and of several there the one logged last. Least and greatest are of all points but NaN;
    with nothing else they are NaN.
    """
    highest = max(series.steps)
    at = len(series) - 1 - series.steps[::-1].index(highest)
    values: Iterable[float] = series.values
    if any(map(math.isnan, values)):
        values = [value for value in series.values if not math.isnan(value)] or [math.nan]
    found = {"last": series.values[at], "min": min(values), "max": max(values)}
    return {key: json_number(value) for key, value in found.items()} | {"steps": len(series)}


def summaries(series: Mapping[str, Series]) -> dict[str, dict[str, Any]]:
    """Return the summary of every metric, by its name."""
    return {name: summary(series[name]) for name in sorted(series) if len(series[name])}


def encode_series(series: Mapping[str, Series]) -> bytes:
    """Write all points of a run.

    Args:
        series: The points of each metric; those without any are left out.
    """
    names = sorted(name for name in series if len(series[name]))
    columns = [
        _packed(_deltas(array("q", chain.from_iterable(series[name].steps for name in names)))),
        _packed(_deltas(array("q", chain.from_iterable(series[name].times for name in names)))),
        _packed(array("d", chain.from_iterable(series[name].values for name in names))),
    ]
    header = {
        "columns": [[name, len(column)] for name, column in zip(_COLUMNS, columns, strict=True)],
        "metrics": [[name, len(series[name])] for name in names],
    }
    return b"".join([MAGIC, encode(header), b"\n", *columns])


def _deltas(column: array[int]) -> array[int]:
    return array("q", map(sub, column, chain((0,), column)))


def _packed(column: array[Any]) -> bytes:
    """The bytes of a column: all first bytes, then all second ones, and so on (little-endian), compressed by zlib."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    data = column.tobytes()
    return zlib.compress(b"".join(data[at::_WIDTH] for at in range(_WIDTH)), 6)


def decode_series(data: bytes, most: int | None = None) -> dict[str, Series]:
    """Read all points of a run, whoever wrote them.

    Args:
        data: The file.
        most: How many points the run's record announces; None if it does not say all. A column of zeros unfolds to a
            thousand times its bytes, so nothing is unfolded beyond that.

    Raises:
        Corrupt: it is no such file, or it is cut short or too long anywhere.
    """
    header, body = _split(data)
    try:
        sizes = [(str(name), int(size)) for name, size in header["columns"]]
        counts = [(metric_name(name), int(count)) for name, count in header["metrics"]]
    except (KeyError, TypeError, ValueError, OverflowError, InvalidInput) as error:
        raise Corrupt(f"the head of the series can't be read: {error}") from None
    total = sum(count for _, count in counts)
    if tuple(name for name, _ in sizes) != _COLUMNS or any(count < 1 for _, count in counts) or total > POINT_LIMIT:
        raise Corrupt("the head of the series has other columns, or counts that can't be")
    if most is not None and total > most:
        raise Corrupt(f"the series have {total:,} points, and the record of the run says {most:,}")
    if any(size < 0 for _, size in sizes) or sum(size for _, size in sizes) != len(body):
        raise Corrupt("the series are cut short")
    columns: list[array[Any]] = []
    at = 0
    for (_, size), kind in zip(sizes, "qqd", strict=True):
        columns.append(_unpacked(body[at : at + size], kind, total))
        at += size
    return _by_name(counts, columns)


def announced(metrics: Mapping[str, Any], left_out: int = 0) -> int | None:
    """Tell how many points the summaries of a run say that it has; None if some were left out of its record.

    Args:
        metrics: The summaries, each with its ``steps``.
        left_out: Of how many metrics there was no room for one.
    """
    return None if left_out else sum(int(summary["steps"]) for summary in metrics.values())


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = data.find(b"\n", len(MAGIC), len(MAGIC) + HEADER_LIMIT)
    if not data.startswith(MAGIC) or end < 0:
        raise Corrupt("these are no series of pacha's")
    try:
        header = json.loads(data[len(MAGIC) : end])
    except (ValueError, RecursionError):
        raise Corrupt("the head of the series is no JSON") from None
    if not isinstance(header, dict):
        raise Corrupt("the head of the series is no JSON object")
    return header, data[end + 1 :]


def _unpacked(data: bytes, kind: str, count: int) -> array[Any]:
    inflater = zlib.decompressobj()
    try:
        planes = inflater.decompress(data, count * _WIDTH + 1)
    except zlib.error as error:
        raise Corrupt(f"a column of the series can't be read: {error}") from None
    if len(planes) != count * _WIDTH or not inflater.eof or inflater.unused_data:
        raise Corrupt("a column of the series has another length than its head says")
    whole = bytearray(len(planes))
    for at in range(_WIDTH):
        whole[at::_WIDTH] = planes[at * count : (at + 1) * count]
    column: array[Any] = array(kind, bytes(whole))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _by_name(counts: Sequence[tuple[str, int]], columns: Sequence[array[Any]]) -> dict[str, Series]:
    steps, times, values = columns
    try:
        steps, times = array("q", accumulate(steps)), array("q", accumulate(times))
    except OverflowError:
        raise Corrupt("the steps or times of the series are beyond 64 bits") from None
    found: dict[str, Series] = {}
    at = 0
    for name, count in counts:
        found[name] = Series(steps[at : at + count], times[at : at + count], values[at : at + count])
        at += count
    if len(found) < len(counts):
        raise Corrupt("the series have one metric twice")
    return found
