"""The independent reader takes a registry that stock git alone wrote by docs/format.md, and refuses every tampering.

It knows what each tampering changes and what has to be said of it, and refuses to know the package.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import reader
from tests.contract.byhand import (
    ADA,
    CHUNKS,
    DATA,
    MODEL,
    NOBODY,
    PAYLOAD,
    REGISTRY,
    SECONDS,
    SIGNATURE,
    Change,
    Hand,
    address,
    build,
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Hand:
    """A registry without a fault, to make faulty ones like it."""
    return build(tmp_path_factory.mktemp("sound") / "registry.git")


def test_what_stock_git_wrote_by_the_text_is_read_whole(registry_path: Path) -> None:
    build(registry_path)
    assert reader.check(str(registry_path)) == {
        "versions": [
            "dataset:sales@2023.1.0-rc.1",
            "model:team/fraud@1.0.0",
            "model:team/fraud@1.1.0+gpu",
            "recipe:fit@0.1.0",
        ],
        "payloads": ["model:team/fraud@1.0.0"],
        "thin": ["model:team/fraud@1.1.0+gpu"],
        "removed": ["dataset:sales@2023.1.0-rc.1"],
        "events": 6,
        "attestations": 1,
        "stages": {
            "dataset:sales@2023.1.0-rc.1": "development",
            "model:team/fraud@1.0.0": "production",
            "model:team/fraud@1.1.0+gpu": "development",
            "recipe:fit@0.1.0": "development",
        },
        "aliases": {"model:team/fraud@champion": "1.1.0+gpu"},
        "remarks": [],
        "problems": [],
    }


def test_a_payload_without_its_record_is_legal_and_a_signed_record_is_read(registry_path: Path) -> None:
    """Payloads are pushed before records; a signature stands in the header and in no rebuilt byte."""
    folded = SIGNATURE.replace("\n", "\n ")
    build(
        registry_path,
        None,
        **{
            "recipe head": lambda head: [*head, f"gpgsig {folded}"],
            "made of": lambda edges: edges[:1],
            "refs": lambda refs: {**refs, "refs/pacha/payload/models/other/3.0.0": refs[PAYLOAD]},
        },
    )
    found = reader.check(str(registry_path))
    assert found["problems"] == []
    assert found["payloads"] == ["model:other@3.0.0", "model:team/fraud@1.0.0"]


@pytest.mark.parametrize(
    "command",
    [
        "git -c core.autocrlf=false archive REF:chunked/w/model.bin | tar xO",
        "git ls-tree -r REF:chunked/w/model.bin | cut -c13-52 | xargs -n1 git cat-file blob",
    ],
)
def test_stock_git_alone_restores_a_file(registry_path: Path, command: str) -> None:
    build(registry_path)
    shell = command.replace("REF", PAYLOAD)
    done = subprocess.run(["sh", "-c", shell], cwd=registry_path, check=True, stdout=subprocess.PIPE)
    assert done.stdout == b"".join(CHUNKS)


def put(*path: Any, value: Any) -> Change:
    """Set one thing, deep in a value."""

    def change(thing: Any) -> Any:
        thing = json.loads(json.dumps(thing))
        inner = thing
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return thing

    return change


def swap(old: str, new: str) -> Change:
    """Replace in text or bytes what must be there."""

    def change(text: Any) -> Any:
        before, after = (old, new) if isinstance(text, str) else (old.encode(), new.encode())
        assert before in text
        return text.replace(before, after)

    return change


def more(name: str, mode: str = "100644") -> Change:
    """One more entry in a tree, with the bytes of another."""
    return lambda entries: {**entries, name: (mode, next(oid for kind, oid in entries.values() if kind != "40000"))}


def also(ref: str, like: str = MODEL) -> Change:
    """One more ref."""
    return lambda refs: {**refs, ref: refs[like]}


def shift(old: str, new: str) -> Change:
    """Give an entry another name."""
    return lambda entries: {new if name == old else name: entry for name, entry in entries.items()}


def chmod(entries: Any) -> Any:
    """Make every file executable."""
    return {name: ("100755", oid) for name, (_, oid) in entries.items()}


def resize(lines: Any) -> Any:
    """Let the groups of the last file have other sizes, of the same sum."""
    (first, some), (second, rest) = lines[2]["parts"]
    return [*lines[:2], {**lines[2], "parts": [[first, some + 1], [second, rest - 1]]}]


def crowd(record: Any) -> Any:
    """Give a record more parents than a commit may have."""
    (edge, *_) = record["lineage"]
    targets = [{**edge["target"], "commit": f"{number:040x}"} for number in range(1001)]
    return {**record, "lineage": [{**edge, "target": target} for target in targets]}


def void_target(event: Any) -> Any:
    return put("target", "commit", value="3" * 40)(event)


TAMPERINGS: dict[str, tuple[str, Change, str]] = {
    "settings of a newer format": ("settings", swap("format = 1", "format = 2"), "another format"),
    "settings without an id": ("settings", swap(REGISTRY, "mine"), "no id"),
    "another root": ("refs", lambda refs: {**refs, "refs/pacha/root": refs[MODEL]}, "not the root commit"),
    "no root": ("refs", lambda refs: {ref: refs[ref] for ref in refs if ref != "refs/pacha/root"}, "not the root"),
    "a ref of no kind": ("refs", also("refs/pacha/toys/x/1.0.0"), "no such ref"),
    "a device as name": ("refs", also("refs/pacha/models/con.x/1.0.0"), "no such ref"),
    "a kind as name": ("refs", also("refs/pacha/models/Data/x/1.0.0"), "no such ref"),
    "five segments": ("refs", also("refs/pacha/models/a/b/c/d/e/1.0.0"), "no such ref"),
    "a version that is none": ("refs", also("refs/pacha/models/team/fraud/1.0"), "no such ref"),
    "a payload of a recipe": ("refs", also("refs/pacha/payload/recipes/fit/0.1.0", PAYLOAD), "no such ref"),
    "a record under another's ref": ("refs", also("refs/pacha/models/team/fraud/9.0.0"), "another ref or format"),
    "a name in two cases": ("refs", also("refs/pacha/models/TEAM/x/1.0.0"), "but for case"),
    "two builds": ("versions", lambda versions: ["1.1.0+cpu", *versions], "but for case or build"),
    "no ref of a lineage": (
        "refs",
        lambda refs: {ref: refs[ref] for ref in refs if ref != DATA},
        "is elsewhere or other",
    ),
    "a record with a space": ("model bytes", swap('"kind"', ' "kind"'), "not canonical"),
    "a record with a float in disguise": ("model bytes", swap("0.93", "0.930"), "not canonical"),
    "a record with a key twice": (
        "model bytes",
        swap('"kind":"model"', '"kind":"model","kind":"model"'),
        "not canonical",
    ),
    "a record with U+0000": ("model record", put("tags", "team", value="\0"), "U+0000"),
    "a record nested too deep": (
        "model bytes",
        swap('"tags":{', f'"deep":{"[" * 32}{"]" * 32},"tags":{{'),
        "nested over 32",
    ),
    "a record of a newer format": ("model record", put("format", value=2), "another ref or format"),
    "a time that is none": ("model record", put("created_at", value="2023-02-30T00:00:00Z"), "day is out of range"),
    "an author that breaks the header": ("model record", put("created_by", value="a\nb <c>"), "created_by"),
    "a tag that is no string": ("model record", put("tags", "team", value=1), "metrics or tags"),
    "a metric that is a word": ("model record", put("metrics", "auc", value="high"), "metrics"),
    "a relation that breaks the message": ("model record", put("lineage", 0, "relation", value="x\ny"), "relation"),
    "another description than the commit's": ("model record", put("description", value="Mine."), "not the one that"),
    "a trailer that lies": ("model text", swap("Pacha-Version: 1.0.0", "Pacha-Version: 1.0.1"), "not the one that"),
    "a message with an LF too many": ("model text", lambda text: text + "\n", "not the one that"),
    "another author": (
        "model head",
        lambda head: [*head[:-2], f"author Eve <e@e> {SECONDS} +0000", head[-1]],
        "not the one",
    ),
    "another zone": ("model head", lambda head: [*head[:-1], head[-1].replace("+0000", "+0100")], "not the one that"),
    "a header too many": ("model head", lambda head: [*head, "encoding latin1"], "not the one that"),
    "a signature and another header": (
        "model head",
        lambda head: [*head, "mergetag x", f"gpgsig {SIGNATURE}"],
        "not the",
    ),
    "parents in another order": ("model parents", lambda parents: parents[::-1], "not the one that"),
    "a parent too few": ("model parents", lambda parents: parents[:1], "not the one that"),
    "too many parents": ("model record", crowd, "over 1,000"),
    "a file beside the record": ("model files", lambda files: {**files, "notes.txt": b"x"}, "its tree has"),
    "a document that is executable": ("data tree", chmod, "not 100644"),
    "a document that its commit does not name": (
        "data files",
        lambda files: {**files, "datasheet.md": b"x"},
        "not the",
    ),
    "a recipe without its document": (
        "recipe files",
        lambda files: {"record.json": files["record.json"]},
        "recipe.toml",
    ),
    "a target with another record": (
        "model record",
        put("lineage", 0, "target", "record", value=address(b"")),
        "elsewhere or other",
    ),
    "content of another size": ("model record", put("content", "size", value=1), "not the content"),
    "content in another tree": ("model record", put("content", "tree", value="4" * 40), "not the content"),
    "content with other files": (
        "model record",
        put("content", "files", 0, "blake3", value="5" * 64),
        "not the content",
    ),
    "thin content that does not add up": ("second record", put("content", "file_count", value=2), "not the content"),
    "a payload by somebody": ("model payload", swap(f"author {NOBODY}", f"author {ADA} 0 +0000"), "tree and address"),
    "a payload with another address": (
        "model payload",
        lambda text: re.sub("blake3:.*", address(b""), text),
        "address",
    ),
    "a chunk with other bytes": ("chunks", lambda chunks: [chunks[0], b"B" * 30_000, chunks[2]], "have another hash"),
    "a gap between chunks": ("group", shift(f"{20_000:012x}", f"{20_001:012x}"), "bad chunk"),
    "a group at another offset": ("group names", lambda names: [names[0], f"{50_001:012x}"], "differ"),
    "a chunk that is executable": ("group", chmod, "bad chunk"),
    "a file that the manifest does not have": ("blobs", more("extra"), "differ"),
    "a folder with nothing in it": (
        "model upper",
        lambda tree: {**tree, "empty": ("40000", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")},
        "differ",
    ),
    "a path that is not encoded": ("blobs", shift("run%7E1", "run~1"), "differ"),
    "a file that has another mode": ("blobs", chmod, "differ"),
    "a manifest out of order": ("model lines", lambda lines: lines[::-1], "sorted"),
    "a manifest with two spellings": ("model lines", put(1, "path", value="W/MODEL.bin"), "after folding"),
    "a manifest that leaves": ("model lines", put(0, "path", value="../x"), "path"),
    "a manifest with a control character": ("model lines", put(2, "path", value="w/\x7f"), "path"),
    "a manifest with a file as folder": ("model lines", put(1, "path", value="W"), "after folding"),
    "a manifest with another size": ("model lines", put(2, "size", value=7), "bad parts"),
    "a manifest with a name for an oid": ("model lines", put(0, "parts", 0, 0, value="HEAD 5 5"), "no oid"),
    "a manifest with other sizes of groups": ("model lines", resize, "not the size"),
    "a manifest with a line that is no JSON": ("model manifest", swap('"mode"', ' "mode"'), "not canonical"),
    "a manifest without its last LF": ("model manifest", lambda data: data[:-1], "last LF"),
    "a note out of order": ("note", lambda note: b"".join(sorted(note.splitlines(True), reverse=True)), "not sorted"),
    "a note with a line twice": ("note", lambda note: note.splitlines(True)[0] + note, "not sorted"),
    "a note without its last LF": ("note", lambda note: note[:-1], "not sorted"),
    "a note on nothing": ("note path", lambda path: path[:-1], "no note"),
    "an event with another id": ("event 2", put("id", value="018bcfe5-6800-7000-8000-0000000000ff"), "void or illegal"),
    "an event on another commit": ("event 2", void_target, "void or illegal"),
    "an event of another name": ("event 2", put("target", "name", value="x"), "void or illegal"),
    "an event that skips a stage": ("event 1", put("to", value="production"), "illegal in development"),
    "an event from where it is not": ("event 2", put("from", value="archived"), "illegal in staging"),
    "an alias that is a stage": ("event 3", put("name", value="production"), "void or illegal"),
    "an event of another version": ("event 3", put("target", "version", value="7.0.0"), "another version"),
    "an event by nobody": ("event 3", put("by", value="Ada"), "by"),
    "an event with an id that is no UUIDv7": ("line 3", swap("-7000-", "-4000-"), "no id"),
    "an event that is not canonical": ("line 3", swap('"op"', ' "op"'), "not canonical"),
    "an event with a bad parent": ("event 3", put("after", value=["x"]), "bad 'after'"),
}


REMARKS = ("void or illegal", "illegal in development", "illegal in staging", "another version")


@pytest.mark.damaged
@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_refused(registry_path: Path, sound: Hand, name: str) -> None:
    step, change, expected = TAMPERINGS[name]
    build(registry_path, sound, **{step: change})
    found = reader.check(str(registry_path))
    said = found["remarks" if expected in REMARKS else "problems"]
    assert any(expected in line for line in said), found


@pytest.mark.damaged
def test_an_ancestor_of_the_same_name_and_version_is_refused(registry_path: Path) -> None:
    hand = build(registry_path)
    content = hand.folder("model", "team/fraud", "1.0.0")
    twin = hand.record("twin", "model", "team/fraud", "0.9.0", [], content=content, metrics={})
    own = hand.record("own", "model", "team/fraud", "0.9.0", [("derived-from", twin)], content=content, metrics={})
    hand.git("update-ref", "refs/pacha/models/team/fraud/0.9.0", own["commit"])
    (problem,) = reader.check(str(registry_path))["problems"]
    assert "is elsewhere or other" in problem


@pytest.mark.damaged
def test_an_object_that_is_gone_or_has_other_bytes_is_refused(registry_path: Path) -> None:
    hand = build(registry_path)
    chunk = hand.git("rev-parse", f"{PAYLOAD}:chunked/w/model.bin/000000000000/000000000000")
    loose = registry_path / "objects" / chunk[:2] / chunk[2:]
    other = hand.git("rev-parse", f"{PAYLOAD}:manifest")
    loose.unlink()
    assert any(chunk in problem for problem in reader.check(str(registry_path))["problems"])
    loose.write_bytes((registry_path / "objects" / other[:2] / other[2:]).read_bytes())
    assert any(chunk in problem for problem in reader.check(str(registry_path))["problems"])


@pytest.mark.damaged
def test_the_script_exits_1_where_there_are_problems_and_says_them(registry_path: Path) -> None:
    command = [sys.executable, reader.__file__, str(registry_path)]
    hand = build(registry_path)
    sound = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    assert json.loads(sound.stdout)["problems"] == []
    hand.git("update-ref", "-d", "refs/pacha/root")
    broken = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    assert (broken.returncode, len(json.loads(broken.stdout)["problems"])) == (1, 1)
