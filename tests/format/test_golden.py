"""The golden records of Format 1, which stock git wrote: what we make from the same values must be the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import blake3
import pytest

from pacha_git.format.commits import SYSTEM_IDENTITY, check_record_commit, payload_commit, record_commit, record_tree
from pacha_git.format.content import make_content
from pacha_git.format.manifest import FileLine, decode_manifest, encode_manifest
from pacha_git.format.paths import tree_path
from pacha_git.format.record import decode_record, encode_record, record_address
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import tree_bytes
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import VersionId, parse_payload_ref, parse_record_ref

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "records"
VECTORS: dict[str, Any] = json.loads((GOLDEN / "vectors.json").read_text("utf-8"))
VERSIONS: list[dict[str, Any]] = VECTORS["versions"]
WITH_PAYLOAD = [version for version in VERSIONS if version["payload"]]
Places: TypeAlias = dict[tuple[bytes, ...], tuple[str, Oid]]
Body: TypeAlias = tuple[str, bytes]
EMPTY_TREE = git_oid("tree", b"")

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version["folder"])
every_payload = pytest.mark.parametrize("version", WITH_PAYLOAD, ids=lambda version: version["folder"])


def stored(version: dict[str, Any], name: str) -> bytes:
    return GOLDEN.joinpath(version["folder"], name).read_bytes()


def documents(version: dict[str, Any]) -> dict[str, bytes]:
    return {name: stored(version, name) for name in version["documents"]}


@every_version
def test_a_record_is_read_and_written_byte_for_byte(version: dict[str, Any]) -> None:
    data = stored(version, "record.json")
    record = decode_record(data)
    assert encode_record(record) == data
    assert record_address(data) == version["record"]
    assert record.id.ref == version["ref"]
    assert record.parents == version["parents"]


@every_version
def test_a_record_commit_is_made_byte_for_byte(version: dict[str, Any]) -> None:
    data, raw = stored(version, "record.json"), stored(version, "commit")
    signature = split_commit(raw).signature
    assert (signature is not None) == version["signed"]
    made = record_commit(decode_record(data), data, documents(version), signature=signature)
    assert made == raw
    assert git_oid("commit", raw) == version["commit"]
    assert git_oid("tree", record_tree(data, documents(version))) == version["tree"]
    assert check_record_commit(raw, data, documents(version)) == decode_record(data)


@every_payload
def test_a_payload_is_described_byte_for_byte(version: dict[str, Any]) -> None:
    data, payload = stored(version, "manifest"), version["payload"]
    lines = decode_manifest(data)
    assert encode_manifest(lines) == data
    assert git_oid("blob", data) == payload["manifest"]
    content = make_content(lines, layout="by-hand", tree=Oid(payload["tree"]), manifest=Oid(payload["manifest"]))
    assert (content.address, content.address_of) == (payload["address"], payload["address_of"])
    recorded = decode_record(stored(version, "record.json")).content
    assert recorded is not None
    assert (content.as_folder() if recorded.is_folder else content) == recorded
    assert recorded.is_folder == (version["folder"] in ("dataset", "model-in-a-folder"))
    raw = payload_commit(Oid(payload["tree"]), Address.parse(payload["address"]))
    assert raw == stored(version, "payload-commit")
    assert git_oid("commit", raw) == payload["commit"]


def objects_of(payload: dict[str, Any]) -> tuple[list[FileLine], Places, list[Body]]:
    """The manifest lines of a payload, what hangs where in its tree, and its blobs and group trees."""
    lines: list[FileLine] = []
    places: Places = {}
    bodies: list[Body] = []
    for path, file in payload["files"].items():
        groups = [[chunk.encode() for chunk in group] for group in file.get("groups", [[file.get("whole", "")]])]
        bodies += [("blob", chunk) for group in groups for chunk in group]
        whole = b"".join(b"".join(group) for group in groups)
        parts: list[tuple[Oid, int]] = []
        if "whole" in file:
            parts.append((git_oid("blob", whole), len(whole)))
            places[(b"blobs", *tree_path(path))] = (f"100{file['mode']}", parts[0][0])
        for group in groups if "groups" in file else ():
            bodies.append(("tree", group_tree(group)))
            offset = sum(size for _, size in parts)
            parts.append((git_oid(*bodies[-1]), len(b"".join(group))))
            places[(b"chunked", *tree_path(path), b"%012x" % offset)] = ("40000", parts[-1][0])
        stored_as, digest = ("blob" if "whole" in file else "chunked"), blake3.blake3(whole).hexdigest()
        lines.append(FileLine(path, len(whole), file["mode"], digest, stored_as, tuple(parts)))
    return lines, places, bodies


def group_tree(chunks: list[bytes]) -> bytes:
    offset, entries = 0, []
    for chunk in chunks:
        entries.append(("100644", b"%012x" % offset, git_oid("blob", chunk)))
        offset += len(chunk)
    return tree_bytes(entries)


def trees(places: Places) -> Iterator[bytes]:
    """The bodies of all trees above these places, the uppermost last."""
    entries: list[tuple[str, bytes, Oid]] = []
    folders: dict[bytes, Places] = {}
    for (first, *rest), found in places.items():
        if rest:
            folders.setdefault(first, {})[tuple(rest)] = found
        else:
            entries.append((found[0], first, found[1]))
    for name, below in folders.items():
        body = b""
        for body in trees(below):
            yield body
        entries.append(("40000", name, git_oid("tree", body)))
    yield tree_bytes(entries)


@every_payload
def test_the_tree_of_a_payload_follows_from_its_files(version: dict[str, Any]) -> None:
    payload = version["payload"]
    lines, places, _ = objects_of(payload)
    assert encode_manifest(lines) == stored(version, "manifest")
    places[(b"manifest",)] = ("100644", Oid(payload["manifest"]))
    *_, top = trees(places)
    assert git_oid("tree", top) == payload["tree"]


def test_the_golden_registry_is_sound_to_git_and_to_the_independent_reader(tmp_path: Path) -> None:
    registry = tmp_path / "golden.git"

    def git(*arguments: str, stdin: bytes = b"") -> str:
        command = ["git", f"--git-dir={registry}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode().strip()

    git("init", "-q", "--bare")
    raw = commit_bytes(tree=EMPTY_TREE, parents=(), identity=SYSTEM_IDENTITY, seconds=0, message="pacha registry\n")
    bodies: list[Body] = [("tree", b""), ("commit", raw)]
    refs = {"refs/pacha/root": VECTORS["root"]}
    for version in VERSIONS:
        data, beside = stored(version, "record.json"), documents(version)
        bodies += [("blob", body) for body in (data, *beside.values())]
        bodies += [("tree", record_tree(data, beside)), ("commit", stored(version, "commit"))]
        refs[version["ref"]] = version["commit"]
        if payload := version["payload"]:
            _, places, below = objects_of(payload)
            places[(b"manifest",)] = ("100644", Oid(payload["manifest"]))
            bodies += [*below, ("blob", stored(version, "manifest")), *(("tree", tree) for tree in trees(places))]
            bodies.append(("commit", stored(version, "payload-commit")))
            refs[payload["ref"]] = payload["commit"]
    for kind, body in bodies:
        git("hash-object", "-t", kind, "-w", "--stdin", stdin=body)
    git("update-ref", "--stdin", stdin="".join(f"create {ref} {oid}\n" for ref, oid in refs.items()).encode())
    git("fsck", "--strict", "--no-dangling")
    signers = f"gpg.ssh.allowedSignersFile={GOLDEN / 'allowed_signers'}"
    for version in VERSIONS:
        if version["signed"]:
            git("-c", signers, "verify-commit", version["commit"])
    reader = REPOSITORY / "tests" / "contract" / "reader.py"
    run = subprocess.run([sys.executable, str(reader), str(registry)], capture_output=True, check=True)
    told = json.loads(run.stdout)
    names = {ref: parse_record_ref(ref) or parse_payload_ref(ref) for ref in refs}
    spelt = {ref: f"{name.kind.value}:{name.spec}" for ref, name in names.items() if isinstance(name, VersionId)}
    assert told["versions"] == sorted(spelt[version["ref"]] for version in VERSIONS)
    assert told["payloads"] == sorted(spelt[version["payload"]["ref"]] for version in WITH_PAYLOAD)
    assert told["problems"] == told["thin"] == []
