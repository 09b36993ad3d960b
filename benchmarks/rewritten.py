"""Prints what is stored anew when the same content is written again, in our layouts and beside peers.

    python -m benchmarks.rewritten

Each row is a pair of files or folders: one is stored, then the other, and the table says how much of the other's bytes
is new. restic and Borg take part if they are installed; their numbers are what they report as added, compressed or not.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy
from safetensors.numpy import save_file

from benchmarks.peers import program
from pacha_git.chunking.cuts import file_cuts
from pacha_git.chunking.cutter import chunks
from pacha_git.chunking.layout import LAYOUTS, Layout

Pair = tuple[Path, Path]


def _weights(seed: int) -> dict[str, numpy.ndarray]:
    noise = numpy.random.default_rng(seed)
    shapes = [(512, 512), (256,), (512, 128), (256,), (384, 512), (768,), (512, 512), (1024,)] * 6
    return {f"layer.{n:02}": noise.standard_normal(shape, dtype=numpy.float32) for n, shape in enumerate(shapes)}


def _torch_zip(path: Path, weights: dict[str, numpy.ndarray]) -> None:
    """The zip that ``torch.save`` writes: a folder named as the file, members stored and aligned to 64 bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        assert archive.fp is not None
        for name, data in {
            "data.pkl": b"\x80\x02.",
            **{f"data/{n}": v.tobytes() for n, v in enumerate(weights.values())},
        }.items():
            info = zipfile.ZipInfo(f"{path.stem}/{name}", (1980, 1, 1, 0, 0, 0))
            fill = -(archive.fp.tell() + 30 + len(info.filename) + 4) % 64
            info.extra = b"FB" + fill.to_bytes(2, "little") + b"Z" * fill
            archive.writestr(info, data)


def renamed(folder: Path) -> Pair:
    pair = folder / "model-v1.pt", folder / "model-v2.pt"
    for path in pair:
        _torch_zip(path, _weights(0))
    return pair


def beside_safetensors(folder: Path) -> Pair:
    save_file(_weights(0), folder / "m.safetensors")
    _torch_zip(folder / "m.pt", _weights(0))
    return folder / "m.safetensors", folder / "m.pt"


def npz(folder: Path) -> Pair:
    weights = _weights(0)
    numpy.savez(folder / "a.npz", **weights)  # type: ignore[arg-type]
    weights["layer.03"][0] = 0
    numpy.savez(folder / "b.npz", **{f"x.{name}": value for name, value in weights.items()})  # type: ignore[arg-type]
    return folder / "a.npz", folder / "b.npz"


def shard(least: int, most: int) -> Callable[[Path], Pair]:
    def make(folder: Path) -> Pair:
        chance = random.Random(1)
        images = [chance.randbytes(chance.randint(least, most)) for _ in range(150)]
        for again, path in enumerate((folder / "a.tar", folder / "b.tar")):
            with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
                for number, data in enumerate(images):
                    info = tarfile.TarInfo(f"{number:06}.jpg")
                    info.size, info.mtime = len(data), 1.79e9 + 60 * again + number / 7  # type: ignore[assignment]
                    archive.addfile(info, io.BytesIO(data))
        return folder / "a.tar", folder / "b.tar"

    return make


def rows_put_in(folder: Path) -> Pair:
    import pyarrow as pa
    import pyarrow.parquet

    noise = numpy.random.default_rng(0)
    table = pa.table({"n": numpy.arange(600_000), "x": noise.normal(size=600_000)})
    more = pa.concat_tables([table.slice(0, 300_000), table.slice(0, 100), table.slice(300_000)]).combine_chunks()
    for path, rows in ((folder / "a.parquet", table), (folder / "b.parquet", more)):
        pa.parquet.write_table(rows, path, use_content_defined_chunking=True)
    return folder / "a.parquet", folder / "b.parquet"


ROWS: dict[str, Callable[[Path], Pair]] = {
    "a .pt under another name": renamed,
    "a .pt beside its .safetensors": beside_safetensors,
    "a .npz, one of 48 arrays changed, all names too": npz,
    "a tar of 110 kB images packed again": shard(80_000, 140_000),
    "a tar of 50 kB images packed again": shard(30_000, 70_000),
    "Parquet, pages by content, 100 rows into its middle": rows_put_in,
}


def ours(pair: Pair, layout: Layout) -> tuple[int, int]:
    """Bytes of the second that are new, and its chunks."""
    known: set[bytes] = set()
    new = count = 0
    for path in pair:
        new = count = 0
        with path.open("rb") as file:

            def head(offset: int, length: int, descriptor: int = file.fileno()) -> bytes:
                return os.pread(descriptor, length, offset)

            size = path.stat().st_size
            for window in chunks(file.readinto, size, file_cuts(head, size, layout), layout):
                for start, end in window.spans:
                    piece = bytes(window.data[start:end])
                    count += 1
                    if piece not in known:
                        known.add(piece)
                        new += len(piece)
                window.release()
    return new, count


def restic(pair: Pair, folder: Path) -> int:
    told = dict(
        os.environ,
        RESTIC_PASSWORD="x",
        RESTIC_REPOSITORY=str(folder / "restic"),
        RESTIC_CACHE_DIR=str(folder / "cache"),
    )
    subprocess.run([program("restic") or "", "init", "-q"], env=told, check=True)
    for path in pair:
        done = subprocess.run(
            [program("restic") or "", "backup", "--json", str(path)], env=told, check=True, capture_output=True
        )
    return int(json.loads(done.stdout.splitlines()[-1])["data_added"])


def borg(pair: Pair, folder: Path) -> int:
    told = dict(os.environ, BORG_REPO=str(folder / "borg"), BORG_BASE_DIR=str(folder / "base"))
    subprocess.run([program("borg") or "", "init", "-e", "none"], env=told, check=True, capture_output=True)
    for name, path in zip("ab", pair, strict=True):
        done = subprocess.run(
            [program("borg") or "", "create", "--json", f"::{name}", path.name],
            env=told,
            check=True,
            capture_output=True,
            cwd=path.parent,
        )
    return int(json.loads(done.stdout)["archive"]["stats"]["deduplicated_size"])


def main() -> None:
    peers = {name: work for name, work in {"restic": restic, "borg": borg}.items() if program(name)}
    print("| written again | MiB | " + " | ".join([*LAYOUTS, *peers]) + " | chunks |")
    print("|---|---|" + "---|" * (len(LAYOUTS) + len(peers) + 1))
    for name, make in ROWS.items():
        with tempfile.TemporaryDirectory() as place:
            pair = make(Path(place))
            size = pair[1].stat().st_size
            found = [ours(pair, layout) for layout in LAYOUTS.values()]
            new = [count for count, _ in found] + [work(pair, Path(place)) for work in peers.values()]
            counts = " → ".join(str(count) for _, count in found)
            print(
                f"| {name} | {size / 2**20:.0f} | "
                + " | ".join(f"{each / size:.1%}" for each in new)
                + f" | {counts} |"
            )


if __name__ == "__main__":
    main()
