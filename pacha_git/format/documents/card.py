"""What a model card says: the nine sections of the paper, and the front matter of the Hugging Face Hub.

Source: Mitchell et al., "Model Cards for Model Reporting" (2019), figure 1. The headings of the Hub's own template
count too, and so do the fields of pacha's cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pacha_git.format.documents.document import (
    Check,
    DocumentRules,
    SectionRule,
    amount,
    any_of,
    day,
    items,
    table,
    tables,
    text,
    texts,
    truth,
)


def model_index(value: Any) -> str:
    """Return the Hub's ``model-index``: models, each with a name and results, whose metrics have a type and a value."""
    models = value if isinstance(value, list) else [value]
    for model in models:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            return "a list of models, each with a name and results"
        results = model.get("results") or []
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            return "a list of models whose results are a list"
        for result in results:
            metrics = result.get("metrics") or []
            if not isinstance(metrics, list) or not all(_is_metric(metric) for metric in metrics):
                return "a list of models whose metrics each have a type and a value"
    return ""


def _is_metric(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("type"), str) and "value" in value


_SECTIONS: Final = (
    SectionRule(
        "Model Details",
        ("model description", "details", "technical specifications", "model architecture and objective"),
        ("description",),
        "Who made it and when, which version and kind it is, how it was made, where to read more, its licence.",
    ),
    SectionRule(
        "Intended Use",
        (
            "uses",
            "use",
            "direct use",
            "downstream use",
            "intended uses",
            "intended uses limitations",
            "out of scope use",
            "how to use",
            "usage",
        ),
        ("primary_uses", "out_of_scope_uses"),
        "What it is for, who should use it, and what it is not for.",
    ),
    SectionRule(
        "Factors",
        ("relevant factors", "evaluation factors", "testing data factors metrics"),
        ("factors",),
        "Groups, instruments and environments between which its results may differ.",
    ),
    SectionRule(
        "Metrics",
        ("model performance measures", "testing data factors metrics", "evaluation metrics"),
        ("metrics", "model-index"),
        "What was measured, why that, and where the decision thresholds lie.",
    ),
    SectionRule(
        "Evaluation Data",
        ("testing data", "test data", "evaluation", "testing data factors metrics"),
        ("evaluation_data",),
        "Which datasets it was evaluated on, why those, how they were prepared.",
    ),
    SectionRule(
        "Training Data",
        ("training", "training details", "training procedure"),
        ("training_data", "datasets"),
        "Which datasets it was trained on; if that can't be told, how they are distributed.",
    ),
    SectionRule(
        "Quantitative Analyses",
        ("results", "evaluation results", "performance", "quantitative analysis", "benchmarks"),
        ("model-index",),
        "The results: overall, by factor, and where factors meet.",
    ),
    SectionRule(
        "Ethical Considerations",
        ("ethics", "bias risks and limitations", "risks", "bias"),
        ("ethical_considerations",),
        "Which data is sensitive, who could be harmed and how, what was done against it.",
    ),
    SectionRule(
        "Caveats and Recommendations",
        (
            "limitations",
            "recommendations",
            "caveats",
            "bias risks and limitations",
            "limitations and bias",
            "intended uses limitations",
        ),
        ("limitations",),
        "What else one has to know: known limits, what was not tested, what to test before using it.",
    ),
)
_HUB: Final[Mapping[str, Check]] = {
    "license": texts, "license_name": text, "license_link": text, "language": texts, "tags": texts, "datasets": texts,
    "metrics": any_of(texts, tables), "base_model": texts, "base_model_relation": text, "library_name": text,
    "pipeline_tag": text, "model-index": model_index, "model_name": text, "new_version": text, "thumbnail": text,
    "inference": any_of(truth, table, text), "co2_eq_emissions": any_of(amount, table), "extra_gated_prompt": text,
    "extra_gated_fields": table, "mask_token": text, "eval_results": tables, "widget": items, "pretty_name": text,
}  # fmt: skip
_PACHA: Final[Mapping[str, Check]] = {
    "description": text, "training_data": any_of(texts, tables), "training_recipe": text, "training_date": day,
    "training_duration_secs": amount, "evaluation_data": any_of(texts, tables), "primary_uses": texts,
    "out_of_scope_uses": texts, "limitations": texts, "ethical_considerations": texts, "parent_model": text,
    "derived_from": texts, "factors": texts, "extra": table,
}  # fmt: skip

CARD: Final = DocumentRules("model card", _SECTIONS, {**_HUB, **_PACHA})
