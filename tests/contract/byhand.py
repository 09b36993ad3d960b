"""Writes a small registry by docs/format.md with stock git plumbing alone, each step open to a change.

It knows the bytes of the format, and refuses to know the package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blake3 import blake3

ADA = "Ada Tester <ada@example.org>"
NOBODY = "pacha <pacha@invalid> 0 +0000"
SECONDS, TIME = 1_700_000_000, "2023-11-14T22:13:20Z"
REGISTRY = "0b5e6f1c-93b1-4f0e-8a2d-5d3f6c7e8a90"
CHUNKS = [b"a" * 20_000, b"b" * 30_000, b"c" * 7]
SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\nAAAA\n-----END SSH SIGNATURE-----"
PAYLOAD = "refs/pacha/payload/models/team/fraud/1.0.0"
MODEL = "refs/pacha/models/team/fraud/1.0.0"
DATA = "refs/pacha/datasets/sales/2023.1.0-rc.1"
Change = Callable[[Any], Any]


def canonical(value: Any) -> bytes:
    """Enough of RFC 8785 for what stands in this file: ASCII keys, whole numbers, floats that print alike."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def address(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


class Hand:
    """A registry written by hand: every step can be changed by the one whose name is given."""

    def __init__(self, path: Path, like: Hand | None = None, **changes: Change) -> None:
        self.path, self.changes, self.refs = path, changes, dict[str, str]()
        self.written: dict[tuple[tuple[str, ...], bytes], str] = dict(like.written) if like else {}
        if like:  # only what a change makes different has to be written again
            shutil.copytree(like.path, path, copy_function=os.link, ignore=shutil.ignore_patterns("pacha"))
        else:
            subprocess.run(["git", "init", "-q", "--bare", "--template=", str(path)], check=True)

    def git(self, *words: str, data: bytes = b"") -> str:
        done = subprocess.run(["git", "-C", str(self.path), *words], input=data, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    def step(self, name: str, value: Any) -> Any:
        return self.changes.get(name, lambda same: same)(value)

    def write(self, kind: str, data: bytes) -> str:
        return self.once("hash-object", "-w", "-t", kind, "--literally", "--stdin", data=data)

    def once(self, *words: str, data: bytes) -> str:
        oid = self.written.get((words, data)) or self.git(*words, data=data)
        self.written[words, data] = oid
        return oid

    def tree(self, entries: dict[str, tuple[str, str]]) -> str:
        kinds = {"40000": "tree"}
        lines = [f"{mode} {kinds.get(mode, 'blob')} {oid}\t{name}\0" for name, (mode, oid) in entries.items()]
        return self.once("mktree", "-z", data="".join(lines).encode())

    def blob_tree(self, files: dict[str, bytes]) -> dict[str, tuple[str, str]]:
        return {name: ("100644", self.write("blob", data)) for name, data in files.items()}

    def record(self, which: str, kind: str, name: str, version: str, targets: list[Any], **rest: Any) -> Any:
        """Write the record of a version and its ref; answer with the target by which others name it."""
        record = {
            **{"format": 1, "kind": kind, "name": name, "version": version, "created_at": TIME, "created_by": ADA},
            **{
                "description": "\nSays é.\n\nPacha-Kind: look-alike\n",
                "tags": {"team": "risk", "path": "\\u0000"},
                "content": None,
            },
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
        line: dict[str, Any] = {
            "path": "data.csv",
            "size": len(data),
            "mode": "644",
            "blake3": blake3(data).hexdigest(),
        }
        line |= {"stored": "blob", "parts": [[blob, len(data)]]}
        tree = {"blobs": ("40000", self.tree({"data.csv": ("100644", blob)}))}
        return self.payload("data", kind, name, version, [line], tree, address(data), "file")

    def folder(self, kind: str, name: str, version: str) -> dict[str, Any]:
        """Write the payload of a folder: a hidden file, one to execute, one cut into two groups of chunks."""
        note, run, weights = b"*.bin\n", b"#!/bin/sh\n", b"".join(CHUNKS)
        stored = self.step("chunks", CHUNKS)
        groups: list[tuple[str, int]] = []
        for part in (stored[:2], stored[2:]):
            ends = [sum(map(len, part[: at + 1])) for at in range(len(part))]
            entries = {f"{end - len(chunk):012x}": chunk for end, chunk in zip(ends, part, strict=True)}
            groups.append((self.tree(self.step("group", self.blob_tree(entries))), ends[-1]))
        names = self.step("group names", ["000000000000", f"{groups[0][1]:012x}"])
        chunked = {name: ("40000", group[0]) for name, group in zip(names, groups, strict=True)}
        blobs = {
            "%2Egitattributes": ("100644", self.write("blob", note)),
            "run%7E1": ("100755", self.write("blob", run)),
        }
        upper = {"w": ("40000", self.tree({"model.bin": ("40000", self.tree(chunked))}))}
        lines: list[dict[str, Any]] = [
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
        line: bytes = self.step(f"line {number}", f"{identity}\t".encode() + canonical(event))
        return line

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


def build(path: Path, like: Hand | None = None, **changes: Change) -> Hand:
    """A dataset, a recipe, a model made of both, and a second version that is thin; staged, aliased, one removed."""
    hand = Hand(path, like, **changes)
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
