"""Writes a model card or datasheet to begin with: what is known stands in it, what is not is asked for in comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pacha_git.format.documents.document import DocumentRules
from pacha_git.vocabulary.printable import clean, one_line


def write_skeleton(
    rules: DocumentRules, title: str, metadata: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
) -> str:
    """Write it.

    Args:
        rules: Which sections there are.
        title: The first heading.
        metadata: The front matter; what is None or empty is left out, and a licence asked for.
        texts: By title of a section its lines of Markdown; of those without any, the question is asked.
    """
    import yaml

    known = {key: value for key, value in metadata.items() if value not in (None, "", [], {})}
    head = yaml.safe_dump(known, sort_keys=False, allow_unicode=True, width=110) if known else ""
    asked = [] if "license" in known else ["# license: which one, as in mit, apache-2.0 or cc-by-4.0"]
    lines = ["---", *asked, *head.splitlines(), "---", "", f"# {title}"]
    for rule in rules.sections:
        lines += ["", f"## {rule.title}", ""]
        said = list(texts.get(rule.title, ()))
        lines += [*said, *([""] if said else []), f"<!-- {rule.asks} -->"]
    return clean("\n".join(lines) + "\n")


def bullets(pairs: Sequence[tuple[str, object]]) -> list[str]:
    """Return a list of names and values; what is None or empty is left out."""
    return [f"- **{inline(name)}:** {inline(value)}" for name, value in pairs if value not in (None, "", [], {})]


def grid(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a table of Markdown; nothing if it has no rows."""
    if not rows:
        return []
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join("" if cell is None else inline(cell) for cell in line) + " |" for line in lines]


def inline(value: object) -> str:
    """Return a value within a line: it breaks neither line nor table, opens no tag, and no terminal acts upon it."""
    return one_line(" ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;"))
