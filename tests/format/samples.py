"""Values that several tests of the schema start from."""

from __future__ import annotations

from typing import Any

import blake3

from pacha_git.format.content import Content, make_content
from pacha_git.format.manifest import FileLine
from pacha_git.format.record import Record, make_record
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.address import Address

IDENTITY = "Ada Lovelace <ada@example.org>"
TREE = Oid("1" * 40)
MANIFEST = Oid("2" * 40)
RUN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def line(path: str, body: bytes = b"hello\n", *, mode: str = "644") -> FileLine:
    """A file of these bytes, stored whole."""
    digest = blake3.blake3(body).hexdigest()
    return FileLine(path, len(body), mode, digest, "blob", ((Oid("b" * 40), len(body)),))


def content(*lines: FileLine) -> Content:
    """The content with these files, or with one."""
    return make_content(lines or [line("model.bin")], layout="pacha-cdc-1", tree=TREE, manifest=MANIFEST)


def target(name: str = "base", version: str = "1.0.0", *, kind: str = "model", digit: str = "3") -> dict[str, Any]:
    """A target as JSON, its hashes made of one digit."""
    return {
        "kind": kind,
        "name": name,
        "version": version,
        "record": Address.PREFIX + digit * 64,
        "commit": digit * 40,
    }


def edge(relation: str = "derived-from", **of_target: Any) -> dict[str, Any]:
    """An edge as JSON."""
    return {"relation": relation, "target": target(**of_target), "params": {}}


def values(kind: str = "model", **changed: Any) -> dict[str, Any]:
    """What ``make_record`` takes for a small record of this kind."""
    return {
        "kind": kind,
        "name": "x",
        "version": "1.0.0",
        "created_at": "2024-05-06T07:08:09Z",
        "created_by": IDENTITY,
        "content": None if kind == "recipe" else content(),
        **changed,
    }


def record(kind: str = "model", **changed: Any) -> Record:
    """A small record of this kind."""
    return make_record(values(kind, **changed))
