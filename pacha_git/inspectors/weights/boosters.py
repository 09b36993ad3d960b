"""Tells the files of gradient boosters: XGBoost (``.ubj .json``), LightGBM (``.txt``), CatBoost (``.cbm .json``).

Only what stands at the beginning or the end is read; the trees are passed by.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pacha_git.inspectors.facts import Facts
from pacha_git.inspectors.source import Damaged, Source

_LOOKED_AT: Final = 64 << 10
_JSON_WORD: Final = rb'"%s"\s*:\s*"?([^",}\s]{1,60})'


def read_xgboost_ubj(source: Source) -> Facts:
    """Read what XGBoost wrote as UBJSON.

    Raises:
        Damaged: it has no end.
    """
    head, tail = source.some(0, _LOOKED_AT), source.some(max(0, source.size - _LOOKED_AT), _LOOKED_AT)
    said: dict[str, Any] = {"library": "XGBoost"}
    for word in ("num_trees", "num_class", "num_feature", "num_target"):
        found = _ubj_text(head, word) or _ubj_text(tail, word)
        if found:
            said[word] = found
    at = tail.rfind(b"\x04nameSL") if b"\x09objective" in tail else -1
    if at >= 0:
        said["objective"] = _ubj_text(tail[at - 8 :], "name")
    version = tail.rfind(b"version[")
    if version < 0 or not tail.endswith(b"}"):
        raise Damaged("cut short: it has no end")
    return Facts("booster", None, said)


def _ubj_text(data: bytes, key: str) -> str | None:
    """Return the text behind a key: the key, ``S``, ``L``, a length of 8 bytes, the text."""
    mark = key.encode() + b"SL"
    at = data.rfind(mark)
    if at < 0 or at + len(mark) + 8 > len(data):
        return None
    start = at + len(mark) + 8
    size = int.from_bytes(data[start - 8 : start], "big")
    return data[start : start + size].decode("utf-8", "replace") if size <= 200 else None


def read_json_booster(source: Source) -> Facts:
    """Read what XGBoost or CatBoost wrote as JSON.

    Raises:
        Damaged: it has no end.
    """
    head, tail = source.some(0, _LOOKED_AT), source.some(max(0, source.size - _LOOKED_AT), _LOOKED_AT)
    if not tail.rstrip().endswith(b"}"):
        raise Damaged("cut short: it has no end")
    is_xgboost = b'"learner"' in head[:100]
    said: dict[str, Any] = {"library": "XGBoost" if is_xgboost else "CatBoost"}
    words = ("num_trees", "num_class", "num_feature", "num_target") if is_xgboost else ("tree_count",)
    for word in words:
        found = re.search(_JSON_WORD % word.encode(), head) or re.search(_JSON_WORD % word.encode(), tail)
        if found:
            said[word] = found[1].decode("utf-8", "replace")
    objective = re.search(rb'"objective"\s*:\s*\{[^{}]{0,400}?"name"\s*:\s*"([^"]{1,60})"', tail)
    if objective:
        said["objective"] = objective[1].decode("utf-8", "replace")
    return Facts("booster", None, said)


def read_lightgbm(source: Source) -> Facts:
    """Read the head of a model of LightGBM.

    Raises:
        Damaged: it has no end.
    """
    head = source.some(0, _LOOKED_AT).split(b"Tree=0", 1)[0].decode("utf-8", "replace")
    values = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    said: dict[str, Any] = {"library": "LightGBM"}
    said |= {word: values[word] for word in ("version", "num_class", "objective", "max_feature_idx") if word in values}
    trees = values.get("tree_sizes", "").split()
    if trees and len(head) < _LOOKED_AT:
        said["num_trees"] = len(trees)
    tail = source.some(max(0, source.size - (1 << 20)), 1 << 20)
    if b"end of trees" not in tail or (b"\nparameters:" in tail and b"end of parameters" not in tail):
        raise Damaged("cut short: the end of its trees is not there")
    return Facts("booster", None, said)


def read_catboost(source: Source) -> Facts:
    """Read the parameters that CatBoost keeps beside the trees.

    Raises:
        Damaged: it is cut short.
    """
    size = int.from_bytes(source.at(4, 4), "little")
    if 8 + size > source.size:
        raise Damaged(f"cut short: its trees end at {8 + size}, the file at {source.size}")
    head = source.some(0, _LOOKED_AT)
    said: dict[str, Any] = {"library": "CatBoost"}
    loss = re.search(rb'"loss_function"\s*:\s*\{\s*"type"\s*:\s*"([^"]{1,60})"', head)
    if loss:
        said["objective"] = loss[1].decode("utf-8", "replace")
    return Facts("booster", None, said)
