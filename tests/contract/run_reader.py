"""Reads and checks the runs of a registry, as ``reader`` does its versions; it too refuses to know the package.

It knows docs/format.md, section 12: chains of commits, ``run.json``, ``params.toml``, payloads, series.
"""
# ruff: noqa: PT018 — one assertion per rule of the text

import json
import re
import sys
import tomllib
import zlib
from array import array
from datetime import datetime
from itertools import accumulate, pairwise
from subprocess import check_output
from typing import Any

from blake3 import blake3

from tests.contract.reader import ADDRESS, IDENTITY, OID, SEAL, TIME, UUID7, Reader, content_of, decode, shaped

ENDED = "completed|failed|cancelled"
NUMBERS = ("NaN", "Infinity", "-Infinity")
PATHS = r"metrics\.series|code\.diff|artifacts/.+"


def column(data: bytes, kind: str, count: int) -> Any:
    """One column of a series (12.4)."""
    plain = zlib.decompress(data)
    assert len(plain) == 8 * count, "a column of another length"
    numbers = array(kind, bytes(plain[place * count + at] for at in range(count) for place in range(8)))
    return numbers if kind == "d" else list(accumulate(numbers))


def series(data: bytes) -> dict[str, list[tuple[int, int, float]]]:
    """The points of each metric: step, milliseconds, value."""
    magic, header, body = data.split(b"\n", 2)
    head = decode(header, len(header))
    names, counts = zip(*head["metrics"], strict=True)
    columns, sizes = zip(*head["columns"], strict=True)
    assert magic == b"pacha series 1" and columns == ("steps", "times", "values") and sum(sizes) == len(body), "series"
    assert [*names] == sorted({*names}) and min(counts) > 0, "metrics not sorted, or without points"
    ends = [0, *accumulate(sizes)]
    parts = [body[start:end] for start, end in pairwise(ends)]
    rows = [*zip(*(column(part, kind, sum(counts)) for part, kind in zip(parts, "qqd", strict=True)), strict=True)]
    starts = [0, *accumulate(counts)]
    return {name: rows[start : start + count] for name, start, count in zip(names, starts, counts, strict=False)}


def summary(points: list[tuple[int, int, float]]) -> dict[str, Any]:
    """What ``run.json`` must say of a metric (12.2)."""
    top = max(step for step, _, _ in points)
    real = [value for _, _, value in points if value == value] or [float("nan")]
    found = {"last": [value for step, _, value in points if step == top][-1], "min": min(real), "max": max(real)}
    words = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
    return {key: words.get(x, x) if x == x else "NaN" for key, x in found.items()} | {"steps": len(points)}


class RunReader(Reader):
    """The runs of one registry."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        command = [*self.git, "for-each-ref", "--format=%(refname) %(objectname)", "refs/pacha"]
        self.refs = dict(line.split() for line in check_output(command, text=True).splitlines())
        self.runs: dict[str, Any] = {}
        self.commits: dict[str, tuple[str, str]] = {}

    def run(self, oid: str, id: str) -> None:
        """Sections 12.1 and 12.2: the chain of a run, from its newest commit back to its first."""
        newer: Any = None
        while oid:
            commit, files = self.read(oid, "commit").decode(), self.files(oid, "run.json", "params.toml")
            data, params = files["run.json"], files["params.toml"]
            run, address = decode(data), f"blake3:{blake3(data).hexdigest()}"
            self.shape(run, id, params)
            parents = re.findall("^parent (.*)", commit, re.MULTILINE)
            when = f"{run['by']} {datetime.fromisoformat(run['at']).timestamp():.0f} +0000"
            lines = [commit[:45], *(f"parent {oid}" for oid in parents), f"author {when}", f"committer {when}"]
            words = f"Pacha-Kind: run\nPacha-Run: {id}\nPacha-Status: {run['status']}\nPacha-Record: {address}\n"
            made = re.escape("\n".join(lines)) + SEAL + re.escape(f"\n\nrun {id}\n\n{words}")
            assert re.fullmatch(made, commit), "the commit is not the one that its run.json makes"
            ended = re.fullmatch(ENDED, run["status"]) is not None
            assert ended == bool(run["finished_at"]) >= bool(run["content"]), "it ended by half"
            began = run["started_at"], run["inputs"]
            assert newer is None or not ended, "it goes on after its end"
            assert newer in (None, began), "it began otherwise"
            newer, self.commits[oid] = began, (id, address)
            self.runs.setdefault(id, run)
            first = parents == [*dict.fromkeys(edge["target"]["commit"] for edge in run["inputs"])]
            assert len(parents) == 1 or (first and len(parents) <= 1000), "neither first nor after another"
            oid = "" if first else parents[0]

    def shape(self, run: Any, id: str, params: bytes) -> None:
        shaped(run, kind="run", id=id, status=f"pending|running|{ENDED}", at=TIME, by=IDENTITY, started_at=TIME)
        shaped(run, tags=dict, inputs=list, metrics=dict, environment=dict, hardware=dict)
        assert run["format"] == 1 and {"git", "seed", "error"} <= run.keys(), "another format, or a key is missing"
        assert run["params"] == f"blake3:{blake3(params).hexdigest()}" and len(params) <= 1 << 20, "other params.toml"
        tomllib.loads(params.decode())
        for metric in run["metrics"].values():
            said = [metric[key] for key in ("last", "min", "max")]
            assert all(type(x) in (int, float) or x in NUMBERS for x in said) and metric["steps"] > 0, "bad summary"
        if run["content"]:
            shaped(run["content"], address=ADDRESS, size=int, file_count=int, layout=str, tree=OID, manifest=OID)
            listed = content_of(run["content"]["files"]) if "files" in run["content"] else {}
            assert run["content"] | listed == run["content"], "files that are not the content"

    def target(self, target: Any) -> None:
        """An edge's target is here as the edge says (17, 4)."""
        if target["kind"] == "run":
            assert self.commits.get(target["commit"]) == (target["name"], target["record"]), "another run, or none"
            return
        ref = f"refs/pacha/{target['kind']}s/{target['name']}/{target['version']}"
        assert self.refs.get(ref) == target["commit"], f"{ref} is elsewhere"
        data = self.files(target["commit"], "record.json", self.document(target["kind"]))["record.json"]
        assert target["record"] == f"blake3:{blake3(data).hexdigest()}", f"{ref} has another record"

    def document(self, kind: str) -> str:
        return {"model": "card.md", "dataset": "datasheet.md", "recipe": "recipe.toml"}[kind]

    def points(self, oid: str, id: str) -> None:
        """The payload of a sealed run (12.3), and that its summaries are those of its points."""
        content = self.runs[id]["content"] if id in self.runs else None
        if not content:
            return
        tree = self.tree(self.read(oid, "commit")[5:45].decode())
        assert self.read(oid, "commit")[5:45].decode() == content["tree"], "another tree than run.json says"
        lines = [decode(line, len(line)) for line in self.read(tree["manifest"][1], "blob").splitlines()]
        assert content | content_of(lines) == content, "not the content that its run.json promised"
        for line in lines:
            assert re.fullmatch(PATHS, line["path"]) and [*self.file(line)], f"no path of a run: {line['path']}"
        if "metrics.series" in [line["path"] for line in lines]:
            chunks = [path for path in sorted(tree) if path.startswith("chunked/metrics.series/") and len(path) == 48]
            data = b"".join(self.read(tree[path][1], "blob") for path in chunks or ["blobs/metrics.series"])
            found = {name: summary(rows) for name, rows in series(data).items()}
            told = self.runs[id]["metrics"]
            assert "metrics_left_out" in self.runs[id] or told.keys() == found.keys(), "other metrics than points"
            assert all(found[name] == told[name] for name in told), "a summary is not that of its points"

    def check(self) -> dict[str, Any]:
        """Everything of runs; what is wrong with one ref keeps no other from being read."""
        for root, step in (("refs/pacha/runs/", self.run), ("refs/pacha/payload/runs/", self.points)):
            for ref, oid in self.refs.items():
                if ref.startswith(root):
                    try:
                        assert re.fullmatch(root + UUID7, ref), "no ref of the format"
                        step(oid, ref[len(root) :])
                    except Exception as error:
                        self.problems.append(f"{ref}: {error!r}")
        edges = [(f"run {id}", edge) for id, run in self.runs.items() for edge in run["inputs"]]
        for ref, oid in self.refs.items():
            if re.match("refs/pacha/(model|dataset)s/", ref):
                entries = self.tree(self.read(oid, "commit")[5:45].decode())
                record = json.loads(self.read(entries["record.json"][1], "blob"))
                edges += [(ref, edge) for edge in record["lineage"] if edge["target"]["kind"] == "run"]
        for what, edge in edges:
            try:
                self.target(edge["target"])
            except Exception as error:
                self.problems.append(f"{what}: {error!r}")
        return {"runs": {id: run["status"] for id, run in self.runs.items()}, "problems": self.problems}


def check(path: str) -> dict[str, Any]:
    """The runs that a registry holds, and every problem that they have with Format 1."""
    reader = RunReader(path)
    with reader.batch:
        return reader.check()


if __name__ == "__main__":
    print(json.dumps(summary_of := check(sys.argv[1]), indent=2))
    sys.exit(bool(summary_of["problems"]))
