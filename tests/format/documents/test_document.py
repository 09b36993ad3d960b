"""Cards and datasheets: which sections they have, which they lack, which fields are wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pacha_git.format.documents.card import CARD
from pacha_git.format.documents.datasheet import DATASHEET
from pacha_git.format.documents.document import DOCUMENT_LIMIT, Document, DocumentRules, parse_document

MITCHELL = [
    "Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data",
    "Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations",
]  # fmt: skip
GEBRU = [
    "Motivation", "Composition", "Collection Process", "Preprocessing/cleaning/labeling", "Uses", "Distribution",
    "Maintenance",
]  # fmt: skip


def card(text: str) -> Document:
    return parse_document(text.encode(), CARD)


def filled(titles: list[str]) -> str:
    return "".join(f"## {title}\n\nSomething.\n\n" for title in titles)


@pytest.mark.parametrize(("rules", "titles"), [(CARD, MITCHELL), (DATASHEET, GEBRU)])
def test_the_sections_of_the_papers(rules: DocumentRules, titles: list[str]) -> None:
    assert [rule.title for rule in rules.sections] == titles
    assert parse_document(b"", rules).missing == tuple(titles)
    assert parse_document(filled(titles).encode(), rules).missing == ()
    for left_out in titles:
        rest = [title for title in titles if title != left_out]
        assert parse_document(filled(rest).encode(), rules).missing == (left_out,)


def test_a_heading_with_nothing_below_it_says_nothing() -> None:
    text = "# Model Details\n\n<!-- who made it? -->\n\n## Intended Use\n\n### Direct Use\n\nFor all.\n\n# Factors\n\n"
    assert card(text).missing == tuple(
        title for title in MITCHELL if title != "Intended Use" and title != "Model Details"
    )
    assert "Model Details" in card("# Model Details\n\n<!-- a\nb -->\n").missing


def test_a_hash_in_code_is_no_heading() -> None:
    assert "Factors" in card("```\n# Factors\nx\n```\n\n    # Factors\n").missing


def test_fields_count_for_sections() -> None:
    text = "---\nprimary_uses: [a]\ntraining_data: x\nmodel-index:\n- name: m\n---\n"
    assert card(text).missing == (
        "Model Details", "Factors", "Evaluation Data", "Ethical Considerations", "Caveats and Recommendations",
    )  # fmt: skip
    sheet = parse_document(b"---\npurpose: x\nlicense: mit\nmaintainer: me\n---\n", DATASHEET)
    assert sheet.missing == tuple(GEBRU[1:5])


def test_a_real_card(minilm_folder: Path) -> None:
    data = (minilm_folder / "README.md").read_bytes()
    found = parse_document(data, CARD)
    assert found.problems == ()
    assert found.metadata["license"] == "apache-2.0"
    assert found.metadata["library_name"] == "sentence-transformers"
    assert "ms_marco" in found.metadata["datasets"]
    assert "Training Data" not in found.missing
    assert "Ethical Considerations" in found.missing


def test_the_template_of_the_hub_is_complete() -> None:
    titles = [
        "Model Details", "Uses", "Bias, Risks, and Limitations", "Training Details", "Evaluation",
        "Testing Data, Factors & Metrics", "Results", "Environmental Impact",
    ]  # fmt: skip
    assert card(filled(titles)).missing == ()
    blank = "".join(f"## {title}\n\n<!-- ask -->\n\n- **By:** [More Information Needed]\n\n" for title in titles)
    assert card(blank).missing == tuple(MITCHELL)


def test_the_template_of_the_hub_for_datasets() -> None:
    titles = [
        "Dataset Description", "Uses", "Dataset Structure", "Source Data", "Annotations [optional]",
        "Dataset Sources [optional]", "Dataset Card Contact",
    ]  # fmt: skip
    assert parse_document(filled(titles).encode(), DATASHEET).missing == ()


@pytest.mark.parametrize(
    ("yaml_text", "said"),
    [
        ("language: no", "line 2, column 1: language: must be a text or a list of texts, not false (no, off or false"),
        ("license: 3", "line 2, column 1: license: must be a text or a list of texts, not 3"),
        ("tags: [a, 1]", "tags: must be a text or a list of texts, not ['a', 1]"),
        (
            "x: 1\ntraining_duration_secs: -1",
            "line 3, column 1: training_duration_secs: must be a number of at least 0",
        ),
        ("training_date: 3", "training_date: must be a date, as in 2026-01-31, not 3"),
        ("model-index: 3", "model-index: must be a list of models, each with a name and results"),
        ("model-index:\n- name: x\n  results:\n  - metrics:\n    - type: acc", "metrics each have a type and a value"),
        ("co2_eq_emissions: much", "co2_eq_emissions: must be a number of at least 0 or keys and values, not 'much'"),
    ],
)
def test_wrong_fields(yaml_text: str, said: str) -> None:
    [problem] = card(f"---\n{yaml_text}\n---\n").problems
    assert said in str(problem)


@pytest.mark.parametrize(
    ("yaml_text", "said"),
    [
        ("instance_count: many", "must be a whole number of at least 0"),
        ("instance_count: true", "must be a whole number of at least 0, not true (yes, on or true without quotes"),
        ("features: {a: {type: x}}", "must be columns by name, each with a dtype"),
        ("features: 3", "must be columns by name, each with a dtype"),
        ("preprocessing: [{step: 1}]", "must be a list of steps"),
    ],
)
def test_wrong_fields_of_datasheets(yaml_text: str, said: str) -> None:
    [problem] = parse_document(f"---\n{yaml_text}\n---\n".encode(), DATASHEET).problems
    assert said in str(problem)


REFERENCE_CARD: dict[str, Any] = {
    "description": "A model", "training_data": "wine@1.0.0", "training_recipe": "r@1.0.0",
    "training_date": "2026-01-31",
    "training_duration_secs": 12.5, "metrics": ["acc"], "evaluation_data": "wine@1.0.0", "primary_uses": ["wine"],
    "out_of_scope_uses": ["beer"], "limitations": ["few grapes"], "ethical_considerations": ["none"],
    "parent_model": "m@0.9.0", "derived_from": ["m@0.8.0"], "extra": {"a": 1, "b": True, "c": 1.0, "d": [1, "x"]},
}  # fmt: skip
REFERENCE_SHEET: dict[str, Any] = {
    "purpose": "p", "creators": ["a"], "funding": "f", "instance_count": 178,
    "features": {"alcohol": {"dtype": "float64", "description": "d", "nullable": False, "statistics": {"min": 11.03}}},
    "sensitive_features": [], "collection_method": "m", "collection_start": "2025-01-01",
    "collection_end": "2025-02-01",
    "preprocessing": [{"name": "scale", "description": "d", "parameters": {"by": 2}}], "license": "cc0-1.0",
    "access_restrictions": "none", "maintainer": "a", "update_frequency": "never", "deprecation_policy": "kept",
}  # fmt: skip


@pytest.mark.parametrize(("rules", "fields"), [(CARD, REFERENCE_CARD), (DATASHEET, REFERENCE_SHEET)])
def test_the_fields_of_the_reference_round_trip_with_their_types(rules: DocumentRules, fields: dict[str, Any]) -> None:
    text = f"---\n{yaml.safe_dump(fields, sort_keys=False)}---\n\n# X\n"
    found = parse_document(text.encode(), rules)
    assert found.problems == ()
    assert found.metadata == fields
    assert repr(found.metadata) == repr(fields)
    assert found.text == text


def test_what_json_has_no_word_for() -> None:
    found = card("---\nday: 2026-01-31\nx: .nan\ny: -.inf\n3: {4: 2026-01-31T10:00:00Z}\nb: !!binary aGk=\n---\n")
    assert found.json_metadata == {
        "day": "2026-01-31", "x": "NaN", "y": "-Infinity", "3": {"4": "2026-01-31T10:00:00+00:00"}, "b": "b'hi'",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"---\na: 1\n---\n\xff\n", "line 4, column 1: not UTF-8"),
        (b"a\0b", "line 1: a NUL character"),
        (b"x" * (DOCUMENT_LIMIT + 1), "over 512 KiB"),
    ],
)
def test_no_text(data: bytes, said: str) -> None:
    [problem] = parse_document(data, CARD).problems
    assert said in str(problem)


N = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "# a\n" * (N // 4), "[" * N, "![" * (N // 2), "*a " * (N // 3), "_a" * (N // 2), "# x\n" + "<!--" * (N // 4),
        "# " + "[" * N, "> " * (N // 2), "---\na: [" + "a," * (N // 2) + "a]\n---\n",
        "---\n" + "".join(f"k{n}: 1\n" for n in range(15_000)) + "---\n", "<" * N, "[a](b " * (N // 6),
    ],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    begin = time.perf_counter()
    card(text)
    assert time.perf_counter() - begin < 15
