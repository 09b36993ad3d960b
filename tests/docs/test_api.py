"""docs/api.md runs, names what there is, and what it names takes what the contract says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import pacha_git
from pacha_git import Collection, Datasets, Models, PachaError, Recipes, Registry, Run, Runs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/api.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
# What programs rely on: names of methods and what they take. More may come; none of this may go.
CONTRACT = {
    Registry: {
        "init": "path",
        "open": "path",
        "clone": "url path payload",
        "batch": "",
        "verify": "specs all",
        "fsck": "fast",
        "gc": "dry_run grace_days",
        "stats": "",
        "fetch": "remote",
        "pull": "remote specs payload",
        "push": "remote specs payload dry_run",
        "status": "",
        "run": "recipe data params",
    },
    Models: {"register": "name paths version description tags metrics data recipe run lineage card sign progress"},
    Datasets: {"register": "name paths version description tags lineage sign progress purpose datasheet"},
    Recipes: {"register": "file sign"},
    Collection: {
        "get": "spec",
        "list": "name stage tags all",
        "download": "spec out force progress",
        "path": "spec",
        "open": "spec file",
        "stage": "spec target reason",
        "alias": "name alias version unset",
        "history": "name",
        "lineage": "spec",
        "diff": "a b",
        "remove": "spec reason",
    },
    Run: {"log": "metrics step named", "artifact": "path", "finish": "status"},
}
CLASSES = {each.__name__: each for each in (Registry, Collection, Models, Datasets, Recipes, Runs, Run)}


def blocks() -> list[tuple[int, str]]:
    """The line where each block begins, and the block."""
    text = DOCUMENT.read_text("utf-8")
    return [(text.count("\n", 0, found.start(1)), found[1]) for found in BLOCK.finditer(text)]


def listed() -> dict[str, list[str]]:
    """What the table at the end names, by class."""
    table = DOCUMENT.read_text("utf-8").rpartition("## Everything")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    return {owner: re.findall(r"`(\w+)`", names) for owner, names in rows}


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for line, block in blocks():
        # So that an error says the line of the page.
        exec(compile("\n" * line + block, str(DOCUMENT), "exec"), names)


@pytest.mark.parametrize(
    ("owner", "name", "takes"),
    [(owner, name, takes) for owner, all_ in CONTRACT.items() for name, takes in all_.items()],
)
def test_what_programs_rely_on(owner: type, name: str, takes: str) -> None:
    assert set(takes.split()) <= set(inspect.signature(getattr(owner, name)).parameters)


@pytest.mark.parametrize("owner", CLASSES)
def test_the_table_names_every_method(owner: str) -> None:
    cls = CLASSES[owner]
    parts = [cls, *(base for base in cls.__bases__ if base.__name__.endswith("Methods"))]
    public = {name for part in parts for name in vars(part) if not name.startswith("_")}
    made = inspect.getsource(cls.__init__) if "__init__" in vars(cls) else ""
    attributes = set(re.findall(r"self\.([a-z]\w*) = ", made))
    assert set(listed()[owner]) == public | attributes


def test_the_table_names_every_export() -> None:
    assert set(listed()["pacha_git"]) == set(pacha_git.__all__)
    assert all(getattr(pacha_git, name) for name in pacha_git.__all__)


def test_the_page_imports_from_the_face_alone() -> None:
    imported = re.findall(r"(?:from|import) (pacha_git[\w.]*)", "\n".join(block for _, block in blocks()))
    assert set(imported) == {"pacha_git"}


def test_the_table_of_errors_is_right() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    tree = [PachaError, *PachaError.__subclasses__()]
    tree += [
        error for parent in tree[1:] for error in parent.__subclasses__() if error.__module__ == "pacha_git.errors"
    ]
    exported = [error for error in tree if error.__name__ in pacha_git.__all__]
    assert sorted(rows) == sorted((error.__name__, error.code, str(error.exit_code)) for error in exported)
