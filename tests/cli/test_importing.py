"""``run import`` and ``model import``, as they are typed."""

from __future__ import annotations

from pathlib import Path

from tests.making import put


def test_csv_says_what_was_taken_in(at, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = put(tmp_path / "sweep.csv", b"run,loss\na,1\nb,2\n")
    assert at("run", "import", "csv", path).out == "Took in 2 runs.\n"
    assert at("run", "import", "csv", path).out == "Took in 0 runs; 2 were here already.\n"
    found = at("run", "import", "csv", path, "--json").json
    assert (found["runs"], len(found["known"]), found["skipped"]) == ([], 2, [])
    wrong = at("run", "import", "csv", put(tmp_path / "bad.csv", b"loss\nlow\n"))
    assert wrong.code == 1
    assert "line 2, column 1 (loss)" in wrong.err


def test_a_store_that_is_not_there(at, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert at("run", "import", "mlflow", tmp_path / "gone").code in (1, 3)


def test_a_snapshot_is_registered_with_its_tags_once(at, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    put(tmp_path / "tiny/config.json", b'{"model_type": "bert"}')
    done = at("model", "import", "hf", tmp_path / "tiny", "acme/tiny", "--tag", "team=search")
    assert done.code == 0
    assert done.out.startswith("Registered model acme/tiny 1.0.0")
    assert at("model", "get", "acme/tiny", "--json").json["tags"] == {"model_type": "bert", "team": "search"}
    assert at("model", "import", "hf", tmp_path / "tiny", "acme/tiny").code == 4


def test_the_groups_show_their_verbs(pacha) -> None:  # type: ignore[no-untyped-def]
    assert {"mlflow", "csv"} <= set(pacha("run", "import").out.split())
    assert pacha("run", "import", "nothing").code == 2
