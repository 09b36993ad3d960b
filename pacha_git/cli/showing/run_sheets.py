"""How runs are shown to people: the list, the sheet of one, several side by side.

It knows the results of the verbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pacha_git.cli.showing import output
from pacha_git.cli.showing.tables import EMPTY_TEXT, sheet, strong, table
from pacha_git.cli.showing.units import instant

if TYPE_CHECKING:
    from pacha_git import BestRun, EdgeInfo, RunComparison, RunInfo

_SHOWN_METRICS = 4
_SHOWN_PARAMS = 4
_LEAST_OF_ID = 13  # as far as the millisecond at which it was begun
_METRICS = "Metrics: last [min … max], * best"


def runs(found: Sequence[RunInfo]) -> str:
    """Return the table of ``run list``."""
    headings = ("ID", "STATUS", "RECIPE", "STARTED", "PARAMS", "METRICS")
    return table(headings, [_row(run) for run in found])


def _row(run: RunInfo) -> Sequence[object]:
    metrics = {name: summary.last for name, summary in run.metrics.items()}
    return (
        run.id, run.status, run.recipe, instant(run.started_at), _few(run.params, _SHOWN_PARAMS),
        _few(metrics, _SHOWN_METRICS),
    )  # fmt: skip


def _few(values: Mapping[str, Any], count: int) -> str:
    words = [f"{name}={number(value)}" for name, value in values.items()]
    return " ".join(words[:count]) + (" …" if len(words) > count else "")


def number(value: Any) -> str:
    """Write a value: numbers to six digits, booleans as TOML does."""
    if value == "":
        return EMPTY_TEXT
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def detail(run: RunInfo) -> str:
    """Return the sheet of ``run get``."""
    parts = [f"{strong(f'run {run.id}')} · {run.status}", sheet(_facts(run), indent="  ")]
    if run.metrics:
        rows = [(name, *map(number, (each.last, each.min, each.max, each.steps))) for name, each in run.metrics.items()]
        parts.append(
            _titled(
                "Metrics", table(("METRIC", "LAST", "MIN", "MAX", "STEPS"), rows, right=("LAST", "MIN", "MAX", "STEPS"))
            )
        )
    if run.params:
        parts.append(_titled("Parameters", sheet([(name, number(value)) for name, value in run.params.items()])))
    if run.artifacts:
        parts.append(_titled("Artifacts", output.clean("\n".join(run.artifacts))))
    return "\n\n".join(part for part in parts if part)


def _titled(title: str, text: str) -> str:
    return strong(title) + "\n" + "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


def _facts(run: RunInfo) -> list[tuple[str, object]]:
    environment = run.environment or {}
    argv = environment.get("command")
    command = " ".join(map(str, argv)) if isinstance(argv, list | tuple) else argv
    return [
        ("Error", run.error),
        ("Inputs", "\n".join(_input(edge) for edge in run.inputs)),
        ("Started", f"{instant(run.started_at)} by {run.created_by}"),
        ("Finished", instant(run.finished_at) if run.finished_at else None),
        ("Tags", "\n".join(f"{key}={value}" for key, value in run.tags.items())),
        ("Seed", run.seed),
        ("Code", _code(run.git)),
        ("Command", command),
        ("Python", environment.get("python")),
        ("Hardware", _hardware(run.hardware)),
        ("Points", "not here: they can be pulled" if run.payload == "thin" else None),
        ("Commit", run.commit),
    ]


def _input(edge: EdgeInfo) -> str:
    version = f"@{edge.version}" if edge.version else ""
    return f"{edge.relation} {edge.kind.noun}:{edge.name}{version}"


def _code(git: Mapping[str, Any] | None) -> str | None:
    if git is None:
        return None
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{git.get('commit')}{branch}{', with changes that are not committed' if git.get('dirty') else ''}"


def _hardware(found: Mapping[str, Any]) -> str:
    words = [str(found.get("cpu_model", ""))]
    words += [f"{found[key]} {unit}" for key, unit in (("cpu_cores", "cores"), ("ram_gb", "GiB")) if key in found]
    if found.get("gpu_count"):
        words.append(f"{found['gpu_count']} of {found.get('gpu_model')}")
    return ", ".join(word for word in words if word)


def comparison(found: RunComparison) -> str:
    """Several runs: what differs first; a column each, or a line each if they are more than what is said of them."""
    many = len(found.runs) > 1 + len(found.differing) + len(found.metrics)
    parts = [_line_by_line(found)] if many else _side_by_side(found)
    alike = [name for name in found.params if name not in set(found.differing)]
    if alike:
        of_first = found.runs[0].id
        pairs = [(name, number(found.params[name][of_first])) for name in alike]
        parts.append(_titled("Parameters that are the same", sheet(pairs)))
    return "\n\n".join(parts)


def _side_by_side(found: RunComparison) -> list[str]:
    ids = [run.id for run in found.runs]
    headings = ("", *_short(ids))
    parts = [table(headings, [("status", *(run.status for run in found.runs))])]
    if found.differing:
        rows = [(name, *(_param(found, name, run_id) for run_id in ids)) for name in found.differing]
        parts.append(_titled("Parameters that differ", table(headings, rows)))
    if found.metrics:
        rows = [(name, *(_metric(found, name, run) for run in found.runs), found.goals[name]) for name in found.metrics]
        parts.append(_titled(_METRICS, table((*headings, "GOAL"), rows)))
    return parts


def _line_by_line(found: RunComparison) -> str:
    goals = [f"{name} ({found.goals[name]})" for name in found.metrics]
    rows = [
        (
            run.id, run.status, *(_param(found, name, run.id) for name in found.differing),
            *(_metric(found, name, run) for name in found.metrics),
        )
        for run in found.runs
    ]  # fmt: skip
    title = "Parameters that differ" + (f"; {_METRICS[0].lower()}{_METRICS[1:]}" if goals else "")
    headings = [output.one_line(heading) for heading in ("ID", "STATUS", *found.differing, *goals)]
    return _titled(title, table(headings, rows))


def _short(ids: Sequence[str]) -> list[str]:
    """Beginnings that tell ids apart, and by which commands find them: as headings, whole ones are too wide."""
    length = next(length for length in range(_LEAST_OF_ID, 37) if len({each[:length] for each in ids}) == len(ids))
    return [each[:length] for each in ids]


def _param(found: RunComparison, name: str, run_id: str) -> str:
    values = found.params[name]
    return number(values[run_id]) if run_id in values else ""


def _metric(found: RunComparison, name: str, run: RunInfo) -> str:
    summary = run.metrics.get(name)
    if summary is None:
        return ""
    span = f" [{number(summary.min)} … {number(summary.max)}]" if summary.steps > 1 else ""
    return number(summary.last) + span + (" *" if found.best.get(name) == run.id else "")


def best(found: BestRun) -> str:
    """Tell what ``run best`` says."""
    how = f"{found.metric} = {number(found.value)}, {found.goal}d {found.because}"
    return f"{how}\n\n{detail(found.run)}"
