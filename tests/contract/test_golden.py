"""The independent reader makes of the golden vectors what they say: nothing of the package had a part in it.

It knows how the golden files are laid out, and refuses to know the package.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.contract import reader
from tests.contract.byhand import Hand

GOLDEN = Path(__file__).parent.parent / "golden"
ROOT = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor {0}\ncommitter {0}\n\npacha registry\n"
TREE_NAMES = {
    ".gitattributes": "%2Egitattributes",
    "文件 100%.txt": "文件 100%25.txt",
    "git~1:run.sh": "git%7E1%3Arun.sh",
}


@pytest.fixture
def hand(registry_path: Path) -> Hand:
    """A repository with the root commit, and the empty tree under it."""
    hand = Hand(registry_path)
    hand.tree({})
    hand.refs["refs/pacha/root"] = hand.write("commit", ROOT.format("pacha <pacha@invalid> 0 +0000").encode())
    return hand


def write_tree(hand: Hand, entries: dict[str, Any]) -> str:
    """Write a tree of blobs (mode and bytes) and of further trees (dicts)."""
    written = {}
    for name, entry in entries.items():
        tree = isinstance(entry, dict)
        written[name] = ("40000", write_tree(hand, entry)) if tree else (entry[0], hand.write("blob", entry[1]))
    return hand.tree(written)


def payload_entries(folder: Path, files: dict[str, Any]) -> dict[str, Any]:
    """What the tree of a payload has by the text, as nested dicts."""
    tree: dict[str, Any] = {"manifest": ("100644", (folder / "manifest").read_bytes())}
    for path, file in files.items():
        *folders, name = [TREE_NAMES.get(segment, segment) for segment in path.split("/")]
        place = tree.setdefault("blobs" if "whole" in file else "chunked", {})
        for segment in folders:
            place = place.setdefault(segment, {})
        if "whole" in file:
            place[name] = (f"100{file['mode']}", file["whole"].encode())
            continue
        place[name], start = {}, 0
        for group in file["groups"]:
            chunks, at = place[name].setdefault(f"{start:012x}", {}), 0
            for chunk in group:
                chunks[f"{at:012x}"] = ("100644", chunk.encode())
                at += len(chunk.encode())
            start += at
    return tree


def test_golden_records_are_a_sound_registry(hand: Hand) -> None:
    vectors = json.loads((GOLDEN / "records/vectors.json").read_text())
    assert hand.refs["refs/pacha/root"] == vectors["root"]
    for version in vectors["versions"]:
        folder = GOLDEN / "records" / version["folder"]
        files = {name: ("100644", (folder / name).read_bytes()) for name in ["record.json", *version["documents"]]}
        assert write_tree(hand, files) == version["tree"]
        hand.refs[version["ref"]] = hand.write("commit", (folder / "commit").read_bytes())
        assert hand.refs[version["ref"]] == version["commit"]
        if payload := version["payload"]:
            assert write_tree(hand, payload_entries(folder, payload["files"])) == payload["tree"]
            hand.refs[payload["ref"]] = hand.write("commit", (folder / "payload-commit").read_bytes())
            assert hand.refs[payload["ref"]] == payload["commit"]
    hand.finish()
    found = reader.check(str(hand.path))
    assert found["problems"] == []
    assert (len(found["versions"]), len(found["payloads"]), found["thin"]) == (5, 4, [])


@pytest.mark.damaged  # their lines speak of commits that no registry has; some are void on purpose
@pytest.mark.parametrize("case", sorted(path.parent.name for path in GOLDEN.glob("events/*/expected.json")))
def test_golden_events_fold_to_what_they_say(hand: Hand, case: str) -> None:
    folder = GOLDEN / "events" / case
    expected = json.loads((folder / "expected.json").read_text())
    notes = {note.name: note.read_bytes() for note in sorted((folder / "notes").iterdir())}
    trees = {oid[:2]: {other[2:]: ("100644", notes[other]) for other in notes if other[:2] == oid[:2]} for oid in notes}
    commit = f"tree {write_tree(hand, trees)}\nauthor A <a> 0 +0000\ncommitter A <a> 0 +0000\n\nevents\n"
    hand.refs[expected["ref"]] = hand.write("commit", commit.encode())
    hand.finish()
    found = reader.check(str(hand.path))
    name = expected["ref"].split("/", 3)[3].rpartition("/")[0].replace("models/", "model:", 1)
    versions = versions_of(notes)
    assert found["stages"] == {f"{name}@{versions[oid]}": stage for oid, stage in expected.get("stages", {}).items()}
    assert found["aliases"] == {f"{name}@{word}": versions[oid] for word, oid in expected.get("aliases", {}).items()}
    lines = {blake3(line).hexdigest(): line for note in notes.values() for line in note.splitlines()}
    known = [row for row in expected.get("history", []) if re.search(rb'"type":"(stage|alias)"', lines[row["line"]])]
    refused = [row for row in known if row["status"] in ("void", "illegal")]
    refused += [row for row in expected.get("void", []) if b'"type":"revoke"' in lines[row["line"]]]
    assert sum("void or illegal" in problem for problem in found["remarks"]) == len(refused)
    assert found["events"] == len(expected.get("history", []))


def versions_of(notes: dict[str, bytes]) -> dict[str, str]:
    """Which version the lines on each commit speak of, by the first that says it of that commit."""
    versions: dict[str, str] = {}
    for oid, note in notes.items():
        for line in note.splitlines():
            try:
                target = json.loads(line.partition(b"\t")[2])["target"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(target, dict) and target.get("commit") == oid:
                versions.setdefault(oid, target["version"])
    return versions


def test_paths_that_a_payload_may_hold() -> None:
    def line(path: str) -> dict[str, Any]:
        return {"path": path, "size": 0, "mode": "644", "blake3": "0" * 64, "stored": "blob"}

    vectors = json.loads((GOLDEN / "paths.json").read_text())
    for path in vectors["held"]:
        reader.content_of([line(path)])
    for path in vectors["refused"]:
        with pytest.raises(AssertionError):
            reader.content_of([line(path)])
