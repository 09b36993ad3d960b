"""The independent reader takes a registry that stock git alone wrote by docs/format.md, and refuses every tampering.

It knows the bytes of a small registry, written out by hand, and refuses to know the package.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.contract import reader

ADA = "Ada Tester <ada@example.org>"
NOBODY = "pacha <pacha@invalid> 0 +0000"
SECONDS, TIME = 1_700_000_000, "2023-11-14T22:13:20Z"
REGISTRY = "0b5e6f1c-93b1-4f0e-8a2d-5d3f6c7e8a90"
CHUNKS = [b"a" * 20_000, b"b" * 30_000, b"c" * 7]
SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\nAAAA\n-----END SSH SIGNATURE-----"
Change = Callable[[Any], Any]


def canonical(value: Any) -> bytes:
    """Enough of RFC 8785 for what stands in this file: ASCII keys, whole numbers, floats that print alike."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def address(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


class Hand:
    """A registry written by hand: every step can be changed by the one whose name is given."""

    def __init__(self, path: Path, **changes: Change) -> None:
        self.path, self.changes, self.refs = path, changes, dict[str, str]()
        subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)

    def git(self, *words: str, data: bytes = b"") -> str:
        done = subprocess.run(["git", "-C", str(self.path), *words], input=data, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    def step(self, name: str, value: Any) -> Any:
        return self.changes.get(name, lambda same: same)(value)

    def write(self, kind: str, data: bytes) -> str:
        return self.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", data=data)

    def tree(self, entries: dict[str, tuple[str, str]]) -> str:
        kinds = {"40000": "tree"}
        lines = [f"{mode} {kinds.get(mode, 'blob')} {oid}\t{name}\0" for name, (mode, oid) in entries.items()]
        return self.git("mktree", "-z", data="".join(lines).encode())

    def blob_tree(self, files: dict[str, bytes]) -> dict[str, tuple[str, str]]:
        return {name: ("100644", self.write("blob", data)) for name, data in files.items()}

    def record(self, which: str, kind: str, name: str, version: str, targets: list[Any], **rest: Any) -> Any:
        """Write the record of a version and its ref; answer with the target by which others name it."""
        record = {
            **{"format": 1, "kind": kind, "name": name, "version": version, "created_at": TIME, "created_by": ADA},
            **{"description": "\nSays é.\n\nPacha-Kind: look-alike\n", "tags": {"team": "risk"}, "content": None},
            **{"lineage": [{"relation": word, "params": {}, "target": target} for word, target in targets]},
            **{key: value for key, value in rest.items() if key != "documents"},
        }
        data = self.step(f"{which} bytes", canonical(self.step(f"{which} record", record)))
        documents = rest.get("documents", {})
        trailers = [f"Kind: {kind}", f"Name: {name}", f"Version: {version}", f"Record: {address(data)}"]
        trailers += [f"Document: {file} {address(documents[file])}" for file in sorted(documents)]
        trailers += [f"Lineage: {word} {t['kind']} {t['name']} {t['version']}" for word, t in targets]
        parents = self.step(f"{which} parents", list(dict.fromkeys(target["commit"] for _, target in targets)))
        files = self.step(f"{which} files", {"record.json": data, **documents})
        tree = self.tree(self.step(f"{which} tree", self.blob_tree(files)))
        who = f"{ADA} {SECONDS} +0000"
        head = [f"tree {tree}", *(f"parent {oid}" for oid in parents), f"author {who}", f"committer {who}"]
        body = "Says é.\n\nPacha-Kind: look-alike\n\n" if record["description"] else ""
        text = f"{kind} {name} {version}\n\n{body}" + "".join(f"Pacha-{line}\n" for line in trailers)
        head, text = self.step(f"{which} head", head), self.step(f"{which} text", text)
        commit = self.write("commit", ("\n".join(head) + "\n\n" + text).encode())
        self.refs[f"refs/pacha/{kind}s/{name}/{version}"] = commit
        return {"kind": kind, "name": name, "version": version, "record": address(data), "commit": commit}

    def one_file(self, kind: str, name: str, version: str, data: bytes) -> dict[str, Any]:
        """Write the payload of one small file; answer with the record's content."""
        blob = self.write("blob", data)
        line = {"path": "data.csv", "size": len(data), "mode": "644", "blake3": blake3(data).hexdigest()}
        line |= {"stored": "blob", "parts": [[blob, len(data)]]}
        tree = {"blobs": ("40000", self.tree({"data.csv": ("100644", blob)}))}
        return self.payload("data", kind, name, version, [line], tree, address(data), "file")

    def folder(self, kind: str, name: str, version: str) -> dict[str, Any]:
        """Write the payload of a folder: a hidden file, one to execute, one cut into two groups of chunks."""
        note, run, weights = b"*.bin\n", b"#!/bin/sh\n", b"".join(CHUNKS)
        stored = self.step("chunks", CHUNKS)
        groups = []
        for part in (stored[:2], stored[2:]):
            ends = [sum(map(len, part[: at + 1])) for at in range(len(part))]
            entries = {f"{end - len(chunk):012x}": chunk for end, chunk in zip(ends, part, strict=True)}
            groups.append([self.tree(self.step("group", self.blob_tree(entries))), ends[-1]])
        names = self.step("group names", ["000000000000", f"{groups[0][1]:012x}"])
        chunked = {name: ("40000", group[0]) for name, group in zip(names, groups, strict=True)}
        blobs = {
            "%2Egitattributes": ("100644", self.write("blob", note)),
            "run%7E1": ("100755", self.write("blob", run)),
        }
        upper = {"w": ("40000", self.tree({"model.bin": ("40000", self.tree(chunked))}))}
        lines = [
            {"path": ".gitattributes", "mode": "644", "stored": "blob", "parts": [[blobs["%2Egitattributes"][1], 6]]},
            {"path": "run~1", "mode": "755", "stored": "blob", "parts": [[blobs["run%7E1"][1], 10]]},
            {"path": "w/model.bin", "mode": "644", "stored": "chunked", "parts": groups},
        ]
        for line, data in zip(lines, (note, run, weights), strict=True):
            line |= {"size": len(data), "blake3": blake3(data).hexdigest()}
        blobs = self.step("blobs", blobs)
        tree = {"blobs": ("40000", self.tree(blobs)), "chunked": ("40000", self.tree(upper))}
        return self.payload("model", kind, name, version, lines, tree, "", "list")

    def payload(
        self, which: str, kind: str, name: str, version: str, lines: Any, tree: Any, single: str, of: str
    ) -> dict[str, Any]:
        lines = self.step(f"{which} lines", lines)
        listed = canonical([[line["path"], line["mode"], line["size"], line["blake3"]] for line in lines])
        digest = single or f"blake3:{blake3(listed, derive_key_context='pacha 1 file list').hexdigest()}"
        data = self.step(f"{which} manifest", b"".join(canonical(line) + b"\n" for line in lines))
        manifest = self.write("blob", data)
        whole = self.tree(self.step(f"{which} upper", {"manifest": ("100644", manifest), **tree}))
        commit = f"tree {whole}\nauthor {NOBODY}\ncommitter {NOBODY}\n\n{digest}\n"
        ref = f"refs/pacha/payload/{kind}s/{name}/{version}"
        self.refs[ref] = self.write("commit", self.step(f"{which} payload", commit).encode())
        size = sum(line["size"] for line in lines)
        files = [{key: value for key, value in line.items() if key != "parts"} for line in lines]
        content = {"address": digest, "address_of": of, "size": size, "file_count": len(lines), "files": files}
        return {**content, "layout": "pacha-cdc-1", "tree": whole, "manifest": manifest}

    def line(self, number: int, target: Any, after: list[bytes], **rest: Any) -> bytes:
        identity = f"018bcfe5-6800-7000-8000-{number:012x}"
        hashes = sorted(blake3(line).hexdigest() for line in after)
        event = {"id": identity, "registry": REGISTRY, "target": target, "after": hashes, "at": TIME, "by": ADA}
        event = self.step(f"event {number}", {**event, "reason": "", **rest})
        return self.step(f"line {number}", f"{identity}\t".encode() + canonical(event))

    def notes(self, ref: str, notes: dict[str, list[bytes]]) -> None:
        """Write the notes of a name in one commit, fanned out 2/38."""
        folders: dict[str, dict[str, tuple[str, str]]] = {}
        for oid, lines in notes.items():
            data = self.step("note", b"".join(line + b"\n" for line in sorted(lines)))
            path = self.step("note path", oid[2:])
            folders.setdefault(oid[:2], {})[path] = ("100644", self.write("blob", data))
        tree = self.tree({name: ("40000", self.tree(entries)) for name, entries in folders.items()})
        who = f"{ADA} {SECONDS} +0000"
        self.refs[ref] = self.write("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nevents\n".encode())

    def finish(self) -> None:
        updates = "".join(f"create {ref} {oid}\n" for ref, oid in self.step("refs", self.refs).items())
        self.git("update-ref", "--stdin", data=updates.encode())


def build(path: Path, **changes: Change) -> Hand:
    """A dataset, a recipe, a model made of both, and a second version that is thin; staged, aliased, one removed."""
    hand = Hand(path, **changes)
    settings = {"registry.toml": hand.step("settings", f'format = 1\nregistry = "{REGISTRY}"\n\n[policy]\n').encode()}
    who = f"{ADA} {SECONDS} +0000"
    first = f"tree {hand.tree(hand.blob_tree(settings))}\nauthor {who}\ncommitter {who}\n\nsettings\n"
    hand.refs["refs/pacha/registry"] = hand.write("commit", first.encode())
    root = f"tree {hand.tree({})}\nauthor {NOBODY}\ncommitter {NOBODY}\n\npacha registry\n"
    hand.refs["refs/pacha/root"] = hand.write("commit", root.encode())
    content = hand.one_file("dataset", "sales", "2023.1.0-rc.1", b"a,b\n1,2\n")
    sheet = {"datasheet.md": b"# Sales\n"}
    data = hand.record(
        "data", "dataset", "sales", "2023.1.0-rc.1", [], documents=sheet, content=content, purpose="", metrics={}
    )
    recipe = hand.record("recipe", "recipe", "fit", "0.1.0", [], documents={"recipe.toml": b'name = "fit"\n'})
    content = hand.folder("model", "team/fraud", "1.0.0")
    made_of = hand.step("made of", [("trained-on", data), ("generated-by", recipe), ("evaluated-on", data)])
    metrics = {"auc": 0.93, "loss": "NaN", "tiny": 1.5e-10}
    model = hand.record("model", "model", "team/fraud", "1.0.0", made_of, content=content, metrics=metrics)
    thin = {**content, "tree": "1" * 40, "manifest": "2" * 40, "layout": "another"}
    later = [("fine-tuned-from", model)]
    for version in hand.step("versions", ["1.1.0+gpu"]):
        second = hand.record("second", "model", "team/fraud", version, later, content=thin, metrics={}, description="")
    del hand.refs["refs/pacha/payload/datasets/sales/2023.1.0-rc.1"]
    one = hand.line(1, model, [], type="stage", **{"from": "development", "to": "staging"})
    two = hand.line(2, model, [one], type="stage", **{"from": "staging", "to": "production"})
    three = hand.line(3, model, [two], type="alias", name="champion", op="set")
    four = hand.line(4, second, [two], type="alias", name="champion", op="set")
    five = hand.line(5, second, [three, four], type="alias", name="next", op="set")
    six = hand.line(6, second, [five], type="alias", name="next", op="unset")
    notes = {model["commit"]: [one, two, three], second["commit"]: [four, five, six]}
    hand.notes("refs/notes/pacha/models/team/fraud/_events", notes)
    gone = hand.line(7, data, [], type="tombstone")
    hand.notes("refs/notes/pacha/datasets/sales/_attestations", {data["commit"]: [gone]})
    hand.finish()
    return hand


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
        "problems": [],
    }


def test_a_payload_without_its_record_is_legal_and_a_signed_record_is_read(registry_path: Path) -> None:
    """Payloads are pushed before records; a signature stands in the header and in no rebuilt byte."""
    folded = SIGNATURE.replace("\n", "\n ")
    build(
        registry_path,
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


PAYLOAD = "refs/pacha/payload/models/team/fraud/1.0.0"
MODEL = "refs/pacha/models/team/fraud/1.0.0"
DATA = "refs/pacha/datasets/sales/2023.1.0-rc.1"


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


def void_target(event: Any) -> Any:
    return put("target", "commit", value="3" * 40)(event)


TAMPERINGS: dict[str, tuple[str, Change, str]] = {
    "settings of a newer format": ("settings", swap("format = 1", "format = 2"), "another format"),
    "settings without an id": ("settings", swap(REGISTRY, "mine"), "no id"),
    "another root": ("refs", lambda refs: {**refs, "refs/pacha/root": refs[MODEL]}, "not the root commit"),
    "no root": ("refs", lambda refs: {ref: refs[ref] for ref in refs if ref != "refs/pacha/root"}, "not the root"),
    "a ref of no kind": ("refs", also("refs/pacha/toys/x/1.0.0"), "no ref of Format 1"),
    "a device as name": ("refs", also("refs/pacha/models/con.x/1.0.0"), "no ref of Format 1"),
    "a kind as name": ("refs", also("refs/pacha/models/Data/x/1.0.0"), "no ref of Format 1"),
    "five segments": ("refs", also("refs/pacha/models/a/b/c/d/e/1.0.0"), "no ref of Format 1"),
    "a version that is none": ("refs", also("refs/pacha/models/team/fraud/1.0"), "no ref of Format 1"),
    "a payload of a recipe": ("refs", also("refs/pacha/payload/recipes/fit/0.1.0", PAYLOAD), "no ref of Format 1"),
    "a record under another's ref": ("refs", also("refs/pacha/models/team/fraud/9.0.0"), "spells another ref"),
    "a name in two cases": ("refs", also("refs/pacha/models/TEAM/x/1.0.0"), "but for case"),
    "two builds": ("versions", lambda versions: ["1.1.0+cpu", *versions], "but for case or build"),
    "no ref of a lineage": ("refs", lambda refs: {ref: refs[ref] for ref in refs if ref != DATA}, "KeyError"),
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
    "a record of a newer format": ("model record", put("format", value=2), "or another format"),
    "a time that is none": ("model record", put("created_at", value="2023-02-30T00:00:00Z"), "day is out of range"),
    "an author that breaks the header": ("model record", put("created_by", value="a\nb <c>"), "created_by"),
    "a tag that is no string": ("model record", put("tags", "team", value=1), "tag no string"),
    "a metric that is a word": ("model record", put("metrics", "auc", value="high"), "metric"),
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
        "another record",
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
    "a manifest with a line that is no JSON": ("model manifest", swap('"mode"', ' "mode"'), "not canonical"),
    "a manifest without its last LF": ("model manifest", lambda data: data[:-1], "last LF"),
    "a note out of order": ("note", lambda note: b"".join(sorted(note.splitlines(True), reverse=True)), "unsorted"),
    "a note with a line twice": ("note", lambda note: note.splitlines(True)[0] + note, "unsorted"),
    "a note without its last LF": ("note", lambda note: note[:-1], "unsorted"),
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


@pytest.mark.damaged
@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_refused(registry_path: Path, name: str) -> None:
    step, change, expected = TAMPERINGS[name]
    build(registry_path, **{step: change})
    problems = reader.check(str(registry_path))["problems"]
    assert any(expected in problem for problem in problems), problems


@pytest.mark.damaged
def test_an_ancestor_of_the_same_name_and_version_is_refused(registry_path: Path) -> None:
    hand = build(registry_path)
    content = hand.folder("model", "team/fraud", "1.0.0")
    twin = hand.record("twin", "model", "team/fraud", "0.9.0", [], content=content, metrics={})
    own = hand.record("own", "model", "team/fraud", "0.9.0", [("derived-from", twin)], content=content, metrics={})
    hand.git("update-ref", "refs/pacha/models/team/fraud/0.9.0", own["commit"])
    (problem,) = reader.check(str(registry_path))["problems"]
    assert "is elsewhere" in problem


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
