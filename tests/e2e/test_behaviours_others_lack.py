"""What other registries get wrong, each a test here: damage that heals, lists in order, lineage that is there …"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacha_git import NotFound, Registry, generate_key
from pacha_git.gitobjects.oid import Oid
from tests import needed
from tests.making import all_verify, fsck, git, noise, put, python, recipe, refs


@pytest.fixture
def registry(registry_path: Path) -> Registry:
    return Registry.init(registry_path)


def chunk_places(registry: Registry) -> list[tuple[Path, int]]:
    """Pack and offset of every chunk of the payloads that are here."""
    repo = registry._session.repo
    places = []
    for ref in repo.refs_below("refs/pacha/payload/"):
        for line in git(registry.path, "ls-tree", "-r", ref + ":chunked").splitlines():
            location = repo.packs.find(Oid(line.split()[2]))
            assert location is not None
            places.append((location.pack.path, location.offset))
    return sorted(places)


def flip(path: Path, offset: int) -> None:
    """Flip a bit on disk, and leave no trace in the file's times, as a bad disk would."""
    status = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))
    path.chmod(0o444)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def test_registering_the_same_bytes_again_repairs_a_corrupted_chunk(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m.bin", noise(2_000_000))
    registry.models.register("m", data, version="1.0.0")
    places = chunk_places(registry)
    pack, offset = places[len(places) // 2]
    flip(pack, offset + 2000)
    damaged = Registry.open(registry.path)
    assert not damaged.verify(["m@1.0.0"])[0].ok
    again = damaged.models.register("m", data, version="1.0.1")
    assert 0 < again.new_bytes < 1_000_000
    healed = Registry.open(registry.path)
    all_verify(healed)
    fsck(registry.path)
    assert healed.models.download("m@1.0.0", tmp_path / "out").read_bytes() == data.read_bytes()


def test_registering_from_another_folder_repairs_too(registry: Registry, tmp_path: Path) -> None:
    files = {f"{number:03}": noise(5000, number) for number in range(40)}
    for name, body in files.items():
        put(tmp_path / "a" / name, body)
        put(tmp_path / "b" / name, body)
    registry.datasets.register("d", tmp_path / "a", version="1.0.0")
    [pack] = [p for p in (registry.path / "objects/pack").glob("*.pack") if p.stat().st_size > 100_000]
    flip(pack, 90_000)
    again = Registry.open(registry.path)
    assert not again.verify(["d@1.0.0"])[0].ok
    again.datasets.register("e", tmp_path / "b", version="1.0.0")
    all_verify(Registry.open(registry.path))
    fsck(registry.path)


@pytest.mark.damaged
def test_damage_is_told_and_never_handed_out(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m.bin", noise(2_000_000))
    registry.models.register("m", data, version="1.0.0")
    pack, offset = chunk_places(registry)[3]
    flip(pack, offset + 2000)
    damaged = Registry.open(registry.path)
    out = tmp_path / "out"
    with pytest.raises(Exception, match=r"damaged|not what") as caught:
        damaged.models.download("m@1.0.0", out)
    assert caught.value.exit_code == 5  # type: ignore[attr-defined]
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "registry.git"]
    assert damaged.fsck().problems


def test_lineage_is_no_stub(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "d.csv", b"a,b\n")
    registry.datasets.register("tx", data, version="1.0.0")
    registry.recipes.register(recipe(tmp_path / "r.toml"))
    registry.models.register("base", put(tmp_path / "m"), version="1.0.0", data="tx@1.0.0", recipe="train@1.0.0")
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0", lineage=["fine-tuned-from=base,epochs=3"])
    graph = registry.models.lineage("m")
    assert [(edge.from_, edge.relation, edge.to) for edge in graph.edges] == [
        ("model:m@1.0.0", "fine-tuned-from", "model:base@1.0.0"),
        ("model:base@1.0.0", "trained-on", "dataset:tx@1.0.0"),
        ("model:base@1.0.0", "generated-by", "recipe:train@1.0.0"),
    ]
    parents = git(registry.path, "log", "--format=%s", "refs/pacha/models/m/1.0.0").splitlines()
    assert set(parents) == {"model m 1.0.0", "model base 1.0.0", "dataset tx 1.0.0", "recipe train 1.0.0"}


def test_a_recipe_needs_no_uuid_and_no_date(registry: Registry, tmp_path: Path) -> None:
    assert registry.recipes.register(recipe(tmp_path / "r.toml")).version == "1.0.0"


@pytest.mark.parametrize("what", ["register", "download"])
def test_memory_is_bounded_whatever_the_size(registry: Registry, tmp_path: Path, what: str) -> None:
    """64 MiB go through a process that may use far less."""
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        for number in range(64):
            file.write(noise(1 << 20, number))
    act = "registry.models.register('big', sys.argv[2], version='1.0.0')"
    if what == "download":
        registry.models.register("big", path, version="1.0.0")
        act = "registry.models.download('big@1.0.0', sys.argv[2] + '.out')"
    script = (
        "import resource, sys; from pacha_git import Registry; registry = Registry.open(sys.argv[1]);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"{act}; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    program = python(script, registry.path, path)
    out, err = program.communicate(timeout=100)
    assert program.returncode == 0, err
    assert int(out) < 48 << 10, f"{int(out) >> 10} MiB"


def test_compression_is_no_label(registry: Registry, tmp_path: Path) -> None:
    text = b"".join(b"%d,%d,yes,no\n" % (number, number * 7) for number in range(100_000))
    registered = registry.datasets.register("t", put(tmp_path / "t.csv", text), version="1.0.0")
    assert registered.stored_bytes < len(text) / 2
    on_disk = sum(f.stat().st_size for f in (registry.path / "objects").rglob("*") if f.is_file())
    assert on_disk < len(text) / 2


def test_lists_sort_by_semver_and_by_name(registry: Registry, tmp_path: Path) -> None:
    data = put(tmp_path / "m.bin")
    for version in ["1.10.0", "1.2.0", "1.9.0", "2.0.0-rc.1", "0.9.0"]:
        registry.models.register("m", data, version=version)
    registry.models.register("a/x", data, version="3.0.0")
    assert [v.version for v in registry.models.list("m")] == ["0.9.0", "1.2.0", "1.9.0", "1.10.0", "2.0.0-rc.1"]
    listed = registry.models.list()
    assert [(n.name, n.version, getattr(n, "versions", None)) for n in listed] == [
        ("a/x", "3.0.0", 1), ("m", "1.10.0", 5),
    ]  # fmt: skip
    assert len(registry.models.list(all=True)) == 6
    with pytest.raises(NotFound):
        registry.models.list("nobody")


def test_an_address_after_a_name_is_obeyed(registry: Registry, tmp_path: Path) -> None:
    first = registry.models.register("m", put(tmp_path / "m", b"1"), version="1.0.0")
    registry.models.register("m", put(tmp_path / "m", b"2"), version="2.0.0")
    assert registry.models.get(f"m@{first.address}").version == "1.0.0"
    assert b"".join(registry.models.cat(f"m@{first.address[:15]}")) == b"1"
    with pytest.raises(NotFound):
        registry.models.get("m@blake3:ffffffff")


def test_a_stage_after_a_name_resolves(registry: Registry, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.models.register("m", put(tmp_path / "m", version.encode()), version=version)
    for version in ("1.0.0", "1.1.0"):
        registry.models.stage(f"m@{version}", "production")
    for spec in ("m:production", "m@production", "m@prod", "pacha://m:production", "pacha://model/m@production"):
        assert registry.models.get(spec).version == "1.1.0"
    assert registry.models.get("m", version="production").version == "1.1.0"


def test_stages_keep_their_history(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0")
    registry.models.stage("m@1.0.0", "production", reason="beats the old one")
    registry.models.stage("m@1.0.0", "archived", reason="drifted")
    told = [(entry.from_, entry.to, entry.reason) for entry in registry.models.history("m")]
    assert told == [
        ("development", "staging", "beats the old one"),
        ("staging", "production", "beats the old one"),
        ("production", "archived", "drifted"),
    ]
    assert {entry.by for entry in registry.models.history("m")} == {"Ada Tester <ada@example.org>"}
    assert all(entry.at.endswith("Z") for entry in registry.models.history("m"))


def test_verify_without_a_trusted_key_does_not_pass(registry: Registry, tmp_path: Path) -> None:
    generate_key()
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0", sign=True)
    [result] = registry.verify(["m@1.0.0"])
    assert not result.ok


def test_a_transaction_is_whole_or_not_at_all(registry: Registry, tmp_path: Path) -> None:
    before = refs(registry.path)
    with pytest.raises(ZeroDivisionError), registry.batch():  # noqa: PT012 — all of the block is what must not be
        registry.datasets.register("d", put(tmp_path / "d"), version="1.0.0")
        registry.models.register("m", put(tmp_path / "m"), version="1.0.0", data="d@1.0.0")
        raise ZeroDivisionError
    assert refs(registry.path) == before
    assert registry.models.list() == []


def test_what_is_registered_was_synced_to_the_disk_before_the_ref(registry: Registry, tmp_path: Path) -> None:
    """The order of system calls, from the kernel: pack, index and folder are synced, then the refs."""
    data = put(tmp_path / "m.bin", noise(500_000))
    trace = tmp_path / "trace"
    program = [sys.executable, "-m", "pacha_git", "--registry", str(registry.path), "model", "register", "m", str(data)]
    strace = needed.program("strace", "strace")
    subprocess.run(
        [strace, "-f", "-y", "-e", "fsync,fdatasync,rename,renameat2", "-o", str(trace), *program, "-v", "1.0.0"],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = trace.read_text().splitlines()
    pack = next(at for at, line in enumerate(lines) if "sync(" in line and ".pack" in line)
    folder = next(at for at, line in enumerate(lines) if "fsync(" in line and "objects/pack>)" in line)
    refs = next(at for at, line in enumerate(lines) if "rename" in line and '/packed-refs"' in line)
    assert pack < folder < refs
    assert any("sync(" in line and "refs.packed" in line for line in lines[folder:refs])
    assert any("fsync(" in line and f"{registry.path}>" in line for line in lines[refs:])


@pytest.mark.parametrize("files", [1, 3])
def test_what_is_downloaded_was_synced_to_the_disk_before_it_has_its_name(
    registry: Registry, tmp_path: Path, files: int
) -> None:
    folder = tmp_path / "m"
    for number in range(files):
        put(folder / f"{number}.bin", noise(500_000, number))
    registry.models.register("m", folder, version="1.0.0")
    trace, out = tmp_path / "trace", tmp_path / "out"
    program = [sys.executable, "-m", "pacha_git", "--registry", str(registry.path), "model", "download", "m"]
    strace = needed.program("strace", "strace")
    subprocess.run(
        [strace, "-f", "-y", "-e", "fsync,fdatasync,link,linkat,rename", "-o", str(trace), *program, "-o", str(out)],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = trace.read_text().splitlines()
    synced = [at for at, line in enumerate(lines) if "sync(" in line and ".pacha-out" in line]
    named = next(at for at, line in enumerate(lines) if "sync" not in line and f'"{out}"' in line)
    assert len(synced) == files
    assert max(synced) < named


def test_everything_says_itself_as_json(registry: Registry, tmp_path: Path) -> None:
    registry.models.register("m", put(tmp_path / "m"), version="1.0.0", metrics={"loss": float("nan"), "n": 3})
    values = [registry.models.get("m").to_json(), registry.stats().to_json(), registry.fsck().to_json()]
    assert json.loads(json.dumps(values, allow_nan=False))[0]["metrics"] == {"loss": "NaN", "n": 3}
