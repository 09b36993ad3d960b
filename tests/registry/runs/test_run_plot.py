"""Drawings of metrics: well-formed whatever is in them, nothing lost between pixels, gaps where there is no number."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacha_git import InvalidInput, NotFound, PachaError, Registry
from pacha_git.registry.runs.plot import Curve, Point, draw, thinned, ticks, unbroken

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*points: Point, label: str = "run", metric: str = "loss") -> ET.Element:
    return ET.fromstring(draw([Curve(label, points)], metric))


def paths(root: ET.Element) -> list[list[tuple[float, float]]]:
    found = []
    for path in root.iter(f"{SVG}path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
        found.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return found


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-(2**53), 2**53).map(float), st.floats()), min_size=1, max_size=20),
        min_size=1, max_size=10,
    ),
    st.text(),
)  # fmt: skip
@settings(max_examples=60)
def test_any_points_make_a_well_formed_drawing_within_its_frame(curves: list[list[Point]], text: str) -> None:
    root = ET.fromstring(draw([Curve(text, sorted(points)) for points in curves], text))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for path in paths(root):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in path)


def test_what_people_typed_is_text_and_no_markup() -> None:
    evil = "<script>alert(1)</script>\"'&]]>\x00\x1b[31m\u202e"
    text = draw([Curve(evil, [(0, 1), (1, 2)])], evil)
    assert "<script" not in text
    assert "\x1b" not in text
    assert not list(ET.fromstring(text).iter(f"{SVG}script"))


def test_nan_and_infinities_leave_gaps() -> None:
    root = drawn((0, 1), (1, 2), (2, math.nan), (3, 2), (4, math.inf), (5, 1), (6, 1))
    assert [len(path) for path in paths(root)] == [2, 2]
    assert len(list(root.iter(f"{SVG}circle"))) == 5
    assert unbroken([(0, math.nan)]) == []
    assert not paths(drawn((0, math.nan)))


def test_values_over_three_decades_are_drawn_logarithmically_if_all_are_positive() -> None:
    assert "logarithmic" in draw([Curve("r", [(0, 1e-3), (1, 10)])], "loss")
    assert "logarithmic" not in draw([Curve("r", [(0, 1), (1, 10)])], "loss")
    assert "logarithmic" not in draw([Curve("r", [(0, 0.0), (1, 1e6)])], "loss")
    ((first, second),) = paths(drawn((0, 1e-300), (1, 1e300)))
    assert first[1] > second[1]


def test_a_greater_value_is_higher_and_a_later_step_further_right() -> None:
    ((first, second),) = paths(drawn((0, 0.1), (10, 0.9)))
    assert first[0] < second[0]
    assert first[1] > second[1]


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
@settings(max_examples=60)
def test_ticks_are_round_ascend_and_enclose(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    assert found == sorted(set(found))
    assert 2 <= len(found) <= 20
    slack = 1e-9 * max(abs(low), abs(high), 1e-300)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack


def test_a_million_points_are_few_in_the_drawing_and_no_peak_is_lost() -> None:
    points = [(float(step), 1.0) for step in range(200_000)]
    points[123_456] = (123_456.0, 9.0)
    found = thinned(points, 500)
    assert len(found) <= 4 * 501
    assert (123_456.0, 9.0) in found
    assert found == sorted(found)
    assert len(draw([Curve("r", points)], "loss")) < 200_000


def test_more_runs_than_colours_are_still_told_apart() -> None:
    root = ET.fromstring(draw([Curve(str(at), [(0, at), (1, at)]) for at in range(20)], "loss"))
    strokes = [
        (group.attrib["stroke"], group.attrib.get("stroke-dasharray"))
        for group in root.iter(f"{SVG}g")
        if group.attrib.get("stroke-width")
    ]
    assert len(set(strokes)) == 20


# By the registry ----------------------------------------------------------------------------------------------------


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


@pytest.fixture
def ids(registry: Registry) -> list[str]:
    found = []
    for lr in (0.1, 0.2):
        with registry.run(params={"lr": lr, "evil": f"</script><script>alert({lr})</script>"}) as run:
            for step in range(20):
                run.log({"loss": lr / (step + 1), "<b>": math.nan if step == 3 else step}, step=step)
        found.append(run.id)
    return found


def test_runs_are_named_by_what_differs(registry: Registry, ids: list[str], tmp_path: Path) -> None:
    text = registry.runs.plot(ids, "loss", tmp_path / "loss.svg").read_text()
    assert "<script" not in text
    for run_id, lr in zip(ids, (0.1, 0.2), strict=True):
        assert re.search(f">{run_id} evil=.* lr={lr}<", text)
    assert registry.runs.plot(ids[:1], "<b>", tmp_path / "b.SVG").read_text().count("<path") == 2


def test_a_live_run_is_drawn_too(registry: Registry, tmp_path: Path) -> None:
    run = registry.run()
    run.log(loss=1.0)
    assert registry.runs.plot([run.id], "loss", tmp_path / "live.svg").exists()


def test_a_page_holds_all_it_needs(registry: Registry, ids: list[str], tmp_path: Path) -> None:
    page = registry.runs.plot(ids, "<b>", tmp_path / "b.html").read_text()
    assert len(page) > 1_000_000
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", page)
    assert "<title>&lt;b&gt;</title>" in page
    assert "<script>alert" not in page


def test_without_plotly_a_page_says_what_to_install(
    registry: Registry, ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plotly.graph_objects", None)
    with pytest.raises(PachaError, match="not installed") as caught:
        registry.runs.plot(ids, "loss", tmp_path / "loss.html")
    assert "pacha-git[plot]" in caught.value.hint
    assert not (tmp_path / "loss.html").exists()


def test_what_can_not_be_drawn(registry: Registry, ids: list[str], tmp_path: Path) -> None:
    for metric, out, error in (
        ("nope", "x.svg", NotFound), ("loss", "x.png", InvalidInput), ("loss", "nowhere/x.svg", NotFound),
    ):  # fmt: skip
        with pytest.raises(error):
            registry.runs.plot(ids, metric, tmp_path / out)
    with pytest.raises(InvalidInput):
        registry.runs.plot([], "loss", tmp_path / "x.svg")
    assert list(tmp_path.glob("*.svg")) == []
