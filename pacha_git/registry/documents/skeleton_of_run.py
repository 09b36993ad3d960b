"""What the run behind a version says of how that came to be: the code, the software and the machine.

It reads runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pacha_git.errors import NotFound
from pacha_git.format.record import Edge
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.session import Session
from pacha_git.store.runs import commits as run_commits
from pacha_git.vocabulary.kinds import Kind

# Of the packages of an environment those that make a model; the rest stands in the run.
_TOLD: Final = (
    "torch", "tensorflow", "jax", "keras", "transformers", "diffusers", "peft", "trl", "lightning", "scikit-learn",
    "xgboost", "lightgbm", "catboost", "numpy",
)  # fmt: skip


def run_behind(session: Session, edges: Sequence[Edge]) -> run_commits.StoredRun | None:
    """The run that made a version, as it stands now; as it stood when it was named, if the run itself is not here."""
    for edge in edges:
        if edge.target.kind == Kind.RUN.value:
            try:
                return run_commits.read_run(session.repo, edge.target.name)
            except NotFound:
                return run_commits.read(session.repo, Oid(edge.target.commit))
    return None


def circumstances(run: run_commits.StoredRun) -> list[tuple[str, object]]:
    """Code, seed, software and hardware of a run, by name; what it does not say is None."""
    record = run.record
    return [
        ("Code", _code(record.git)),
        ("Seed", record.seed),
        ("Software", _software(record.environment)),
        ("Hardware", _hardware(record.hardware)),
        ("Trained", f"{record.started_at} to {record.finished_at}" if record.finished_at else None),
    ]


def _code(git: dict[str, Any] | None) -> str | None:
    if git is None:
        return None
    return f"commit {git.get('commit')}{' and changes that were not committed' if git.get('dirty') else ''}"


def _software(environment: dict[str, Any]) -> str:
    packages = environment.get("packages")
    found = packages if isinstance(packages, dict) else {}
    named = [f"{name} {found[name]}" for name in _TOLD if name in found]
    return ", ".join([f"Python {environment['python']}", *named] if environment.get("python") else named)


def _hardware(hardware: dict[str, Any]) -> str:
    gpus = f"{hardware['gpu_count']} of {hardware.get('gpu_model')}" if hardware.get("gpu_count") else None
    memory = f"{hardware['ram_gb']} GiB of memory" if hardware.get("ram_gb") else None
    return ", ".join(str(part) for part in (gpus, hardware.get("cpu_model"), memory) if part)
