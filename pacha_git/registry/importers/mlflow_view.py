"""Shows MLflow a folder store through links: it makes folders where it reads, and nothing may change in the store.

What leads out of the store is no part of the view, nor is a run whose description can't be read.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import yaml

from pacha_git.errors import NotFound
from pacha_git.registry.importers.reach import leads_out

VIEW: Final = "mlruns"
DATABASE: Final = "mlflow.db"
RUN: Final = re.compile(r"[0-9a-f]{32}\Z")
_META: Final = "meta.yaml"


def linked(folder: Path, room: Path, left_out: dict[str, str]) -> str:
    """Give the URI of a folder that leads to another's experiments, less the runs with a link that leads out of it."""
    if not any(folder.glob("*/meta.yaml")):
        beside = folder.parent / DATABASE
        hint = f"name {beside}" if beside.is_file() else "name the folder mlruns itself"
        raise NotFound(f"{folder} is no MLflow store: no experiment in it", hint=hint)
    view = room / VIEW
    view.mkdir()
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != ".trash":
            _link_experiment(entry, folder.resolve(), view / entry.name, left_out)
    return view.as_uri()


def _link_experiment(experiment: Path, root: Path, view: Path, left_out: dict[str, str]) -> None:
    strangers = {"": leads_out(experiment, root, recursive=False)} if experiment.is_symlink() else {}
    if not strangers:
        strangers = {entry.name: why for entry in experiment.iterdir() if (why := leads_out(entry, root))}
    if not strangers:
        view.symlink_to(experiment.resolve(), target_is_directory=True)
        return
    left_out |= {f"{experiment.name}/{name}".rstrip("/"): why for name, why in strangers.items()}
    if strangers.keys().isdisjoint({"", "meta.yaml"}):
        view.mkdir()
        for entry in experiment.iterdir():
            if entry.name not in strangers:
                (view / entry.name).symlink_to(entry.resolve())


def careful_view(view: Path) -> dict[str, str]:
    """Make the view of an experiment anew, of the runs whose description can be read; says why the others can't."""
    sources = {entry.name: entry.resolve() for entry in view.iterdir()}
    if view.is_symlink():
        view.unlink()
    else:
        shutil.rmtree(view)  # links, and nothing else
    view.mkdir()
    broken: dict[str, str] = {}
    for name, source in sorted(sources.items()):
        if not RUN.match(name):
            (view / name).symlink_to(source)
            continue
        try:
            _view_of_run(view / name, source)
        except (OSError, ValueError, yaml.YAMLError) as error:
            broken[name] = f"its {_META} can't be read: {(str(error).splitlines() or ['it is empty'])[0][:200]}"
    return broken


def _view_of_run(view: Path, source: Path) -> None:
    """A run by links, but for its description: ids that were written as numbers are texts in it."""
    described = yaml.safe_load((source / _META).read_bytes())
    if not isinstance(described, dict):
        raise ValueError("it describes nothing")
    view.mkdir()
    for entry in source.iterdir():
        if entry.name != _META:
            (view / entry.name).symlink_to(entry.resolve())
    ids = {"run_id": view.name, "run_uuid": view.name, "experiment_id": view.parent.name}
    (view / _META).write_text(yaml.safe_dump(described | ids), "utf-8")
