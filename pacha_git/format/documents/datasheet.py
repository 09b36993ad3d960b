"""What a datasheet says: the seven sections of the paper, the fields of pacha's datasheets, and the Hub's front matter.

Source: Gebru et al., "Datasheets for Datasets" (2021), section 3. The headings of the Hub's dataset cards count too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pacha_git.format.documents.document import (
    Check,
    DocumentRules,
    SectionRule,
    any_of,
    count,
    day,
    items,
    table,
    tables,
    text,
    texts,
    truth,
)


def features(value: Any) -> str:
    """Columns by name, each with at least a dtype; or the Hub's list of columns with name and dtype."""
    if isinstance(value, dict):
        good = all(isinstance(one, str) or (isinstance(one, dict) and isinstance(one.get("dtype"), str))
                   for one in value.values())  # fmt: skip
        return "" if good else "columns by name, each with a dtype"
    good = isinstance(value, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value)
    return "" if good else "columns by name, each with a dtype"


def steps(value: Any) -> str:
    """Texts, or tables of name, description and parameters."""
    good = isinstance(value, str) or (
        isinstance(value, list)
        and all(isinstance(one, str) or (isinstance(one, dict) and isinstance(one.get("name"), str)) for one in value)
    )
    return "" if good else "a list of steps, each a text or a table with a name"


_SECTIONS: Final = (
    SectionRule(
        "Motivation",
        ("dataset description", "dataset summary", "curation rationale", "purpose"),
        ("purpose", "creators", "funding"),
        "For what purpose was it made, by whom, and who paid for it?",
    ),
    SectionRule(
        "Composition",
        ("dataset structure", "data instances", "data fields", "dataset composition"),
        ("features", "dataset_info", "instance_count"),
        "What are the instances, how many are there, what is missing, which are sensitive, which splits are there?",
    ),
    SectionRule(
        "Collection Process",
        (
            "collection",
            "source data",
            "data collection",
            "data collection and processing",
            "initial data collection and normalization",
            "dataset creation",
        ),
        ("collection_method",),
        "How was it gathered, by whom, over what time, and did the people in it agree?",
    ),
    SectionRule(
        "Preprocessing/cleaning/labeling",
        (
            "preprocessing",
            "preprocessing cleaning and labeling",
            "cleaning",
            "labeling",
            "annotations",
            "annotation process",
            "data collection and processing",
        ),
        ("preprocessing",),
        "What was cleaned, labelled or left out, with which software, and is the raw data kept?",
    ),
    SectionRule(
        "Uses",
        (
            "intended use",
            "intended uses",
            "direct use",
            "out of scope use",
            "supported tasks",
            "supported tasks and leaderboards",
            "considerations for using the data",
        ),
        ("task_categories", "uses"),
        "What was it used for, what else could it be, and what should it not be used for?",
    ),
    SectionRule(
        "Distribution",
        ("licensing information", "license", "licence", "access", "dataset sources"),
        ("license", "access_restrictions"),
        "Who gets it, how, when, and under which licence or restrictions?",
    ),
    SectionRule(
        "Maintenance",
        ("dataset curators", "contact", "dataset card contact", "versioning", "additional information"),
        ("maintainer", "update_frequency", "deprecation_policy"),
        "Who maintains it, will it be updated, and what happens to older versions?",
    ),
)
_PACHA: Final[Mapping[str, Check]] = {
    "purpose": text, "creators": texts, "funding": texts, "instance_count": count, "features": features,
    "sensitive_features": texts, "collection_method": text, "collection_start": day, "collection_end": day,
    "preprocessing": steps, "license": texts, "access_restrictions": texts, "maintainer": texts,
    "update_frequency": text, "deprecation_policy": text, "description": text, "uses": texts, "extra": table,
}  # fmt: skip
_HUB: Final[Mapping[str, Check]] = {
    "license_name": text, "license_link": text, "language": texts, "tags": texts, "pretty_name": text,
    "task_categories": texts, "task_ids": texts, "size_categories": texts, "annotations_creators": texts,
    "language_creators": texts, "multilinguality": texts, "source_datasets": texts, "paperswithcode_id": text,
    "configs": items, "dataset_info": tables, "viewer": truth, "train-eval-index": any_of(tables, items),
}  # fmt: skip

DATASHEET: Final = DocumentRules("datasheet", _SECTIONS, {**_HUB, **_PACHA})
