from __future__ import annotations

from pathlib import Path

import blake3
import pytest

from pacha_git import Ambiguous, InvalidInput, NotFound, Registry
from pacha_git.vocabulary.kinds import Kind
from tests.making import put, recipe


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Model m has 1.2.0, 1.10.0 (staging), 2.0.0 (production, best), 2.1.0-rc.1, a removed 3.0.0; others have 1.2.0."""
    tmp_path = tmp_path_factory.mktemp("resolving")
    registry = Registry.init(tmp_path / "registry.git")
    with registry.batch():
        for version in ("1.2.0", "1.10.0", "2.0.0", "2.1.0-rc.1", "3.0.0"):
            registry.models.register("m", put(tmp_path / "m", version.encode()), version=version)
        registry.datasets.register("m", tmp_path / "m", version="1.2.0")
        registry.recipes.register(recipe(tmp_path / "r.toml", "m", "1.2.0"))
        registry.models.register("team/only", tmp_path / "m", version="1.0.0")
    registry.models.stage("m@1.10.0", "staging")
    registry.models.stage("m@2.0.0", "production")
    registry.models.alias("m", "best", version="2.0.0")
    registry.models.remove("m@3.0.0", reason="bad")
    return registry


@pytest.mark.parametrize(
    ("spec", "version"),
    [("m", "2.0.0"), ("m@latest", "2.0.0"), ("m:latest", "2.0.0"), ("m@1.2.0", "1.2.0"), ("m:1.2.0", "1.2.0"),
     ("m@staging", "1.10.0"), ("m@STAGE", "1.10.0"), ("m@production", "2.0.0"), ("m:prod", "2.0.0"),
     ("m@best", "2.0.0"),
     ("m@development", "2.1.0-rc.1"), ("m@2.1.0-rc.1", "2.1.0-rc.1"), ("m@3.0.0", "3.0.0"),
     ("pacha://m:1.2.0", "1.2.0"),
     ("pacha://m@best", "2.0.0"), ("pacha://model/m@1.2.0", "1.2.0"), ("pacha://models/m@1.2.0", "1.2.0"),
     ("model:m@1.2.0", "1.2.0"), ("models:m", "2.0.0"), ("pacha://m", "2.0.0")],
)  # fmt: skip
def test_every_spelling_finds_its_version(registry: Registry, spec: str, version: str) -> None:
    assert registry.models.get(spec).version == version
    assert str(registry.resolve(spec, kind=Kind.MODEL).version) == version


@pytest.mark.parametrize("said", ["1.2.0", "latest", "production", "prod", "best", "staging"])
def test_what_may_follow_the_at_may_follow_dash_v(registry: Registry, said: str) -> None:
    assert registry.models.get("m", version=said).version == registry.models.get(f"m@{said}").version
    assert registry.models.get(f"m@{said}", version=said).version == registry.models.get(f"m@{said}").version


@pytest.mark.parametrize("spec", ["m@1.2.0", "m@best", "pacha://m:latest"])
def test_two_different_versions_are_refused(registry: Registry, spec: str) -> None:
    with pytest.raises(InvalidInput, match="two different versions"):
        registry.models.get(spec, version="2.1.0-rc.1")


def test_addresses_find_what_has_them_and_nothing_else(registry: Registry) -> None:
    addresses = {each.version: each.address for each in registry.models.list("m", removed=True)}
    for version, address in addresses.items():
        for length in (8, 20, 64):
            assert registry.models.get(f"m@{address[: 7 + length]}").version == version
    wrong = addresses["1.2.0"][:70] + ("0" if addresses["1.2.0"][70] != "0" else "1")
    for text in (wrong, "blake3:00000000"):
        with pytest.raises(NotFound):
            registry.models.get(f"m@{text}")
    for text in ("blake3:0000000", "blake3:", "blake3:xyzxyzxyz", addresses["1.2.0"] + "0"):
        with pytest.raises(InvalidInput):
            registry.models.get(f"m@{text}")


def test_an_address_that_two_versions_have_is_no_ambiguity(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("twice", put(tmp_path / "t", b"same"), version="1.0.0")
    again = registry.models.register("twice", tmp_path / "t", version="1.1.0")
    assert registry.models.get(f"twice@{again.address}").version == "1.1.0"


def test_a_beginning_that_two_addresses_have_is_one(registry: Registry, tmp_path: Path) -> None:
    """Found by trying: BLAKE3 of these begins with the same 8 digits."""
    seen: dict[str, bytes] = {}
    with registry.batch():
        for number in range(200_000):
            data = b"%d" % number
            start = blake3.blake3(data).hexdigest()[:8]
            if start in seen:
                registry.models.register("pair", put(tmp_path / "p", seen[start]), version="1.0.0")
                registry.models.register("pair", put(tmp_path / "p", data), version="2.0.0")
                break
            seen[start] = data
        else:
            raise AssertionError("no two of them begin alike")
    with pytest.raises(Ambiguous) as caught:
        registry.models.get(f"pair@blake3:{start}")
    assert len(caught.value.candidates) == 2
    assert registry.models.get(f"pair@{caught.value.candidates[0].partition('@')[2]}").version in ("1.0.0", "2.0.0")


def test_the_kind_of_a_bare_spec(registry: Registry) -> None:
    assert registry.resolve("team/only").kind is Kind.MODEL
    assert registry.resolve("m@2.0.0").kind is Kind.MODEL
    assert registry.resolve("data:m").kind is Kind.DATASET
    assert registry.resolve("pacha://m").kind is Kind.MODEL
    for spec in ("m", "m@1.2.0"):
        with pytest.raises(Ambiguous) as caught:
            registry.resolve(spec)
        assert [each.partition(":")[0] for each in caught.value.candidates] == ["model", "data", "recipe"]
    with pytest.raises(InvalidInput, match="a model is wanted here") as refused:
        registry.models.get("data:m")
    assert refused.value.hint.endswith("git pacha data")


@pytest.mark.parametrize(
    "spec", ["", "@", "m@", "m:", "m@@1.0.0", "m@1.0.0@1.0.0", "pacha://", "model:", "m@1.2", "-m", "m@-"]
)
def test_specs_that_cant_be_read(registry: Registry, spec: str) -> None:
    with pytest.raises(InvalidInput):
        registry.models.get(spec)


def test_a_name_that_begins_like_another(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("team/only/deeper", put(tmp_path / "x"), version="9.0.0")
    assert registry.models.get("team/only").version == "1.0.0"
    assert [each.version for each in registry.models.list("team/only")] == ["1.0.0"]
    assert registry.models.get("team/only/deeper").version == "9.0.0"
    with pytest.raises(NotFound):
        registry.models.get("team")
