"""Every reader of bytes that somebody else may have written, with honest bytes to begin from.

A reader may refuse with an error of ours and with nothing else: anything else ends a command with a traceback.
"""

from __future__ import annotations

import io
import struct
import zipfile
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from pacha_git.cli.showing import markdown
from pacha_git.errors import PachaError
from pacha_git.format import event, manifest, params, record, run, settings
from pacha_git.format.commits import check_record_commit
from pacha_git.format.documents.kinds import check_document
from pacha_git.format.documents.recipe import parse_recipe
from pacha_git.format.paths import decode_tree_name
from pacha_git.git.refs.packed_refs import PackedRefsSnapshot
from pacha_git.git.wire.bundles import read_header
from pacha_git.git.wire.transport import parse_listing
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.gitobjects.trees import parse_tree
from pacha_git.hooks.receive import parse_moves
from pacha_git.hooks.recognise import kind_of
from pacha_git.inspectors.sniff import inspect
from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.tables.tables import read_table
from pacha_git.ledger.attestations import fold_attestations
from pacha_git.ledger.events import fold
from pacha_git.ledger.notes import parse_note
from pacha_git.query.where import parse_where
from pacha_git.registry.importers.csv_runs import candidates
from pacha_git.registry.runs.code_diff import clean_diff
from pacha_git.store.runs.frames import frames
from pacha_git.store.runs.series import Series, decode_series, encode_series
from pacha_git.system import secrets
from pacha_git.trust import keypair, publickey, signers, sshsig
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.specs import parse_spec

GOLDEN: Final = Path(__file__).resolve().parents[1] / "golden"
PARQUET: Final = (
    bytes([0x15, 2, 0x19, 0x2C, 0x48, 6])
    + b"schema"
    + bytes([0x15, 2, 0, 0x15, 2, 0x25, 0, 0x18, 1])
    + b"a"
    + bytes([0, 0x16, 2, 0x19, 0x0C, 0])
)


class Reader(NamedTuple):
    """What reads bytes, and bytes that it can read."""

    read: Callable[[bytes, Path], object]
    seeds: list[bytes]


def golden(*patterns: str) -> list[bytes]:
    """The bytes of golden files, small ones."""
    found = [path for pattern in patterns for path in sorted(GOLDEN.glob(pattern)) if path.is_file()]
    return [path.read_bytes() for path in found if path.stat().st_size < 1 << 18]


def text(read: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    """A reader of text, of bytes."""
    return lambda data, _: read(data.decode("utf-8", "surrogateescape"))


def plain(read: Callable[[bytes], object]) -> Callable[[bytes, Path], object]:
    """A reader that needs no folder."""
    return lambda data, _: read(data)


def on_disk(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """A reader of a file."""

    def from_file(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return from_file


def _inspected(name: str) -> Callable[[bytes, Path], object]:
    def look(data: bytes, _: Path) -> object:
        facts = inspect(lambda offset, length: data[offset : offset + length], len(data), name)
        return None if facts is None else facts.to_json()

    return look


def _table(name: str) -> Callable[[bytes, Path], object]:
    def read(data: bytes, _: Path) -> object:
        with suppress(Damaged):  # what reads the table says so in a notice
            return read_table(io.BytesIO(data), name)

    return read


def _card(kind: Kind) -> Callable[[bytes, Path], object]:
    def look(data: bytes, _: Path) -> object:
        found = check_document(kind, data)
        if len(data) < 4000:
            markdown.draw(data.decode("utf-8", "replace"), found.json_metadata)
        return found.json_metadata

    return look


def _folded(data: bytes, _: Path) -> object:
    lines = parse_note(data)
    notes = {Oid("0" * 39 + "1"): lines}
    name = "fraud/detector"
    return fold(notes, kind=Kind.MODEL, name=name), fold_attestations(notes, kind=Kind.MODEL, name=name)


def _snapshot(data: bytes, _: Path) -> object:
    snapshot = PackedRefsSnapshot("", data)
    return snapshot.get("refs/pacha/models/a/1.0.0"), snapshot.below("refs/")


def _series() -> bytes:
    steps, times, values = array("q", [0, 1, 5]), array("q", [9, 9, 12]), array("d", [1.0, 0.5, float("nan")])
    return encode_series({"loss": Series(steps, times, values)})


def _archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


CARD: Final = (
    b"---\nlicense: mit\ntags: [a, b]\nmodel-index:\n- name: x\n  results: []\nn: 0x1F\nd: 2026-01-01\n---\n"
    b"# M\n\n## Model Details\n\ntext\n"
)
RECIPE: Final = (
    b'name = "r"\nversion = "1.0.0"\nrandom_seed = 7\ntrain_data = "rows@1.0.0"\n'
    b'[hyperparameters]\nlearning_rate = 1e-3\nepochs = 3\n[metrics.loss]\ngoal = "minimize"\n'
)
CSV: Final = b"run,step,time,loss,params.lr\na,1,2026-01-01T00:00:00+02:00,0.5,1e-3\na,2,1767225600,nan,1e-3\n"
DIFF: Final = (
    b"diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@ def f():\n"
    b' x\n-y\n+z\n+token = "abcdefgh"\n'
)
BUNDLE: Final = (
    b"# v2 git bundle\n-" + b"1" * 40 + b" c\n" + b"2" * 40 + b" refs/pacha/models/m/1.0.0\n\nPACK\0\0\0\2\0\0\0\0"
)
LISTING: Final = b"1" * 40 + b"\trefs/pacha/models/m/1.0.0\n" + b"2" * 40 + b"\trefs/notes/pacha/models/m/_events\n"
PACKED: Final = b"# pack-refs with: peeled fully-peeled sorted \n" + b"1" * 40 + b" refs/pacha/models/a/1.0.0\n"
TREE: Final = b"100644 manifest\0" + b"1" * 20 + b"40000 blobs\0" + b"2" * 20
KEY: Final = keypair.generate()
SAFETENSORS: Final = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}'
HEADS: Final = [
    len(SAFETENSORS).to_bytes(8, "little") + SAFETENSORS + bytes(8),
    b"PAR1" + bytes(8) + PARQUET + len(PARQUET).to_bytes(4, "little") + b"PAR1",
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(117)
    + b"\n"
    + bytes(8),
    b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93.",
    b"(lp0\nI1\na.",
    _archive(**{"a/data.pkl": b"N."}),
    b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<II", 4, 7),
    b'Obj\x01\x02\x16avro.schema\x04"int"\0' + b"s" * 16,
    b"SQLite format 3\0" + bytes(100),
    b'{"learner": {}}' + bytes(20),
]


def readers() -> dict[str, Reader]:
    """All of them, by name."""
    return {**_formats(), **_of_git(), **_of_trust(), **_of_files()}


def _formats() -> dict[str, Reader]:
    notes, records = golden("events/*/notes/*"), golden("records/*/record.json")
    return {
        "a model card": Reader(_card(Kind.MODEL), [CARD, *golden("records/*/card.md")]),
        "a datasheet": Reader(_card(Kind.DATASET), [CARD, *golden("records/*/datasheet.md")]),
        "a recipe": Reader(lambda data, _: parse_recipe(data).json_values, [RECIPE, *golden("records/*/recipe.toml")]),
        "a record": Reader(plain(record.decode_record), records),
        "a record commit": Reader(
            lambda data, _: check_record_commit(data, records[0], {}), golden("records/*/*commit*")
        ),
        "a run": Reader(plain(run.decode_run), golden("runs/*.json")),
        "a run commit": Reader(
            lambda data, _: run.check_run_commit(data, golden("runs/first.json")[0], golden("runs/params.toml")[0]),
            golden("runs/*.commit"),
        ),
        "parameters": Reader(plain(params.decode_params), [*golden("runs/params.toml"), RECIPE]),
        "a manifest": Reader(plain(manifest.decode_manifest), golden("records/*/manifest")),
        "settings": Reader(plain(settings.parse_settings), [b'format = 1\nregistry = "x"\n']),
        "an event": Reader(plain(event.parse_line), [line for note in notes for line in note.splitlines()]),
        "notes": Reader(_folded, notes),
        "series": Reader(plain(decode_series), [_series(), *golden("runs/metrics.series")]),
        "a journal": Reader(lambda data, _: list(frames(data)), [b"\x05\0\0\0abcde" * 3]),
        "a tree name": Reader(plain(decode_tree_name), [b"%2Egitattributes", b"100%25"]),
        "a query": Reader(text(parse_where), [b"metrics.acc > 0.9 and (params.lr <= 1e-3 or not tags.a = 'b')"]),
        "a spec": Reader(text(parse_spec), [b"model:a/b@1.0.0", b"pacha://data/x:1.0.0", b"m@blake3:0123456789abcdef"]),
    }


def _of_git() -> dict[str, Reader]:
    return {
        "a commit": Reader(plain(split_commit), golden("records/*/*commit*", "runs/*.commit")),
        "a tree": Reader(plain(parse_tree), [TREE]),
        "packed refs": Reader(_snapshot, [PACKED]),
        "a list of refs": Reader(plain(parse_listing), [LISTING]),
        "a bundle": Reader(on_disk("x.bundle", read_header), [BUNDLE]),
        "moves of a push": Reader(
            lambda data, _: parse_moves(data.split(b"\n")), [b"0" * 40 + b" " + b"1" * 40 + b" refs/x"]
        ),
        "a difference": Reader(plain(clean_diff), [DIFF]),
    }


def _of_trust() -> dict[str, Reader]:
    signature = sshsig.sign(KEY, b"x", "git").encode()
    public, private = keypair.public_openssh(KEY.public, "a").encode(), keypair.private_openssh(KEY, "a")
    return {
        "a signature": Reader(lambda data, _: sshsig.verify(data.decode("latin-1"), b"x", "git"), [signature]),
        "a public key": Reader(text(publickey.parse_public), [public]),
        "a private key": Reader(plain(keypair.load_private), [private]),
        "allowed signers": Reader(plain(signers.Signers.parse), golden("records/allowed_signers")),
        "a text with credentials": Reader(
            text(lambda value: (secrets.clean(value, "/home/a"), list(secrets.find(value)))), [RECIPE, DIFF]
        ),
    }


def _of_files() -> dict[str, Reader]:
    heads = HEADS + golden("formats/*", "formats/made/*")
    return {
        **{f"a file {name}": Reader(_inspected(name), heads) for name in ("x", "x.pkl", "x.pt", "x.csv")},
        **{
            f"a table {name}": Reader(_table(name), [CSV, b'{"a": 1, "b": [1]}\n{"a": null}\n', HEADS[1]])
            for name in ("x.csv", "x.jsonl", "x.tsv")
        },
        "runs of CSV": Reader(on_disk("x.csv", _csv), [CSV]),
        "a file of a commit": Reader(lambda data, _: (kind_of("x.toml", data), kind_of("x.md", data)), [RECIPE, CARD]),
    }


def _csv(path: Path) -> object:
    found: Iterable[Any] = candidates(path, {})
    return [candidate.read() for candidate in found]


def refuses_in_our_words(reader: Reader, data: bytes, folder: Path) -> None:
    """Read; an error of ours is an answer."""
    with suppress(PachaError):
        reader.read(data, folder)
