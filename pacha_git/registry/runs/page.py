"""Draws a metric of several runs as one interactive HTML page, by plotly; the page fetches nothing when it is opened.

It knows plotly (extra ``plot``).
"""

from __future__ import annotations

import html
import importlib
import math
from collections.abc import Sequence
from typing import Any

from pacha_git.errors import PachaError
from pacha_git.registry.runs.plot import COLOURS, Curve
from pacha_git.vocabulary.printable import one_line

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:; font-src data:"></head>
<body style="margin:0">
{body}
</body>
</html>
"""


def draw_page(curves: Sequence[Curve], metric: str) -> str:
    """Draw curves as an HTML document that holds its own script.

    Args:
        curves: At least one.
        metric: What the values are.

    Raises:
        PachaError: plotly is not installed.
    """
    try:
        plotly: Any = importlib.import_module("plotly.graph_objects")
        offline: Any = importlib.import_module("plotly.io")
    except ImportError:
        hint = "pip install 'pacha-git[plot]'; an .svg needs nothing more"
        raise PachaError("an .html plot is drawn by plotly, which is not installed", hint=hint) from None
    figure = plotly.Figure()
    for at, curve in enumerate(curves):
        figure.add_trace(
            plotly.Scatter(
                x=[step for step, _ in curve.points],
                y=[value if math.isfinite(value) else None for _, value in curve.points],
                name=_shown(curve.label),
                mode="lines+markers" if len(curve.points) < 100 else "lines",
                line={"color": COLOURS[at % len(COLOURS)]},
                connectgaps=False,
            )
        )
    figure.update_layout(
        title=_shown(metric), xaxis_title="step", yaxis_title=_shown(metric), template="plotly_white",
        hovermode="x unified", showlegend=True, legend={"orientation": "h", "y": -0.2},
        updatemenus=[_scale_menu()],
    )  # fmt: skip
    body = offline.to_html(
        figure, include_plotlyjs=True, full_html=False, config={"displaylogo": False, "responsive": True}
    )
    return _PAGE.format(title=_shown(metric), body=body)


def _shown(text: str) -> str:
    """Tell what plotly shows as it is: it reads a subset of HTML in its texts; ours has none."""
    return html.escape(one_line(text), quote=False)


def _scale_menu() -> dict[str, Any]:
    buttons = [
        {"label": word, "method": "relayout", "args": [{"yaxis.type": kind}]}
        for word, kind in (("linear", "linear"), ("logarithmic", "log"))
    ]
    return {"type": "buttons", "direction": "left", "buttons": buttons, "x": 1, "xanchor": "right", "y": 1.15}
