"""What a registry promises to whoever comes from another one: bytes, versions, stages, lineage, downloads, keys."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import blake3
import numpy
import pytest

from pacha_git import Conflict, InvalidInput, NotFound, PachaError, Registry, generate_key
from pacha_git.vocabulary.stages import Stage
from pacha_git.vocabulary.versions import Version
from tests.making import all_verify, contents, fsck, noise, put, recipe, refs

HELLO = "d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24"
LEGAL = {
    ("development", "staging"), ("development", "archived"), ("development", "production"),
    ("staging", "development"), ("staging", "production"), ("staging", "archived"),
    ("production", "staging"), ("production", "archived"),
    ("archived", "development"),
}  # fmt: skip


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def test_hello_world_has_the_address_that_blake3_gives_it(registry: Registry, tmp_path: Path) -> None:
    registered = registry.models.register("hello", put(tmp_path / "h.txt"), version="1.0.0")
    assert registered.address == f"blake3:{HELLO}"


def test_bytes_and_stream_agree_on_the_address(registry: Registry, tmp_path: Path) -> None:
    data = noise(3_000_000)
    big = registry.models.register("big", put(tmp_path / "big.bin", data), version="1.0.0")
    assert big.address == "blake3:" + blake3.blake3(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_000_000, 5_000_000])
def test_what_is_put_is_what_is_got(registry: Registry, tmp_path: Path, size: int) -> None:
    data = noise(size, seed=size)
    registry.models.register("m", put(tmp_path / "m.bin", data), version="1.0.0")
    out = registry.models.download("m@1.0.0", tmp_path / "out.bin")
    assert out.read_bytes() == data
    assert b"".join(registry.models.cat("m@1.0.0")) == data


def test_two_models_with_the_same_bytes_share_them(registry: Registry, tmp_path: Path) -> None:
    path = put(tmp_path / "m.bin", noise(2_000_000))
    first = registry.models.register("a", path, version="1.0.0")
    again = registry.models.register("b", put(tmp_path / "copy.bin", path.read_bytes()), version="1.0.0")
    assert first.new_bytes == 2_000_000
    assert (again.new_bytes, again.shared_bytes) == (0, 2_000_000)
    assert again.stored_bytes < 4096
    assert again.address == first.address
    all_verify(registry)


@pytest.mark.parametrize("same", [True, False])
def test_a_version_is_registered_once_whatever_its_bytes(registry: Registry, tmp_path: Path, same: bool) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    before = refs(registry.path)
    with pytest.raises(Conflict, match="exists already") as caught:
        registry.models.register("m", put(tmp_path / "m.bin", b"hello world" if same else b"else"), version="1.0.0")
    assert "get m@1.0.0" in caught.value.hint
    assert refs(registry.path) == before
    fsck(registry.path)


def test_a_wrong_address_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    with pytest.raises(NotFound):
        registry.models.get("m@blake3:" + "0" * 64)
    with pytest.raises(InvalidInput):
        registry.models.get("m@blake3:d7498")
    assert registry.models.get(f"m@blake3:{HELLO[:8]}").version == "1.0.0"


@pytest.mark.parametrize("spec", ["nothing", "m@2.0.0", "m@nobody", "m@production", "m@blake3:00000000"])
def test_a_missing_thing_is_not_found(registry: Registry, tmp_path: Path, spec: str) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    with pytest.raises(NotFound) as caught:
        registry.models.get(spec)
    assert caught.value.hint


def test_every_pair_of_stages(registry: Registry, tmp_path: Path) -> None:
    stages = [stage.value for stage in Stage]
    pairs = {f"{origin}-{target}": (origin, target) for origin, target in itertools.product(stages, repeat=2)}
    with registry.batch():
        for name, (origin, _) in pairs.items():
            assert registry.models.register(name, put(tmp_path / "m.bin"), version="1.0.0").stage == "development"
            registry.models.stage(f"{name}@1.0.0", origin)
    for name, (origin, target) in pairs.items():
        events = len(registry.models.history(name))
        if origin != target and (origin, target) not in LEGAL:
            with pytest.raises(PachaError, match="no way from"):
                registry.models.stage(f"{name}@1.0.0", target)
            assert registry.models.get(name).stage == origin
            assert len(registry.models.history(name)) == events
            continue
        change = registry.models.stage(f"{name}@1.0.0", target)
        assert registry.models.get(name).stage == target
        expected = 0 if origin == target else 2 if (origin, target) == ("development", "production") else 1
        assert len(change.steps) == len(registry.models.history(name)) - events == expected


def test_synonyms_of_stages_parse_in_any_case(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    words = {"Stage": "staging", "PROD": "production", "archive": "archived", "Dev": "development"}
    for word, stage in {**words, "STAGING": "staging", "Production": "production", "ARCHIVED": "archived"}.items():
        registry.models.stage("m@1.0.0", word)
        assert registry.models.get("m@1.0.0").stage == stage


def test_an_unknown_stage_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0")
    with pytest.raises(InvalidInput, match="unknown stage 'live'"):
        registry.models.stage("m@1.0.0", "live")
    assert registry.models.history("m") == []


def test_versions_round_trip(registry: Registry, tmp_path: Path) -> None:
    for version in ("1.0.0", "0.0.1", "1.2.3-rc.1", "1.2.4-rc.1+build.5", "10.20.30"):
        assert registry.models.register("m", put(tmp_path / "m.bin"), version=version).version == version
        assert registry.models.get(f"m@{version}").version == version
        assert str(Version.parse(version)) == version


def test_what_is_no_semver_is_refused(registry: Registry, tmp_path: Path) -> None:
    before = refs(registry.path)
    for version in ("1.2", "1.2.3.4", "a.b.c", "", "v1.0.0", "1.0.0\n", "01.0.0", "1.0.0-", "1.0.0/x"):
        with pytest.raises(InvalidInput):
            registry.models.register("m", put(tmp_path / "m.bin"), version=version)
    assert refs(registry.path) == before


def test_a_prerelease_is_below_its_release_and_latest_is_the_highest(registry: Registry, tmp_path: Path) -> None:
    for version in ["2.0.0-rc.1", "1.2.0", "1.10.0"]:
        registry.models.register("m", put(tmp_path / "m.bin", version.encode()), version=version)
    assert Version.parse("2.0.0-rc.1") < Version.parse("2.0.0")
    assert [v.version for v in registry.models.list("m")] == ["1.2.0", "1.10.0", "2.0.0-rc.1"]
    assert registry.models.get("m").version == registry.models.get("m@latest").version == "1.10.0"


def test_latest_is_a_prerelease_only_if_there_is_nothing_else(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0-alpha.1")
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0-alpha.2")
    assert registry.models.get("m@latest").version == "1.0.0-alpha.2"


def test_chain_and_diamond(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m.bin")
    registry.models.register("base", data, version="1.0.0")
    for side in ("left", "right"):
        registry.models.register(side, data, version="1.0.0", lineage=["derived-from=base@1.0.0"])
    both = ["merged-from=left@1.0.0,weight=0.5", "merged-from=right@1.0.0,weight=0.5"]
    registry.models.register("top", data, version="1.0.0", lineage=both)
    up = registry.models.lineage("top@1.0.0")
    assert [node.name for node in up.nodes] == ["top", "left", "right", "base"]
    assert len(up.edges) == 4
    down = registry.models.lineage("base@1.0.0", direction="down")
    assert {node.name for node in down.nodes} == {"base", "left", "right", "top"}
    assert {(edge.from_, edge.to) for edge in down.edges} == {(edge.from_, edge.to) for edge in up.edges}
    assert [node.name for node in registry.models.lineage("top@1.0.0", depth=1).nodes] == ["top", "left", "right"]
    assert [edge.params for edge in up.edges if edge.relation == "merged-from"] == [{"weight": 0.5}] * 2
    leaves = {n.id for n in up.nodes} - {edge.from_ for edge in up.edges}
    assert leaves == {"model:base@1.0.0"}


def test_self_edges_are_refused_and_cycles_cant_be(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m.bin")
    registry.models.register("a", data, version="1.0.0")
    before = refs(registry.path)
    for spec in ("b@1.0.0", "b:1.0.0", "model:b@1.0.0", "pacha://model/b@1.0.0"):
        with pytest.raises((InvalidInput, NotFound)):
            registry.models.register("b", data, version="1.0.0", lineage=[f"derived-from={spec}"])
    with pytest.raises(NotFound):
        registry.models.register("b", data, version="1.0.0", lineage=["derived-from=c@1.0.0"])
    assert refs(registry.path) == before


def test_three_hops_are_found_from_any_name_of_the_thing(registry: Registry, tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    for parent, name in zip([None, *names], names, strict=False):
        origin = [f"derived-from={parent}@1.0.0"] if parent else []
        registry.models.register(name, put(tmp_path / f"{name}.bin", name.encode()), version="1.0.0", lineage=origin)
    top = registry.models.get("d@1.0.0")
    for spec in ("d", "d@1.0.0", "d:1.0.0", f"d@{top.address}", f"d@{top.address[:17]}", "pacha://d:1.0.0"):
        assert [node.name for node in registry.models.lineage(spec).nodes] == ["d", "c", "b", "a"]
    assert top.lineage[0].commit == registry.models.get("c").commit


@pytest.mark.parametrize("data", [b"\x80\x00\x00\x00\x00\x00\x00\x00{}", b"\x80\x04K\x01.", b"1234567"])
def test_bytes_that_look_like_something_else_come_back_as_they_were(
    registry: Registry, tmp_path: Path, data: bytes
) -> None:
    registry.models.register("m", put(tmp_path / "m.safetensors", data), version="1.0.0")
    assert registry.models.download("m@1.0.0", tmp_path / "out").read_bytes() == data


def test_a_folder_comes_back_byte_for_byte(registry: Registry, tmp_path: Path) -> None:
    files = {"config.json": b"{}", "deep/er/weights.bin": noise(700_000), ".hidden": b"h", "empty": b"", "ü~:%": b"odd"}
    for name, data in files.items():
        put(tmp_path / "folder" / name, data)
    (tmp_path / "folder" / "config.json").chmod(0o755)
    registry.datasets.register("d", tmp_path / "folder", version="1.0.0", purpose="to be whole")
    out = registry.datasets.download("d@1.0.0", tmp_path / "out")
    assert contents(out) == files
    assert out.joinpath("config.json").stat().st_mode & 0o111
    assert not out.joinpath("empty").stat().st_mode & 0o111


def test_one_file_may_have_any_name_that_git_can_hold(registry: Registry, tmp_path: Path) -> None:
    for number, name in enumerate(["-dash", "with space", "tab~1", ".gitmodules", "a\\b", "100%", "ünï"]):
        data = noise(300_000, number)
        registry.models.register("odd", put(tmp_path / name, data), version=f"1.0.{number}")
        registry.models.download(f"odd@1.0.{number}", tmp_path / "out", force=True)
        assert (tmp_path / "out").read_bytes() == data
    all_verify(registry)


@pytest.fixture
def signing(registry: Registry) -> Registry:
    """A registry that trusts the key of whoever is here."""
    key = generate_key()
    registry.trust_key(str(key.path) + ".pub", "ada@example.org")
    return registry


def test_what_is_signed_verifies_and_says_by_whom(signing: Registry, tmp_path: Path) -> None:
    signing.models.register("m", put(tmp_path / "m.bin"), version="1.0.0", sign=True)
    [verified] = signing.verify(["m@1.0.0"])
    assert (verified.ok, verified.signer, verified.payload_ok) == (True, "ada@example.org", True)
    assert signing.models.get("m").signed_by == "ada@example.org"


def test_a_signer_and_a_time_are_part_of_what_is_signed(signing: Registry, tmp_path: Path) -> None:
    registered = signing.models.register("m", put(tmp_path / "m.bin"), version="1.0.0", sign=True)
    raw = signing._session.repo.read_as(registered.commit, "commit")  # type: ignore[arg-type]
    for old, new in ((b"Ada Tester", b"Eve Tester"), (b" +0000", b"0 +0000")):
        forged = signing._session.repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.replace(old, new))
        signing._session.repo.git("update-ref", "refs/pacha/models/m/1.0.0", forged.decode().strip())
        [verified] = signing.verify(["m@1.0.0"])
        assert not verified.ok
        assert verified.signer is None
    signing._session.repo.git("update-ref", "refs/pacha/models/m/1.0.0", registered.commit)


def test_another_key_is_not_trusted(registry: Registry, tmp_path: Path) -> None:
    generate_key()
    registry.models.register("m", put(tmp_path / "m.bin"), version="1.0.0", sign=True)
    [verified] = registry.verify(["m@1.0.0"])
    assert not verified.ok
    assert "does not trust" in verified.problems[0]


def test_an_open_file_seeks_and_reads_what_a_slice_would_be(registry: Registry, tmp_path: Path) -> None:
    data = noise(3_000_000)
    registry.models.register("m", put(tmp_path / "m.bin", data), version="1.0.0")
    with registry.models.open("m@1.0.0") as file:
        for start, length in ((0, 10), (2_999_990, 100), (262_144, 1), (1_500_000, 400_000), (5, 0), (3_000_001, 5)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
        assert file.seek(-7, io.SEEK_END) == 2_999_993
        assert file.read() == data[-7:]


def test_recipes_keep_the_types_of_their_values(registry: Registry, tmp_path: Path) -> None:
    path = recipe(tmp_path / "r.toml")
    registry.recipes.register(path)
    got = registry.recipes.get("train@1.0.0").document["hyperparameters"]
    assert {key: type(value) for key, value in got.items()} == {
        "learning_rate": float, "batch_size": int, "epochs": int, "shuffle": bool,
    }  # fmt: skip
    assert registry.recipes.download("train", tmp_path / "out.toml").read_bytes() == path.read_bytes()


def test_the_scalars_of_numerical_libraries_are_metrics(registry: Registry, tmp_path: Path) -> None:
    metrics = {"loss": numpy.float32(0.5), "steps": numpy.int64(3), "auc": numpy.float64(0.25), "worst": float("inf")}
    registered = registry.models.register("m", put(tmp_path / "m"), version="1.0.0", metrics=metrics)
    assert registered.metrics == {"loss": 0.5, "steps": 3, "auc": 0.25, "worst": "Infinity"}
    assert type(registered.metrics["steps"]) is int
