"""Reads and checks a whole registry, knowing docs/format.md, stock git and BLAKE3; it refuses to know the package."""
# ruff: noqa: PT018 — one assertion per rule of the text

import json
import re
import sys
import tomllib
import unicodedata
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from graphlib import TopologicalSorter
from hashlib import sha1
from subprocess import PIPE, Popen, check_output
from typing import Any

from blake3 import blake3

ROOT, NOBODY, SPEC = "7ff3960e1416db9c357e3d60610358e4e68c69be", "pacha <pacha@invalid> 0 +0000", "{}:{}@{}"
OID, HEX, ADDRESS = r"[0-9a-f]{40}", r"[0-9a-f]{64}", r"blake3:[0-9a-f]{64}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
UUID7 = rf"(?=.{{14}}7.{{4}}[89ab]){UUID}"
INT, PRE = r"(?:0|[1-9][0-9]*)", r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = rf"{INT}\.{INT}\.{INT}(?:-{PRE}(?:\.{PRE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
NOT_SEGMENT = rf"{SEMVER}|(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[^/]*)?|[^/]*\.\.[^/]*|[^/]*\.|[^/]*\.lock"
SEGMENT = rf"(?!(?:{NOT_SEGMENT})(?:/|\Z))[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}"
NAME = rf"(?!(?i:models?|data|datasets?|recipes?|runs?)(?:/|\Z)){SEGMENT}(?:/{SEGMENT}){{0,3}}"
RECORD_REF = rf"refs/pacha/(model|dataset|recipe)s/({NAME})/((?!.{{129}})(?!.*\.lock\Z){SEMVER})"
REFS = {  # the steps of the check, and the refs that each is for
    "settings": "refs/pacha/registry",
    **dict.fromkeys(("record", "lineage"), RECORD_REF),
    "payload": RECORD_REF.replace("(model|dataset|recipe)", "payload/(model|dataset)"),
    "notes": rf"refs/notes/pacha/(model|dataset|recipe)s/({NAME})/_(events|attestations)",
    "other": rf"refs/pacha/(?:root|tmp/[^/]+/[^/]+|(?:payload/)?runs/{UUID7})",
}
ALIAS = r"(?!(?:dev|development|stage|staging|prod|production|archived?|latest|blake3)\Z)[a-z][a-z0-9._-]{0,63}"
TIME = r"(?:19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
IDENTITY, PLACE = r"[^<>\x00-\x1f]+ <[^<>\x00-\x20]*>", r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f-\x9f]+"
PATH = rf"(?=.{{1,4096}}\Z){PLACE}(?:/{PLACE})*"
ENCODED = re.compile(r"(?:^|(?<=/))\.|[~\\:%\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
UNSEEN = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
DOT_GIT = re.compile(r"(?ia)(?:^|[/\\])(?:\.git[. ]*(?::[^/\\]*)?|git~1[. ]*(?:::[^/\\]*)?)(?:\Z|[/\\])")
SEAL = "(?:\ngpgsig -----BEGIN SSH SIGNATURE-----\n(?: [A-Za-z0-9+/=]+\n)+ -----END SSH SIGNATURE-----)?"
DOCUMENTS = {"model": "card.md", "dataset": "datasheet.md", "recipe": "recipe.toml"}
WAYS = {"development": ("staging", "archived"), "staging": ("development", "production", "archived")}
WAYS |= {"production": ("staging", "archived"), "archived": ("development",)}
FIELDS: dict[str, Any] = {"stage": {"from": str, "to": str}, "alias": {"name": ALIAS, "op": "set|unset"}}
FIELDS |= {"revoke": {"of": HEX}}


def shaped(value: Any, **wanted: Any) -> None:
    """An object must have these: a pattern says which strings, anything else is a type."""
    for key, kind in wanted.items():
        found = value[key]
        fits = type(found) is str and re.fullmatch(kind, found) if isinstance(kind, str) else type(found) is kind
        assert fits, f"bad {key!r}: {found!r:.99}"


def encode(value: Any, room: int = 32) -> str:
    """Canonical JSON (section 5)."""
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f") if 1e-6 <= abs(value) < 1e21 else repr(value or 0)
        return text.removesuffix(".0").replace("e-0", "e-")
    if not isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    assert room, "JSON is nested over 32 deep"
    if isinstance(value, list):
        return "[" + ",".join(encode(item, room - 1) for item in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{encode(key)}:{encode(value[key], room - 1)}" for key in keys) + "}"


def decode(data: bytes, limit: int = 1 << 20) -> Any:
    """Parse canonical JSON; what is not (double keys too, and NaN) differs from what is written back."""
    assert len(data) <= limit and not re.search(rb"(?<!\\)(?:\\\\)*\\u0000", data), "JSON too large, or with U+0000"
    value = json.loads(data.decode(), parse_int=lambda text: int(text) if abs(float(text)) < 1 << 53 else float(text))
    assert encode(value).encode() == data, "not canonical JSON"
    return value


def content_of(files: list[Any]) -> dict[str, Any]:
    """What a record says of files (section 5), whose lines must be well formed (7.3, 7.4)."""
    for line in files:
        shaped(line, path=PATH, size=int, mode="644|755", blake3=HEX, stored="blob|chunked")
    paths = [line["path"] for line in files]
    assert not any(DOT_GIT.search(UNSEEN.sub("", path)) for path in paths), "a path with what Git takes for .git"
    assert paths and paths == sorted(paths, key=str.encode), "files are not sorted by path, or there are none"
    folded = [unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()) for path in paths]
    folders = {path[: match.start()] for path in folded for match in re.finditer("/", path)}
    assert len({*folded}) == len(folded) and not folders & {*folded}, "two paths are one after folding"
    material = encode([[line["path"], line["mode"], line["size"], line["blake3"]] for line in files]).encode()
    alone = files[0]["blake3"] if len(files) == 1 and files[0]["mode"] == "644" else ""
    address = "blake3:" + (alone or blake3(material, derive_key_context="pacha 1 file list").hexdigest())
    what = {"address": address, "address_of": "file" if alone else "list", "file_count": len(files)}
    return what | {"size": sum(line["size"] for line in files)}


def fold(nodes: dict[str, Any], kind: str, name: str, remarks: list[str]) -> dict[tuple[str, ...], Any]:
    """The event that sets each register (sections 10, 11); what is void or illegal is worth a remark."""
    past: dict[str, dict[tuple[str, ...], tuple[int, str, str]]] = {}
    parents = {key: {*event["after"]} & {*nodes} for key, (_, event, _) in nodes.items()}
    for key in [*TopologicalSorter(parents).static_order(), "all"]:
        best = past[key] = {}
        for above in parents.get(key, nodes):
            best |= {where: max(best.get(where, top), top) for where, top in past[above].items()}
        id, event, commits = nodes.get(key, ("", {}, ""))
        try:
            shaped(event, id=id, **FIELDS.get(event["type"], {}))
            shaped(event["target"], kind=kind, name=re.escape(name), commit="|".join(commits))
            where = (event["type"], event["name"] if event["type"] == "alias" else event["target"]["commit"])
            depth, _, top = best.get(where, (0, "", ""))
            now = nodes[top][1].get("to") if top else "development"
            assert where[0] != "stage" or (event["from"] == now and event["to"] in WAYS[now]), f"illegal in {now}"
            best[where] = (depth + 1, id, key)
        except Exception as error:
            remarks += [f"void or illegal event {id}: {error}"] * (key != "all")
    return {where: nodes[key][1] for where, (_, _, key) in past["all"].items()}


class Reader:
    """One registry, read through one ``git cat-file --batch``; every object is hashed again."""

    def __init__(self, path: str) -> None:
        self.git = ["git", "--no-replace-objects", f"--git-dir={path}"]
        self.batch: Any = Popen([*self.git, "cat-file", "--batch"], stdin=PIPE, stdout=PIPE)
        self.records: dict[tuple[str, ...], tuple[str, Any, str]] = {}
        self.payloads, self.hashed, self.removed = list[str](), set[str](), set[str]()
        self.problems, self.remarks = list[str](), list[str]()
        self.lines, self.folded = Counter(events=0, attestations=0), defaultdict[str, dict[str, str]](dict)

    def read(self, oid: str, wanted: str) -> bytes:
        assert re.fullmatch(OID, oid), f"no oid: {oid!r:.99}"
        self.batch.stdin.write(f"{oid}\n".encode())
        self.batch.stdin.flush()
        _, kind, *size = self.batch.stdout.readline().decode().split()
        data: bytes = self.batch.stdout.read(int(size[0]) + 1)[:-1] if size else b""
        same = sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest() == oid
        assert same and kind == wanted, f"{oid} is no {wanted}, or is not here, or has other bytes"
        return data

    def tree(self, oid: str, prefix: str = "", stop: Any = ()) -> dict[str, tuple[str, str]]:
        """Mode and oid of everything below a tree, the trees in it too, but for what is below those to stop at."""
        found = {}
        for mode, name, raw in re.findall(rb"([0-7]+) ([^\0]+)\0(.{20})", self.read(oid, "tree"), re.DOTALL):
            path = prefix + name.decode()
            found[path] = (mode.decode(), raw.hex())
            found |= self.tree(raw.hex(), path + "/", stop) if mode == b"40000" and path not in stop else {}
        return found

    def files(self, commit: str, needed: str, allowed: str = "") -> dict[str, bytes]:
        """The blobs of a commit's tree, which has the one; if another is allowed, nothing but these two."""
        entries = self.tree(self.read(commit, "commit")[5:45].decode())
        assert {needed} <= {*entries} and (not allowed or {*entries} <= {needed, allowed}), f"its tree has {[*entries]}"
        assert not allowed or {mode for mode, _ in entries.values()} == {"100644"}, "an entry of its tree is not 100644"
        entries = {name: entry for name, entry in entries.items() if entry[0] == "100644"}
        return {name: self.read(oid, "blob") for name, (_, oid) in entries.items()}

    def settings(self, oid: str) -> None:
        settings = tomllib.loads(self.files(oid, "registry.toml")["registry.toml"].decode())
        assert settings["format"] == 1 and re.fullmatch(UUID, settings["registry"]), "another format, or no id"

    def record(self, oid: str, *id: str) -> None:
        """Section 6, all but what other refs say."""
        commit, files = self.read(oid, "commit").decode(), self.files(oid, "record.json", DOCUMENTS[id[0]])
        record = decode(data := files.pop("record.json"))
        shaped(record, created_at=TIME, created_by=IDENTITY, description=str, tags=dict, lineage=list)
        assert [record[key] for key in ("format", "kind", "name", "version")] == [1, *id], "another ref or format"
        measured = {type(x) for x in record.get("metrics", {}).values() if x not in ("NaN", "Infinity", "-Infinity")}
        assert measured <= {int, float} and {*map(type, record["tags"].values())} <= {str}, "bad metrics or tags"
        assert record["content"] or (id[0] == "recipe" and files), "no content, or no recipe.toml"
        if content := record["content"]:
            shaped(content, address=ADDRESS, size=int, file_count=int, layout=str, tree=OID, manifest=OID)
            listed = content_of(content["files"]) if "files" in content else {}
            assert content | listed == content and (not listed or len(data) < 1 << 18), "files that are not the content"
        words = [f"Kind: {id[0]}", f"Name: {id[1]}", f"Version: {id[2]}", f"Record: blake3:{blake3(data).hexdigest()}"]
        words += [f"Document: {file} blake3:{blake3(files[file]).hexdigest()}" for file in sorted(files)]
        parents = dict[str, None]()
        for edge in record["lineage"]:
            shaped(edge, relation="[a-z][a-z0-9-]{0,63}", params=dict)
            shaped(edge["target"], kind="model|dataset|recipe|run", name=str, record=ADDRESS, commit=OID)
            parents[edge["target"]["commit"]] = None
            spec = filter(None, map(edge["target"].get, ("kind", "name", "version")))
            words.append(f"Lineage: {edge['relation']} {' '.join(spec)}")
        assert len(parents) <= 1000, "over 1,000 parents"
        when = f"{record['created_by']} {datetime.fromisoformat(record['created_at']).timestamp():.0f} +0000"
        lines = [commit[:45], *(f"parent {oid}" for oid in parents), f"author {when}", f"committer {when}"]
        text = ["", " ".join(id), record["description"].strip("\n"), "\n".join(f"Pacha-{line}" for line in words)]
        message = "\n\n".join(text[:2] + list(filter(None, text[2:]))) + "\n"
        made = re.escape("\n".join(lines)) + SEAL + re.escape(message)
        assert re.fullmatch(made, commit), "the commit is not the one that its record makes"
        self.records[id] = oid, record, f"blake3:{blake3(data).hexdigest()}"

    def lineage(self, oid: str, *id: str) -> None:
        """What a record says of others: by induction, all that it reaches have their own refs at these commits."""
        for target in [edge["target"] for edge in self.records[id][1]["lineage"]]:
            commit, _, address = self.records.get((target["kind"], target["name"], target["version"]), ("", {}, ""))
            if target["kind"] == "run":
                run = self.files(target["commit"], "run.json", "params.toml")["run.json"]
                commit, address = target["commit"], f"blake3:{blake3(run).hexdigest()}"
            assert (target["commit"], target["record"]) == (commit, address), f"{target['name']} is elsewhere or other"

    def payload(self, oid: str, *id: str) -> None:
        """Section 7, and that it is what the record promised."""
        commit = self.read(oid, "commit").decode()
        manifest = self.tree(commit[5:45])["manifest"][1]
        *data, rest = self.read(manifest, "blob").split(b"\n")
        lines = [decode(line, len(line)) for line in data]
        made = content_of(lines) | {"tree": commit[5:45], "manifest": manifest}
        whole = f"tree {made['tree']}\nauthor {NOBODY}\ncommitter {NOBODY}\n\n{made['address']}\n"
        assert commit == whole and not rest, "the commit is not that of its tree and address, or a last LF is missing"
        told = {"manifest": ("100644", manifest)} | {path: entry for line in lines for path, entry in self.file(line)}
        found = self.tree(commit[5:45], stop=told)
        uppers = {path[: match.start()] for path in told for match in re.finditer("/", path)}
        assert {path: found.pop(path, None) for path in told} == told and {*found} == uppers, "tree and manifest differ"
        content = self.records[id][1]["content"] if id in self.records else made
        made |= {"files": [{key: x[key] for key in x if key != "parts"} for x in lines]} if "files" in content else {}
        assert content | made == content, "not the content that its record promised"
        self.payloads.append(SPEC.format(*id))

    def file(self, line: Any) -> Any:
        """Hash a file's bytes again, unless that was done; the entries that the tree must have for it."""
        told, offset, whole, hasher = dict[str, tuple[str, str]](), 0, line["stored"] == "blob", blake3()
        path = ENCODED.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), line["path"])
        for oid, size in line["parts"]:
            place = f"blobs/{path}" if whole else f"chunked/{path}/{offset:012x}"
            told[place] = (f"100{line['mode']}" if whole else "40000", oid)
            offset += size
        assert offset == line["size"] and 0 < len(told) == len(line["parts"]), f"bad parts of {path}"
        if (known := encode([line["blake3"], line["stored"], line["parts"]])) not in self.hashed:
            for oid, size in line["parts"]:
                offset = 0
                for name, (mode, chunk) in ({"0" * 12: ("100644", oid)} if whole else self.tree(oid)).items():
                    data = self.read(chunk, "blob")
                    assert (name, mode) == (f"{offset:012x}", "100644") and (whole or data), f"bad chunk in {oid}"
                    hasher.update(data)
                    offset += len(data)
                assert offset == size > -whole, f"{oid} has not the size that the manifest says"
            assert hasher.hexdigest() == line["blake3"], f"the bytes of {path} have another hash"
            self.hashed.add(known)
        return told.items()

    def notes(self, oid: str, kind: str, name: str, which: str) -> None:
        """Sections 9 to 11."""
        nodes: dict[str, Any] = {}
        known = {commit: (id, address) for id, (commit, _, address) in self.records.items()}
        tree = self.tree(self.read(oid, "commit")[5:45].decode())
        for path in [path for path in tree if tree[path][0] != "40000"]:
            commit, note = path.replace("/", ""), self.read(tree[path][1], "blob")
            assert tree[path][0] == "100644" and re.fullmatch(OID, commit), f"no note: {path}"
            lines = sorted({*note.split(b"\n")} - {b""})
            self.problems += [f"{path}: lines not sorted"] * (note != b"".join(line + b"\n" for line in lines))
            for line in lines:
                try:
                    assert re.fullmatch(UUID7.encode() + rb"\t.*", line) and len(line) <= 1 << 20, "no id, or too long"
                    event = decode(line[37:])
                    assert all(re.fullmatch(HEX, parent) for parent in event["after"]), "bad 'after'"
                    nodes.setdefault(blake3(line).hexdigest(), (line[:36].decode(), event, set()))[2].add(commit)
                    shaped(event, registry=UUID, at=TIME, by=IDENTITY, reason=str)
                    told = (kind, name, event["target"]["version"]), event["target"]["record"]
                    other = f"{path} {line[:36]!r}: its target has another version or record"
                    self.remarks += [other] * (known.get(commit, told) != told)
                except Exception as error:
                    self.problems.append(f"{path} {line[:36]!r}: {error!r}")
        spelled = Counter(path.replace("/", "") for path in tree if tree[path][0] != "40000")
        self.remarks += [f"{commit}: spelled {count} times" for commit, count in spelled.items() if count > 1]
        back = {event.get("of") for _, event, _ in nodes.values() if event.get("type") == "revoke"}
        for key, (_, event, _) in nodes.items():
            if event.get("type") == "tombstone" and key not in back:  # as far as the lines alone can say
                self.removed.add(SPEC.format(kind, name, event["target"]["version"]))
        for (what, of), event in fold(nodes, kind, name, self.remarks).items():
            spec = SPEC.format(kind, name, of if what == "alias" else event["target"]["version"])
            value = event["to"] if what == "stage" else event["target"]["version"] * (event.get("op") != "unset")
            self.folded[f"{which} {what}"][spec] = value
        self.lines[which] += len(nodes)

    def check(self) -> dict[str, Any]:
        command = [*self.git, "for-each-ref", "--format=%(refname) %(objectname)", "refs/pacha", "refs/notes/pacha"]
        refs = dict(line.split() for line in check_output(command, text=True).splitlines())
        for step, pattern in REFS.items():
            for ref, match in [(ref, match) for ref in refs if (match := re.fullmatch(pattern, ref))]:
                try:
                    getattr(self, step, str)(refs[ref], *match.groups())
                except Exception as error:
                    self.problems.append(f"{ref}: {error!r}")
        self.problems += [f"{ref}: no such ref" for ref in refs if not re.fullmatch("|".join(REFS.values()), ref)]
        self.problems += ["refs/pacha/root: is not the root commit"] * (refs.get("refs/pacha/root") != ROOT)
        twice = Counter(map(str.lower, {ref[: match.end()] for ref in refs for match in re.finditer("/|$", ref)}))
        twice += Counter(SPEC.format(*id).partition("+")[0] for id in self.records)
        self.problems += [f"{one}: stands twice, but for case or build" for one in twice if twice[one] > 1]
        content = {SPEC.format(*id): record["content"] for id, (_, record, _) in self.records.items()}
        removed = sorted(self.removed)
        return {
            "versions": sorted(content),
            "payloads": sorted(self.payloads),
            "thin": sorted({spec for spec in content if content[spec]} - {*self.payloads, *removed}),
            "removed": removed,
            **self.lines,
            "stages": dict.fromkeys(content, "development") | self.folded["events stage"],
            "aliases": {alias: version for alias, version in self.folded["events alias"].items() if version},
            "remarks": self.remarks,
            "problems": self.problems,
        }


def check(path: str) -> dict[str, Any]:
    """What a registry holds, what is worth a remark (section 17, 7), and every problem that it has with Format 1."""
    reader = Reader(path)
    with reader.batch:
        return reader.check()


if __name__ == "__main__":
    print(json.dumps(summary := check(sys.argv[1]), indent=2))
    sys.exit(bool(summary["problems"]))
