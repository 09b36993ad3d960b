"""Much that is small: start-up, long lists, many registrations, many files, edits that share most of their bytes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import inputs, peers
from benchmarks.measure import PACHA, Rounds, Steps, median, play, python, ratio, run
from benchmarks.report import Row, compared
from pacha_git import Registry


def start_up(work: Path, versions: int, rounds: int, tell: Callable[[str], None]) -> tuple[list[Row], Rounds]:
    """Measure (j): commands in an empty registry and in one of ``versions``."""
    small, large = Registry.init(work / "small.git"), Registry.init(work / "large.git")
    file = work / "file"
    file.write_bytes(b"weights" * 100)
    small.models.register("m0", file, version="1.0.0")
    tell(f"making a registry of {versions} versions")
    with large.batch():
        for number in range(versions):
            large.models.register(f"m{number % 1000}", file, version=f"{number // 1000}.0.0")
    begin = time.perf_counter()
    large.models.list()
    first = time.perf_counter() - begin

    def commands(_: Path) -> Steps:
        model = [*PACHA, "--registry"]
        return {
            "libraries": run(python("-c", "import click, pydantic"), work),
            "all-libraries": run(python("-c", "import click, pydantic, pygit2, sqlite3"), work),
            "version": run([*PACHA, "version"], work),
            "get": run([*model, small.path, "model", "get", "m0", "--json"], work),
            "get-large": run([*model, large.path, "model", "get", "m0", "--json"], work),
            "list": run([*model, large.path, "model", "list", "--json"], work),
            "list-all": run([*model, large.path, "model", "list", "--all", "--json"], work),
        }

    found = play({"cli": commands}, rounds, tell)
    rows = [
        compared("j", "version, to importing click and pydantic", ratio(found, "cli version", ["cli libraries"]), 1.3),
        compared("j", "model get, to these, pygit2 and sqlite3", ratio(found, "cli get", ["cli all-libraries"]), 1.4),
        compared("j", f"model get among {versions} versions, to the same among one",
                 ratio(found, "cli get-large", ["cli get"]), 1.5),
        Row("j", f"model list of {versions} versions", median(found, "cli list"), 1.0, "s"),
        Row("j", f"model list --all of {versions} versions", median(found, "cli list-all"), None, "s"),
        Row("j", f"the first list of {versions} versions, which builds the catalogue", first, None, "s"),
    ]  # fmt: skip
    return rows, found


def registrations(work: Path, count: int, tell: Callable[[str], None]) -> list[Row]:
    """Measure (l): durable registrations one by one and in a batch, beside a loop of the same fsyncs."""
    tell(f"{count} registrations, each durable")
    registry = Registry.init(work / "each.git")
    files = [work / f"file{number}" for number in range(count)]
    for file in files:
        file.write_bytes(os.urandom(600))
    ours = theirs = 0.0
    for start in range(0, count, 50):
        batch = files[start : start + 50]
        begin = time.perf_counter()
        for number, file in enumerate(batch, start):
            registry.models.register("m", file, version=f"0.0.{number}")
        ours += time.perf_counter() - begin
        theirs += _hand_made(work / "hand", batch)
    packs = len(list((registry.path / "objects" / "pack").glob("*.pack")))
    batched = Registry.init(work / "batch.git")
    begin = time.perf_counter()
    with batched.batch():
        for number, file in enumerate(files):
            batched.models.register("m", file, version=f"0.0.{number}")
    rate = count / (time.perf_counter() - begin)
    return [
        Row("l", f"{count} registrations, each durable, to the speed of bare fsyncs", theirs / ours, 0.4, least=True),
        Row("l", "registrations a second, each durable", count / ours, None, "/s"),
        Row("l", "in one batch", rate, 1000, "/s", least=True),
        Row("l", "packs after them", packs, 30, "packs"),
    ]


def _hand_made(folder: Path, files: list[Path]) -> float:
    """A pack, an index and two refs for each, written and synced by hand, with their folders."""
    folder.mkdir(exist_ok=True)
    begin = time.perf_counter()
    for file in files:
        data = file.read_bytes()
        for suffix in (".pack", ".idx", ".record", ".payload"):
            target = folder / (file.name + suffix)
            with target.with_suffix(suffix + ".tmp").open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            target.with_suffix(suffix + ".tmp").rename(target)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - begin


def many_files(work: Path, count: int, rounds: int, tell: Callable[[str], None]) -> tuple[list[Row], Rounds]:
    """Measure (i): a folder of many small files."""
    folder = inputs.many_files(work / "many", count)
    time.sleep(2.1)  # what was written a moment ago is hashed again, for it may change within one tick of the clock

    def pacha(place: Path) -> Steps:
        register = [*PACHA, "-q", "data", "register", "many", folder, "-v"]
        run([*PACHA, "init"], place)
        steps = {"add": run([*register, "1.0.0"], place)}
        for number in range(10):
            place_in = folder / f"{number * (count // 10) // 1000:03d}"
            (place_in / f"{number:03d}.bin").write_bytes(os.urandom(2048))
        steps["again"] = run([*register, "1.1.0"], place)
        steps["download"] = run([*PACHA, "-q", "data", "download", "many", "-o", "out"], place)
        return steps

    rivals = {name: player for name, player in peers.players(folder, slow=False).items() if name == "dvc"}
    found = play({"pacha": pacha, **rivals}, rounds, tell)
    shutil.rmtree(folder)
    whole = count == 200_000  # with fewer, starting the program is most of it
    rows = [
        Row("i", f"register {count} files of 2 KiB", median(found, "pacha add"), 60 if whole else None, "s"),
        Row("i", "download them", median(found, "pacha download"), 60 if whole else None, "s"),
        Row("i", "register them again with 10 changed", median(found, "pacha again"), 5 if whole else None, "s"),
        compared("i", "register, to dvc add", ratio(found, "pacha add", ["dvc add"]), 0.5),
    ]
    return rows, found


def sharing(work: Path, size: int, tell: Callable[[str], None]) -> list[Row]:
    """Measure (d) and (e): what a second version newly stores."""
    tell("what a second version stores")
    registry = Registry.init(work / "sharing.git")

    def stored(name: str, version: str, path: Path) -> int:
        return registry.models.register(name, path, version=version).stored_bytes

    count, layer = 32, size // 32
    one, other = inputs.layers(count, layer, 1), inputs.layers(count, layer, 2)
    stored("st", "1.0.0", inputs.safetensors(work / "model.safetensors", one))
    changed = {name: other[name] if name.split(".")[1] in ("3", "17") else data for name, data in one.items()}
    new = sum(len(data) for name, data in changed.items() if data is not one[name])
    parents = {name: (other if int(name.split(".")[1]) % 2 else one)[name] for name in one}
    two = stored("st", "1.1.0", inputs.safetensors(work / "model.safetensors", changed))
    order = stored("st", "1.2.0", inputs.safetensors(work / "model.safetensors", dict(reversed(one.items()))))
    stored("st2", "1.0.0", inputs.safetensors(work / "other.safetensors", other))
    merged = stored("st", "2.0.0", inputs.safetensors(work / "model.safetensors", parents))
    rows = [
        Row("d", "2 of 32 layers changed: stored, to their bytes", two / new, 1.02),
        Row("d", "the same tensors in another order: stored, of all", 100 * order / size, 1, "%"),
        Row("d", "a merge of two parents' tensors: stored, of all", 100 * merged / size, 1, "%"),
    ]
    for suffix, lines in (("csv", False), ("jsonl", True)):
        first = inputs.rows(work / f"one.{suffix}", size, lines=lines)
        second = inputs.rows_changed(first, work / f"two.{suffix}")
        table = work / f"table.{suffix}"
        registry.datasets.register(suffix, shutil.copyfile(first, table), version="1.0.0")
        ours = registry.datasets.register(suffix, shutil.copyfile(second, table), version="1.1.0").stored_bytes
        scratch = work / f"peers-{suffix}"
        scratch.mkdir()
        for name, theirs in peers.stored_by_second(scratch, first, second).items():
            rows.append(Row("e", f"{suffix}, 100 rows out and 100 in: stored, to {name}", ours / theirs, 1.0))
    return rows
