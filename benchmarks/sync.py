"""What moves between machines, and how long it takes: ``python -m benchmarks.sync [--quick]``.

Bytes are counted by a proxy before a real ``git daemon``; times are those of whole processes. Figures with a bound from
the project's promises stand beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import sync_memory
from pacha_git import Registry, RemoteError
from pacha_git.format.commits import record_commit, record_tree
from pacha_git.format.record import encode_record
from pacha_git.git.packs.writer import PackWriter
from pacha_git.git.repo import GitRepository
from pacha_git.gitobjects.oid import Oid
from pacha_git.session.results import Transfer
from pacha_git.store import records
from tests.servers import Served, git_daemon, own
from tests.wire import Wire, watched

MIB = 1 << 20
RESULT = Path(__file__).parent / "results" / "sync.json"
FIGURES: dict[str, dict[str, float | str]] = {}


def tell(what: str, value: float, unit: str, bound: str = "") -> None:
    """Print a figure, and keep it."""
    FIGURES[what] = {"value": round(value, 3), "unit": unit, "bound": bound}
    print(f"{what:<64}{value:>10.2f} {unit:<6}{bound}", flush=True)


def pacha(registry: Path, *words: str) -> float:
    """Seconds that a command takes as a process."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "pacha_git", "-q", "--registry", str(registry), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def median(work: Callable[[], float], rounds: int) -> float:
    return statistics.median(work() for _ in range(rounds))


def incompressible(file: Path, size: int) -> None:
    """Write a file of random bytes."""
    with file.open("wb") as out:
        for seed in range(size // MIB):
            out.write(random.Random(seed).randbytes(MIB))


def a_change_of_one_mebibyte(folder: Path, wire: Wire) -> None:
    data = bytearray(random.Random(1).randbytes(64 * MIB))
    file = folder / "m.bin"
    file.write_bytes(data)
    here = Registry.init(folder / "here.git")
    here.add_remote("origin", wire.url)
    here.models.register("m", [file], version="1.0.0")
    here.push()
    there = Registry.clone(wire.url, folder / "there.git", payload="all")
    data[30 * MIB + 777 : 31 * MIB + 777] = random.Random(2).randbytes(MIB)
    file.write_bytes(data)
    here.models.register("m", [file], version="2.0.0")
    wire.reset()
    here.push()
    tell("push of a version with 1 MiB of 64 changed", wire.total / MIB, "MiB", "<= 1.3")
    wire.reset()
    there.pull(specs=["m@2.0.0"])
    tell("pull of it", wire.total / MIB, "MiB", "<= 1.3")


def among_many(folder: Path, names: int) -> None:
    """The same among ten times as many records as names, and a payload for each name, over three kinds of servers."""
    folder.mkdir()
    here = Registry.init(folder / "here.git")
    among = f"among {10 * names:,} records and {names} payloads"
    data = bytearray(random.Random(1).randbytes(32 * MIB))
    with here.batch():
        _register(here, folder / "big.bin", data, 1)
        for number in range(names):
            (folder / "small.bin").write_bytes(random.Random(number).randbytes(40_000))
            here.models.register(f"m{number}", [folder / "small.bin"], version="1.0.0")
            for version in range(9):
                (folder / "r.toml").write_text(f'name = "r{number}"\nversion = "1.{version}.0"\n')
                here.recipes.register(folder / "r.toml")
    for at, (scheme, serve) in enumerate((("file", None), ("git", git_daemon), ("http", own))):
        below = folder / scheme
        below.mkdir()
        with contextlib.ExitStack() as stack:
            if serve is None:
                subprocess.run(["git", "init", "-q", "--bare", below / "hub.git"], check=True)
                wire = Wire(f"file://{below}/hub.git")
            else:
                wire = stack.enter_context(watched(stack.enter_context(serve(below)).url))
            here.add_remote(scheme, wire.url)
            here.push(scheme)
            there = Registry.clone(wire.url, below / "there.git", payload="all")
            data[(3 * at + 1) * MIB + 777 : (3 * at + 2) * MIB + 777] = random.Random(10_000 + at).randbytes(MIB)
            _register(here, folder / "big.bin", data, at + 2)
            _tell_moved(f"push, {among}, {scheme}", wire, partial(here.push, scheme))
            pull = partial(there.pull, specs=[f"big@{at + 2}.0.0"])
            _tell_moved(f"pull, {among}, {scheme}", wire, pull)


def _register(registry: Registry, file: Path, data: bytes, major: int) -> None:
    file.write_bytes(data)
    registry.models.register("big", [file], version=f"{major}.0.0")


def _tell_moved(what: str, wire: Wire, move: Callable[[], Transfer]) -> None:
    wire.reset()
    begin = time.perf_counter()
    moved = move().bytes
    tell(what, moved / MIB, "MiB", "<= 1.3")
    tell(f"  {what}: seconds", time.perf_counter() - begin, "s")
    if wire.total:
        tell(f"  {what}: with the lists of refs", wire.total / MIB, "MiB")


def many_versions(path: Path, count: int) -> None:
    """A registry of many versions of one payload, its objects written straight into a pack."""
    registry = Registry.init(path)
    (path.parent / "small").write_text("the same bytes")
    made = registry.models.register("seed", [path.parent / "small"], version="1.0.0")
    repo = GitRepository(path)
    record = records.read(repo, Oid(made.commit)).record
    payload = repo.ref("refs/pacha/payload/models/seed/1.0.0")
    lines = [f"{oid} {ref}" for ref, oid in repo.refs.below("refs/").items()]
    with PackWriter(repo.objects, reason="bench") as writer:
        for number in range(count):
            name, version = f"m{number // 10}", f"1.{number % 10}.0"
            one = record.model_copy(update={"name": name, "version": version})
            data = encode_record(one)
            writer.add("blob", data)
            writer.add("tree", record_tree(data, {}))
            commit = writer.add("commit", record_commit(one, data, {}))
            lines += [
                f"{commit} refs/pacha/models/{name}/{version}",
                f"{payload} refs/pacha/payload/models/{name}/{version}",
            ]
        writer.finish()
    repo.refs.pack()
    body = "".join(line + "\n" for line in sorted(set(lines), key=lambda line: line[41:]))
    (path / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + body)


def nothing_to_do(folder: Path, count: int) -> None:
    path = folder / "many.git"
    many_versions(path, count)
    hub = folder / "many-hub.git"
    subprocess.run(["git", "clone", "-q", "--mirror", f"file://{path}", hub], check=True)
    registry = Registry.open(path)
    registry.add_remote("origin", f"file://{hub}")
    begin = time.perf_counter()
    registry.pull()
    tell(f"first pull of {count:,} versions that are here already", time.perf_counter() - begin, "s")
    bound = "<= 1.5" if count == 100_000 else ""
    for verb in ("push", "pull"):
        first = median(partial(_for_the_first, path, verb), 5)
        tell(f"{verb} of {count:,} versions with nothing to do", first, "s", bound)
        tell(f"  {verb} when that is remembered", median(partial(pacha, path, verb), 5), "s", bound)
    pacha(path, "status")
    tell(f"status of {count:,} versions", median(partial(pacha, path, "status"), 3), "s")


def _for_the_first(registry: Path, verb: str) -> float:
    (registry / "pacha/quiet.json").unlink(missing_ok=True)
    return pacha(registry, verb)


def first_push(folder: Path, size: int, rounds: int) -> None:
    """Beside stock git, which sends the same objects from the same registry, in turn."""
    file = folder / "large.bin"
    incompressible(file, size)
    registry = Registry.init(folder / "large.git")
    registry.models.register("large", [file], version="1.0.0")
    file.unlink()
    ours: list[float] = []
    stock: list[float] = []
    for number in range(rounds):
        both = ((ours, _push_ours), (stock, _push_stock))
        for taken, push in both[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory(dir=folder) as below, git_daemon(Path(below)) as served:
                taken.append(push(registry, served.url, f"hub{number}"))
    tell(f"first push of {size / MIB:.0f} MiB", statistics.median(ours), "s")
    tell("the same objects by stock git push", statistics.median(stock), "s")
    tell("ratio", statistics.median(ours) / statistics.median(stock), "x", "<= 1.2")


def _push_ours(registry: Registry, url: str, name: str) -> float:
    registry.add_remote(name, url)
    return pacha(registry.path, "push", name)


def _push_stock(registry: Registry, url: str, name: str) -> float:
    begin = time.perf_counter()
    options = ["-c", "pack.window=0", "push", "-q", url, "refs/pacha/*:refs/pacha/*"]
    subprocess.run(["git", "-C", registry.path, *options], check=True)
    return time.perf_counter() - begin


def cut_off(folder: Path, served: Served, wire: Wire, size: int) -> None:
    incompressible(folder / "cut.bin", size)
    here = Registry.init(folder / "cut.git")
    here.add_remote("origin", wire.url)
    here.models.register("cut", [folder / "cut.bin"], version="1.0.0")
    _cut_and_repeat("push", here.push, served, wire, size)
    there = Registry.clone(wire.url, folder / "cut-there.git")
    _cut_and_repeat("pull", lambda: there.pull(specs=["cut@1.0.0"]), served, wire, size)


def _cut_and_repeat(verb: str, move: Callable[[], object], served: Served, wire: Wire, size: int) -> None:
    wire.reset(cut_after=size // 2)
    with contextlib.suppress(RemoteError):
        move()
    served.settle()
    wire.reset()
    move()
    more = (wire.total - size / 2) / MIB
    tell(f"{verb} of {size / MIB:.0f} MiB, cut half-way and repeated: beyond the other half", more, "MiB", "<= 64")


def main(words: Sequence[str]) -> None:
    quick = "--quick" in words
    large = (256 if quick else 1024) * MIB
    with tempfile.TemporaryDirectory(prefix="pacha-bench-") as name:
        folder = Path(name)
        os.environ.update(HOME=name, GIT_AUTHOR_NAME="Bench", GIT_AUTHOR_EMAIL="bench@example.org")
        with _server(folder / "one") as wire:
            a_change_of_one_mebibyte(folder, wire)
        (folder / "cut").mkdir()
        with git_daemon(folder / "cut") as served, watched(served.url) as wire:
            cut_off(folder, served, wire, large)
        among_many(folder / "among", 50 if quick else 500)
        first_push(folder, (128 if quick else 1024) * MIB, 1 if quick else 4)
        for row in sync_memory.measure(folder / "memory", (64 if quick else 1024) * MIB, print):
            tell(row.work, row.value or 0, row.unit, f"<= {row.target}" if row.target else "")
        nothing_to_do(folder, 10_000 if quick else 100_000)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"quick": quick, "figures": FIGURES}, indent=2) + "\n")


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Wire]:
    folder.mkdir()
    with git_daemon(folder) as served, watched(served.url) as wire:
        yield wire


if __name__ == "__main__":
    main(sys.argv[1:])
