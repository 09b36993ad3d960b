"""``--where``: what can be said, what it means for one value, and where an error stands."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.query.fields import version_key
from pacha_git.query.where import Value, comparisons, holds, parse_where
from pacha_git.vocabulary.versions import Version

THING = {
    "name": [Value("fraud-detector")],
    "version": [Value("1.10.0")],
    "kind": [Value("model")],
    "stage": [Value("production")],
    "size": [Value("10485760", 10485760.0)],
    "created_at": [Value("2026-07-29T10:12:00Z")],
    "alias": [Value("champion"), Value("best")],
    "metrics.acc": [Value("0.93", 0.93)],
    "metrics.val/loss": [Value("NaN")],
    "params.lr": [Value("0.001", 0.001)],
    "params.shuffle": [Value("true")],
    "tags.team": [Value("Straße")],
}
TRUE = [
    "metrics.acc > 0.9",
    "metrics.acc>=.93 and metrics.acc <= 93e-2",
    "not metrics.acc > 0.95",
    "NOT metrics.acc < 0.9 AND stage = prod",
    "stage in (staging, PROD)",
    "stage not in (dev, archived)",
    "stage != dev",
    "kind = model and kind != data",
    "size = 10MiB",
    "size >= 10 and size < 10.5mb",
    "size > 10MB",
    "created_at = 2026-07 and created_at = 2026-07-29 and created_at = 2026",
    "created_at = 2026-07-29T10:12 and created_at = '2026-07-29 12:12:00+02:00'",
    "created_at > 2026-07-28 and created_at <= 2026-07-29",
    "created_at < 2026-08 and created_at >= 2026-07-29",
    "version > 1.9.0 and version < 1.10.1-rc.1",
    "version = '1.10.0'",
    "name ~ DETECT and name !~ cat",
    "tags.team ~ strasse",
    "tags.team = Straße and tags.team != straße",
    "alias = best and alias = champion",
    "params.shuffle = true",
    "params.lr = 1e-3",
    'metrics."val/loss" = NaN and metrics.val/loss != 3',
    "not metrics.gone > 0 and not metrics.gone <= 0 and not metrics.gone != 0",
    "(metrics.acc > 2 or stage = production) and (kind = model)",
    "metrics.acc > 0.9 or metrics.acc > 2 and stage = archived",
    "not not size = 10485760",
]
FALSE = [
    "metrics.val/loss < 1 or metrics.val/loss >= 1 or metrics.val/loss = 1",
    "params.lr = '1e-3'",
    "tags.gone != fraud",
    "created_at > 2026-07-29",
    "version < 1.9.0",
    "not stage = production",
    "metrics.acc > 2 and stage = production or kind = data",
]
WRONG = [
    ("", 1),
    ("   ", 1),
    ("metrics.acc >", 14),
    ("metrics.acc", 12),
    ("metrics.acc 3", 13),
    ("metrics. > 3", 1),
    ("nmae = x", 1),
    ("stage = prduction", 9),
    ("stage > production", 7),
    ("size ~ 3", 6),
    ("size > 10 parsecs", 11),
    ("size > tenMiB", 8),
    ("created_at > 2026-13", 14),
    ("created_at > yesterday", 14),
    ("version >= 1.2", 12),
    ("(stage = prod", 14),
    ("stage = prod)", 13),
    ("stage in prod", 10),
    ("stage in (prod", 15),
    ("stage in ()", 11),
    ("stage = 'prod", 9),
    ("stage = prod stage = dev", 14),
    ("and stage = prod", 1),
    ("name = and", 8),
    ("name ! x", 6),
    ("(" * 60 + "size > 1" + ")" * 60, 52),
    ("not " * 60 + "size > 1", 201),
    (" or ".join(["size>1"] * 201), 2001),
    ("size in (" + ",".join("1" * 501) + ")", 1010),
]


@pytest.mark.parametrize("text", TRUE)
def test_it_holds(text: str) -> None:
    assert holds(parse_where(text), THING)


@pytest.mark.parametrize("text", FALSE)
def test_it_does_not_hold(text: str) -> None:
    assert not holds(parse_where(text), THING)


@pytest.mark.parametrize(("text", "column"), WRONG)
def test_an_error_names_its_column(text: str, column: int) -> None:
    with pytest.raises(InvalidInput, match=rf"^--where, column {column}: ") as caught:
        parse_where(text)
    assert "⟨here⟩" in caught.value.hint


def test_too_long_is_said() -> None:
    with pytest.raises(InvalidInput, match="4096"):
        parse_where("name = " + "x" * 5000)


def test_what_is_compared_is_told() -> None:
    found = comparisons(parse_where("not (a_b = 1 or size > 2) and tags.x in (1, 2)".replace("a_b", "file_count")))
    assert [each.field.name for each in found] == ["file_count", "size", "tags.x"]


def test_keys_of_versions_sort_as_semver_does() -> None:
    texts = ["0.9.0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
             "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0",
             "1.10.0", "10.0.0", "99999999999999999999.0.0"]  # fmt: skip
    assert all(Version.parse(one) < Version.parse(other) for one, other in pairwise(texts))
    assert all(version_key(one) < version_key(other) for one, other in pairwise(texts))
    assert version_key("1.0.0+a") == version_key("1.0.0+b")
