"""Whatever a person writes, a card is read or its problems are told; what YAML can hold comes back as it was."""

from __future__ import annotations

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pacha_git.format.documents.card import CARD
from pacha_git.format.documents.datasheet import DATASHEET
from pacha_git.format.documents.document import parse_document
from pacha_git.format.documents.frontmatter import parse_front_matter

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.dates()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
FIELDS = st.sampled_from([*CARD.fields, *DATASHEET.fields, "else"])


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_text(text: str) -> None:
    for shown in (text, f"---\n{text}\n---\n", f"---\na: {text}\n---\n# {text}\n"):
        found = parse_document(shown.encode("utf-8", "surrogatepass"), CARD)
        json.dumps(found.json_metadata, allow_nan=False)
        assert all(problem.line is None or problem.line >= 1 for problem in found.problems)


@given(st.dictionaries(FIELDS, VALUES, max_size=5))
def test_any_fields(values: dict[str, object]) -> None:
    text = f"---\n{yaml.safe_dump(values)}---\nbody\n"
    found = parse_front_matter(text)
    assert not found.problems
    assert found.values == values
    assert set(found.places) >= {(key,) for key in values}
    assert found.body == "body\n"
    for rules in (CARD, DATASHEET):
        document = parse_document(text.encode(), rules)
        assert {problem.key for problem in document.problems} <= set(values)
        json.dumps(document.json_metadata, allow_nan=False)
