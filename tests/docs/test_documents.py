"""What the documents say of the tree is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, by the rule of code forges."""
    headings = re.findall(r"^#+ +(.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    decisions = [path.name for path in sorted(ROOT.glob("docs/adr/[0-9]*.md"))]
    assert re.findall(r"\]\((\d{4}-[^)]+\.md)\)", index) == decisions


def test_the_picture_of_the_floors_is_the_rule() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    floors = next(rule for rule in settings["tool"]["importlinter"]["contracts"] if rule["id"] == "floors")
    ruled = [re.findall(r"\w+", layer) for layer in floors["layers"]]
    picture = (ROOT / "docs/architecture.md").read_text().split("```")[1]
    drawn = [re.findall(r"│ +(\w+)", line) for line in picture.splitlines() if re.match(r"\d │", line)]
    assert drawn == ruled


def test_the_lock_has_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements-lock.txt").read_text(), re.MULTILINE)
    assert {re.split(r"[\[<>=]", name)[0] for name in wanted} <= set(locked)
