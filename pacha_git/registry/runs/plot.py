"""Draws a metric of several runs over its steps as one SVG; pure: curves in, text out.

It knows scales, ticks and marks. What was typed by people is escaped, so that a name can't become a script. A value
that is no finite number leaves a gap in its curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from pacha_git.vocabulary.printable import one_line

WIDTH: Final = 880
_PLOT_HEIGHT: Final = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 82, 24, 46, 52
_LEGEND_LINE: Final = 20
_TICKS: Final = 6
_LOG_FROM: Final = 1000.0
_MARKS_UP_TO: Final = 40
_GREATEST: Final = 1e300
_LEAST: Final = 1e-290
_CLIP: Final = 105
# Okabe and Ito's colours, told apart by all kinds of eyes; beyond them the strokes differ.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a7f00")
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3")

Point = tuple[float, float]
_Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Curve:
    """One run: what the legend calls it, and its steps and values, ascending by step."""

    label: str
    points: Sequence[Point]


def draw(curves: Sequence[Curve], metric: str) -> str:
    """Draw curves as an SVG document.

    The axis of values is logarithmic when all are positive and the greatest is 1,000 times the least or more.

    Args:
        curves: At least one, with at least one point each.
        metric: What the values are.
    """
    curves = [Curve(curve.label, [(x, _drawable(y)) for x, y in curve.points]) for curve in curves]
    finite = [point for curve in curves for point in curve.points if math.isfinite(point[1])]
    steps, values = [x for x, _ in finite], [y for _, y in finite]
    logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) >= _LOG_FROM
    x_ticks = _integer_ticks(min(steps, default=0), max(steps, default=1))
    y_ticks = (
        _log_ticks(min(values), max(values)) if logarithmic else ticks(min(values, default=0), max(values, default=1))
    )
    x_scale = _linear(_range(x_ticks, steps), (_LEFT, WIDTH - _RIGHT))
    y_scale = _scale(_range(y_ticks, values), (_TOP + _PLOT_HEIGHT, _TOP), logarithmic)
    height = _TOP + _PLOT_HEIGHT + _BOTTOM + _LEGEND_LINE * len(curves) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="#222">',
        f"<title>{_text(metric)}</title>",
        f"<desc>{_text(metric)} over the steps of {len(curves)} run{'s' * (len(curves) > 1)}</desc>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="600">{_text(metric)}{_log_word(logarithmic)}</text>',
        *_axes(x_ticks, y_ticks, x_scale, y_scale),
        *(line for at, curve in enumerate(curves) for line in _curve(at, curve, x_scale, y_scale)),
        *_legend(curves),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _drawable(value: float) -> float:
    """Return a value as an axis can hold it: differences of the very greatest doubles are none."""
    return max(-_GREATEST, min(_GREATEST, value)) if math.isfinite(value) else math.nan


def _text(text: str, limit: int = _CLIP) -> str:
    """Escape a text and clip it; what a viewer would act upon, or XML can't hold, is shown as an escape."""
    kept = one_line(text).replace("\ufffe", "").replace("\uffff", "")
    return escape(kept if len(kept) <= limit else kept[: limit - 1] + "…")


def _log_word(logarithmic: bool) -> str:
    return ' <tspan font-size="12" font-weight="400" fill="#666">(logarithmic)</tspan>' if logarithmic else ""


# Scales and ticks -----------------------------------------------------------------------------------------------------


def ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Round numbers, about ``count`` of them and at least two, from not above ``low`` to not below ``high``."""
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-12 or size < _LEAST:
        margin = size * 0.1 if size >= _LEAST else 1.0
        low, high = low - margin, high + margin
    span = high / count - low / count
    unit = 10.0 ** math.floor(math.log10(span))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10, 20) if unit * factor >= span * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _integer_ticks(low: float, high: float) -> list[float]:
    found = [tick for tick in ticks(low, high) if tick == round(tick) and low <= tick <= high]
    return found if len(found) > 1 else sorted({low, high} if high > low else {low - 1, low, low + 1})


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, (last - first) // 8 + (last - first > 8))
    return [float(f"1e{exponent}") for exponent in range(first, last + every, every) if -308 <= exponent <= 308]


def _range(at: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    return min([*at, *values]), max([*at, *values])


def _linear(domain: tuple[float, float], pixels: tuple[float, float]) -> _Scale:
    low, high = domain
    start, end = pixels
    span = high - low or 1.0
    return lambda value: start + (end - start) * ((value - low) / span)


def _scale(domain: tuple[float, float], pixels: tuple[float, float], logarithmic: bool) -> _Scale:
    if not logarithmic:
        return _linear(domain, pixels)
    inner = _linear((math.log10(domain[0]), math.log10(domain[1])), pixels)
    return lambda value: inner(math.log10(value))


# Marks --------------------------------------------------------------------------------------------------------------


def _axes(x_ticks: Sequence[float], y_ticks: Sequence[float], x: _Scale, y: _Scale) -> list[str]:
    bottom, right = _TOP + _PLOT_HEIGHT, WIDTH - _RIGHT
    lines = ['<g stroke="#e3e3e3">']
    lines += [f'<line x1="{_LEFT}" y1="{y(tick):.2f}" x2="{right}" y2="{y(tick):.2f}"/>' for tick in y_ticks]
    lines += ["</g>", '<g stroke="#888">', f'<line x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>']
    lines += [f'<line x1="{x(tick):.2f}" y1="{bottom}" x2="{x(tick):.2f}" y2="{bottom + 5}"/>' for tick in x_ticks]
    lines += ["</g>", '<g fill="#555" text-anchor="end">']
    lines += [f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.2f}">{_number(tick)}</text>' for tick in y_ticks]
    lines += ["</g>", '<g fill="#555" text-anchor="middle">']
    lines += [f'<text x="{x(tick):.2f}" y="{bottom + 19}">{_number(tick)}</text>' for tick in x_ticks]
    lines += [f'<text x="{(_LEFT + right) / 2:.2f}" y="{bottom + 38}">step</text>', "</g>"]
    return lines


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.6g}" if 1e-4 <= abs(value) < 1e7 else f"{value:.4g}"


def _stroke(at: int) -> str:
    dash = DASHES[at // len(COLOURS) % len(DASHES)]
    return f'stroke="{COLOURS[at % len(COLOURS)]}" stroke-width="1.8"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _curve(at: int, curve: Curve, x: _Scale, y: _Scale) -> list[str]:
    lines = [f'<g fill="none" stroke-linejoin="round" {_stroke(at)}>', f"<title>{_text(curve.label, 400)}</title>"]
    dots: list[Point] = []
    for run in unbroken(curve.points):
        places = [(x(step), y(value)) for step, value in thinned(run, 2 * (WIDTH - _LEFT - _RIGHT))]
        if len(places) > 1:
            lines.append(f'<path d="M{" L".join(f"{px:.2f} {py:.2f}" for px, py in places)}"/>')
        if len(places) == 1 or len(curve.points) <= _MARKS_UP_TO:
            dots += places
    colour = quoteattr(COLOURS[at % len(COLOURS)])
    lines += [f'<circle cx="{px:.2f}" cy="{py:.2f}" r="2.6" fill={colour} stroke="none"/>' for px, py in dots]
    return [*lines, "</g>"]


def unbroken(points: Sequence[Point]) -> list[list[Point]]:
    """Return the stretches of a curve between values that are no finite numbers."""
    found: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            found[-1].append(point)
        elif found[-1]:
            found.append([])
    return [stretch for stretch in found if stretch]


def thinned(points: Sequence[Point], columns: int) -> list[Point]:
    """At most four points for each of ``columns`` equal parts: the first, least, greatest and last; no peak is lost."""
    if len(points) <= 4 * columns:
        return list(points)
    low, span = points[0][0], (points[-1][0] - points[0][0]) or 1.0
    edges = [0]
    for index, (one, other) in enumerate(pairwise(points), 1):
        if int((one[0] - low) / span * columns) != int((other[0] - low) / span * columns):
            edges.append(index)
    found: list[Point] = []
    for start, end in pairwise([*edges, len(points)]):
        part = range(start, end)
        least, greatest = min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])
        found += [points[index] for index in sorted({start, least, greatest, end - 1})]
    return found


def _legend(curves: Sequence[Curve]) -> list[str]:
    lines: list[str] = []
    for at, curve in enumerate(curves):
        y = _TOP + _PLOT_HEIGHT + _BOTTOM + _LEGEND_LINE * at + 8
        lines.append(f'<line x1="{_LEFT}" y1="{y - 4}" x2="{_LEFT + 28}" y2="{y - 4}" {_stroke(at)}/>')
        lines.append(f'<text x="{_LEFT + 36}" y="{y}">{_text(curve.label)}</text>')
    return lines
