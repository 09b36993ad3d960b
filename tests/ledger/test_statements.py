from __future__ import annotations

import pytest

from pacha_git.errors import InvalidInput
from pacha_git.ledger.statements import (
    AliasChange,
    TagChange,
    alias_event,
    card,
    datasheet,
    endorse,
    evaluate,
    read_alias,
    read_stage,
    read_tag,
    read_text,
    reads_as_addition,
    stage_event,
    tag,
    tombstone,
)
from pacha_git.vocabulary.names import Alias
from pacha_git.vocabulary.stages import Stage
from tests.ledger.samples import event, target


def test_each_reads_back() -> None:
    assert read_stage(event(stage_event(Stage.STAGING, Stage.PRODUCTION), 1)) == ("staging", "production")
    assert read_alias(event(alias_event(Alias("champion"), "unset"), 1)) == AliasChange(Alias("champion"), "unset")
    assert read_tag(event(tag("k", None), 1)) == TagChange("k", None)
    assert read_text(event(card("# Card\n"), 1)) == "# Card\n"
    for addition in (endorse(), evaluate(target(2), {"acc": 1}), tombstone()):
        assert reads_as_addition(event(addition, 1))


def test_an_evaluation_names_its_dataset_as_lineage_does() -> None:
    assert evaluate(target(2), {}).fields["data"] == target(2).model_dump()


@pytest.mark.parametrize("make", [card, datasheet])
def test_a_text_over_512_kib_is_refused(make: object) -> None:
    with pytest.raises(InvalidInput, match="over 512 KiB"):
        make("x" * (512 * 1024 + 1))  # type: ignore[operator]


def test_a_tag_has_a_key() -> None:
    with pytest.raises(InvalidInput):
        tag("", "x")
