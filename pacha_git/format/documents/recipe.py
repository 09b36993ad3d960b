"""A training recipe as people write it in TOML: its values, the edges it asks for, every problem with its line.

The fields are those of pacha, whose own TOML (``id``, ``created_at``, a ``[version]`` table, ``{ Float = 0.1 }``) is
read too; unknown keys are kept.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pacha_git.errors import InvalidInput
from pacha_git.format import toml
from pacha_git.format.canonical import DEPTH, json_number
from pacha_git.format.documents.problem import Problem
from pacha_git.format.documents.recipe_rules import field_problems, unwrapped
from pacha_git.format.documents.toml_lines import KeyPath, key_lines, line_of
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name
from pacha_git.vocabulary.specs import Spec, parse_spec
from pacha_git.vocabulary.versions import Version

RECIPE_LIMIT: Final = 2**20
GOALS: Final = ("maximize", "minimize")
DATA_RELATIONS: Final = {"train_data": "trained-on", "validation_data": "evaluated-on"}

_ERROR_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class RecipeEdge:
    """An edge to a dataset that a recipe asks for: ``train_data`` is trained-on, ``validation_data`` evaluated-on.

    ``key`` and ``line`` say where it asks.
    """

    relation: str
    spec: Spec
    key: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recipe says.

    Attributes:
        name: None if missing or bad; so is ``version``.
        version: As SemVer, also if it was written as a table.
        description: "" if there is none.
        values: Every value of the TOML, types kept, unknown keys too.
        wishes: The edges it asks for.
        goals: Whether a metric is to be maximized or minimized, by its name.
        problems: All that is wrong, in the order of lines; empty if it can be registered.
    """

    name: Name | None = None
    version: Version | None = None
    description: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    wishes: tuple[RecipeEdge, ...] = ()
    goals: Mapping[str, str] = field(default_factory=dict, hash=False)
    problems: tuple[Problem, ...] = ()

    @property
    def json_values(self) -> dict[str, Any]:
        """The values as JSON holds them: dates as RFC 3339, large integers as digits, NaN and infinities as words."""
        return {key: _as_json(value) for key, value in self.values.items()}

    def require_valid(self, what: str) -> None:
        """Refuse a recipe that has problems.

        Args:
            what: The file or version it is, for the message.

        Raises:
            InvalidInput: naming all of them.
        """
        if self.problems:
            raise InvalidInput(
                f"{what}: " + "; ".join(map(str, self.problems)),
                hint=f"mend it, then: git pacha recipe validate {what}",
            )


def parse_recipe(data: bytes) -> Recipe:
    """Read a recipe and collect all its problems; never raises for what is in the file.

    Args:
        data: The bytes of the TOML, at most 1 MiB.
    """
    try:
        text = _checked_text(data)
        values = toml.loads(text)
    except ValueError as error:
        return _unreadable(data, str(error))
    if _deeper_than(values, DEPTH):
        return _unreadable(data, f"nested deeper than {DEPTH} levels")
    return _read_values(unwrapped(values), key_lines(text))


def _checked_text(data: bytes) -> str:
    if len(data) > RECIPE_LIMIT:
        raise ValueError(f"larger than {RECIPE_LIMIT} bytes")
    if data.startswith(codecs.BOM_UTF8):
        raise ValueError("it begins with a byte order mark; save it as UTF-8 without (at line 1, column 1)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start])
        raise ValueError(f"not UTF-8 (at line {line}, column {column})") from None
    return text


def _place(before: bytes) -> tuple[int, int]:
    """Line and column, from 1, of the byte after these."""
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")


def _unreadable(data: bytes, message: str) -> Recipe:
    match = _ERROR_PLACE.match(message)
    if match is None:
        return Recipe(problems=(Problem(None, "", f"not a TOML document: {message}"),))
    line, column = (int(match[2]), int(match[3])) if match[2] else _place(data)
    return Recipe(problems=(Problem(line, "", f"not a TOML document: {match[1]}", column),))


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [item for one in level for item in _items(one)]
        if not level:
            return False
    return True


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


@dataclass(slots=True)
class _Findings:
    """Problems as they are found, each put on the line of its key."""

    lines: dict[KeyPath, int]
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str) -> None:
        key = ".".join(part if _BARE_KEY.match(part) else f'"{part}"' for part in map(str, path))
        self.problems.append(Problem(line_of(self.lines, path), key, message))


def _read_values(values: dict[str, Any], lines: dict[KeyPath, int]) -> Recipe:
    findings = _Findings(lines)
    name = _read_name(values, findings)
    version = _read_version(values, findings)
    for path, message in field_problems(values):
        findings.add(path, message)
    wishes = tuple(_read_wishes(values, findings))
    goals = dict(_read_goals(values, findings))
    _check_seed(values, findings)
    description = values.get("description")
    return Recipe(
        name=name,
        version=version,
        description=description if isinstance(description, str) else "",
        values=values,
        wishes=wishes,
        goals=goals,
        problems=tuple(sorted(findings.problems, key=lambda problem: problem.line or 0)),
    )


def _read_name(values: Mapping[str, Any], findings: _Findings) -> Name | None:
    name = values.get("name")
    if not isinstance(name, str):
        findings.add(("name",), "missing" if name is None else "must be a text")
        return None
    try:
        return Name.parse(name)
    except InvalidInput as error:
        findings.add(("name",), error.message)
        return None


def _read_version(values: Mapping[str, Any], findings: _Findings) -> Version | None:
    version = values.get("version")
    if isinstance(version, dict):
        version = version_of_table(version)
    if not isinstance(version, str):
        findings.add(("version",), "missing" if "version" not in values else 'must be a text such as "1.0.0"')
        return None
    try:
        return Version.parse(version)
    except InvalidInput as error:
        findings.add(("version",), error.message)
        return None


def version_of_table(table: Mapping[str, Any]) -> str | None:
    """Read pacha's ``{ major, minor, patch }`` (with ``prerelease``, ``build``) as SemVer; None if it isn't one."""
    numbers = [table.get(key) for key in ("major", "minor", "patch")]
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    prerelease, build = table.get("prerelease"), table.get("build")
    text = ".".join(map(str, numbers))
    return text + (f"-{prerelease}" if prerelease else "") + (f"+{build}" if build else "")


def _read_wishes(values: Mapping[str, Any], findings: _Findings) -> Iterator[RecipeEdge]:
    for key, relation in DATA_RELATIONS.items():
        if key not in values:
            continue
        try:
            yield RecipeEdge(relation, _dataset_spec(values[key]), key, line_of(findings.lines, (key,)))
        except InvalidInput as error:
            findings.add((key,), f'must be a dataset, as in "data:NAME@1.0.0": {error.message}')


def _dataset_spec(value: Any) -> Spec:
    """Read ``data:NAME@VERSION``, ``NAME@VERSION``, or pacha's table of name and version."""
    if isinstance(value, dict):
        version = value.get("version")
        version = version_of_table(version) if isinstance(version, dict) else version
        if not isinstance(value.get("name"), str) or not isinstance(version, str):
            raise InvalidInput("a table of name and version, with one of them missing")
        value = f"{value['name']}@{version}"
    if not isinstance(value, str):
        raise InvalidInput(f"{value!r} is no text")
    spec = parse_spec(value).with_kind(Kind.DATASET)
    if spec.file is not None:
        raise InvalidInput(f"{value!r} names a file within a dataset")
    return spec


def _read_goals(values: Mapping[str, Any], findings: _Findings) -> Iterator[tuple[str, str]]:
    metrics = values.get("metrics")
    if not isinstance(metrics, dict):
        return
    for name, metric in metrics.items():
        goal = metric.get("goal") if isinstance(metric, dict) else None
        if goal in GOALS:
            yield name, goal
        elif goal is not None:
            findings.add(("metrics", name, "goal"), 'must be "maximize" or "minimize"')


def _check_seed(values: Mapping[str, Any], findings: _Findings) -> None:
    if values.get("deterministic") is True and "random_seed" not in values:
        findings.add(("deterministic",), "true, but random_seed is missing")


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    return json_number(value) if isinstance(value, (int, float)) else value.isoformat()
