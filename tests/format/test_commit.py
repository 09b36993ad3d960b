from __future__ import annotations

import os
import subprocess
from pathlib import Path

import blake3
import pytest

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format import canonical
from pacha_git.format.commits import (
    STORED_DOCUMENT_LIMIT,
    check_record_commit,
    payload_commit,
    record_commit,
    record_message,
    record_tree,
)
from pacha_git.format.grammar import timestamp
from pacha_git.format.paths import encode_tree_name
from pacha_git.format.record import Record, decode_record, encode_record
from pacha_git.gitobjects.commits import commit_bytes, split_commit
from pacha_git.gitobjects.oid import Oid, git_oid
from pacha_git.gitobjects.trees import tree_bytes
from pacha_git.vocabulary.address import Address
from tests.format.samples import IDENTITY, RUN_ID, content, edge, line, record, target

CARD = {"card.md": b"# x\n"}
SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\nAAAA\n-----END SSH SIGNATURE-----\n"
EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")


def git(repository: Path, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
    run = subprocess.run(
        ["git", *arguments],
        cwd=repository,
        input=stdin,
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    return run.stdout.decode().rstrip("\n")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", ".")
    return tmp_path


def write(repository: Path, kind: str, body: bytes) -> Oid:
    """Have stock git check and store an object."""
    return Oid(git(repository, "hash-object", "-t", kind, "-w", "--stdin", stdin=body))


def full_record() -> Record:
    run = {**target(digit="6"), "kind": "run", "name": RUN_ID, "version": None}
    return record(
        name="team/x",
        version="2.0.0-rc.1",
        description="\n\nFirst line\n\nSecond — ünïcode\n---\nPacha-Kind: dataset\n\n",
        lineage=[
            edge("fine-tuned-from"),
            edge("trained-on", kind="dataset", name="y", digit="4"),
            edge("evaluated-on", kind="dataset", name="y", digit="4"),
            {"relation": "generated-by", "target": run, "params": {}},
        ],
    )


def test_the_message_is_subject_description_and_trailers() -> None:
    address, card = (Address(Address.PREFIX + digit * 64) for digit in "ac")
    assert record_message(full_record(), address, {"card.md": card}) == (
        "model team/x 2.0.0-rc.1\n"
        "\n"
        "First line\n\nSecond — ünïcode\n---\nPacha-Kind: dataset\n"
        "\n"
        "Pacha-Kind: model\n"
        "Pacha-Name: team/x\n"
        "Pacha-Version: 2.0.0-rc.1\n"
        f"Pacha-Record: blake3:{'a' * 64}\n"
        f"Pacha-Document: card.md blake3:{'c' * 64}\n"
        "Pacha-Lineage: fine-tuned-from model base 1.0.0\n"
        "Pacha-Lineage: trained-on dataset y 1.0.0\n"
        "Pacha-Lineage: evaluated-on dataset y 1.0.0\n"
        f"Pacha-Lineage: generated-by run {RUN_ID}\n"
    )


@pytest.mark.parametrize("description", ["", "\n", "\n\n\n"])
def test_an_empty_description_is_left_out(description: str) -> None:
    message = record_message(record(description=description), Address(Address.PREFIX + "a" * 64), {})
    assert message.startswith("model x 1.0.0\n\nPacha-Kind: model\n")


def test_stock_git_writes_the_very_same_commit(repository: Path) -> None:
    one = full_record()
    data = encode_record(one)
    for name, body in {"record.json": data, **CARD}.items():
        (repository / name).write_bytes(body)
    listing = "".join(
        f"100644 blob {git(repository, 'hash-object', '-w', name)}\t{name}\n" for name in ("record.json", "card.md")
    )
    tree = git(repository, "mktree", stdin=listing.encode())
    parents: list[str] = []
    for oid in one.parents:
        parents += ["-p", oid]
        # commit-tree wants its parents to be there.
        fake = repository / "objects" / oid[:2] / oid[2:]
        fake.parent.mkdir(exist_ok=True)
        root = git(repository, "commit-tree", EMPTY_TREE, "-m", "x")
        fake.write_bytes((repository / "objects" / root[:2] / root[2:]).read_bytes())
    documents = {name: Address.of_digest(blake3.blake3(body).digest()) for name, body in CARD.items()}
    message = record_message(one, Address.of_digest(blake3.blake3(data).digest()), documents)
    date = f"{timestamp(one.created_at)} +0000"
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Ada Lovelace"), ("EMAIL", "ada@example.org"), ("DATE", date))
    }
    made = git(repository, "commit-tree", tree, *parents, "-F", "-", stdin=message.encode(), **who)
    assert made == git_oid("commit", record_commit(one, data, CARD))


def test_stock_git_takes_a_signed_commit_and_its_tree(repository: Path) -> None:
    one = record(description="x")
    data = encode_record(one)
    for body in (data, *CARD.values()):
        write(repository, "blob", body)
    assert write(repository, "tree", record_tree(data, CARD)) == git_oid("tree", record_tree(data, CARD))
    raw = record_commit(one, data, CARD, signature=SIGNATURE)
    oid = write(repository, "commit", raw)
    git(repository, "update-ref", "refs/pacha/models/x/1.0.0", oid)
    git(repository, "fsck", "--strict", "--no-dangling")
    assert git(repository, "cat-file", "commit", oid).encode() + b"\n" == raw


def test_tree_names_pass_strict_checks_of_a_server(repository: Path) -> None:
    blob = write(repository, "blob", b"x")
    segments = [
        ".git",
        ".GIT",
        "git~1",
        ".gitmodules",
        "gi\u200ct",
        ".g\u200dit",
        "GITMOD~1",
        ".gitattributes",
        "a:b",
        "a\\.git",
    ]
    body = tree_bytes((0o100644, encode_tree_name(segment), blob) for segment in segments)
    tree = write(repository, "tree", body)
    commit = write(repository, "commit", payload_commit(tree, Address(Address.PREFIX + "a" * 64)))
    git(repository, "update-ref", "refs/pacha/payload/models/x/1.0.0", commit)
    git(repository, "fsck", "--strict", "--no-dangling")


def test_trees_are_sorted_as_git_sorts_them(repository: Path) -> None:
    blob = write(repository, "blob", b"x")
    below = write(repository, "tree", tree_bytes([("100644", b"x", blob)]))
    entries: list[tuple[int | str, bytes, Oid]] = [
        ("40000", b"a", below),
        (0o100644, b"a.b", blob),
        ("100755", b"a-b", blob),
        (0o40000, b"a0", below),
        ("040000", b"Z", below),
        ("100644", "é".encode(), blob),
    ]
    body = tree_bytes(entries)
    tree = write(repository, "tree", body)
    git(repository, "update-ref", "refs/heads/x", write(repository, "commit", payload_commit(tree, Address("x"))))
    git(repository, "fsck", "--strict", "--no-dangling")
    names = git(repository, "ls-tree", "--name-only", "-z", tree).split("\0")
    assert names[:-1] == ["Z", "a-b", "a.b", "a", "a0", "é"]
    assert tree_bytes(reversed(entries)) == body
    assert git_oid("tree", tree_bytes([])) == EMPTY_TREE


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_a_name_no_tree_can_hold_is_refused(name: bytes) -> None:
    with pytest.raises(InvalidInput):
        tree_bytes([("100644", name, EMPTY_TREE)])


def test_a_name_twice_in_a_tree_is_refused() -> None:
    with pytest.raises(InvalidInput):
        tree_bytes([("100644", b"a", EMPTY_TREE), ("40000", b"a", EMPTY_TREE)])


def test_the_root_commit_is_the_one_of_the_format() -> None:
    raw = commit_bytes(
        tree=EMPTY_TREE, parents=(), identity="pacha <pacha@invalid>", seconds=0, message="pacha registry\n"
    )
    assert git_oid("commit", raw) == "7ff3960e1416db9c357e3d60610358e4e68c69be"


@pytest.mark.parametrize("signature", [None, SIGNATURE, "one line\n", "a\n\nb\n"])
def test_a_commit_is_taken_apart_and_put_together(signature: str | None) -> None:
    parents = (Oid("3" * 40), Oid("4" * 40))
    common = {"tree": EMPTY_TREE, "parents": parents, "identity": IDENTITY, "seconds": 7, "message": "é\n\ngpgsig x\n"}
    raw = commit_bytes(**common, signature=signature)  # type: ignore[arg-type]
    parsed = split_commit(raw)
    assert (parsed.tree, parsed.parents, parsed.message) == (EMPTY_TREE, parents, "é\n\ngpgsig x\n")
    assert parsed.author == parsed.committer == f"{IDENTITY} 7 +0000"
    assert parsed.signature == signature
    assert parsed.unsigned == commit_bytes(**common)  # type: ignore[arg-type]


HEAD = b"tree %b\n" % EMPTY_TREE.encode()
WHO = b"author A <a> 0 +0000\ncommitter A <a> 0 +0000\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\nmessage",
        HEAD,
        HEAD + b"\nm",
        HEAD + WHO,
        WHO + b"\nm",
        HEAD + HEAD + WHO + b"\nm",
        b"parent 3333333333333333333333333333333333333333\n" + HEAD + WHO + b"\nm",
        HEAD + WHO + b"encoding latin-1\n\nm",
        HEAD + WHO + b"mergetag object x\n\nm",
        HEAD + WHO + b"gpgsig a\n\tb\n\nm",
        HEAD + WHO + b"gpgsig a\ngpgsig b\n\nm",
        HEAD + WHO + b"gpgsig-sha256 a\n\nm",
        HEAD + WHO + b"gpgsig\n\nm",
        HEAD + b"gpgsig a\n" + WHO + b"\nm",
        HEAD + b"author A <a> 0 +0000\n\nm",
        HEAD + b"committer A <a> 0 +0000\nauthor A <a> 0 +0000\n\nm",
        HEAD + b"author A\0 <a> 0 +0000\n\nm",
        HEAD.upper() + WHO + b"\nm",
        b"tree abc\n" + WHO + b"\nm",
        HEAD + b"parent " + b"Z" * 40 + b"\n" + WHO + b"\nm",
        HEAD + WHO + b"\n\xff",
        HEAD + WHO.replace(b"A", b"\xff") + b"\nm",
        HEAD + WHO + b"gpgsig \xff\n\nm",
    ],
)
def test_headers_other_than_the_allowed_are_refused(raw: bytes) -> None:
    with pytest.raises(Corrupt):
        split_commit(raw)


@pytest.mark.parametrize(
    ("one", "documents"),
    [
        (full_record(), CARD),
        (full_record(), {}),
        (record("dataset", purpose="x"), {"datasheet.md": b""}),
        (record("recipe", lineage=[edge("trained-on", kind="dataset")]), {"recipe.toml": b"name = 'x'\n"}),
        (record(content=content(line("a"), line("b", mode="755")), future=[1.5]), {}),
    ],
)
@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_an_honest_commit_passes(one: Record, documents: dict[str, bytes], signature: str | None) -> None:
    data = encode_record(one)
    raw = record_commit(one, data, documents, signature=signature)
    assert check_record_commit(raw, data, documents) == one


def test_a_commit_of_other_documents_is_refused() -> None:
    one = record()
    data = encode_record(one)
    with pytest.raises(Corrupt, match="another tree"):
        check_record_commit(record_commit(one, data, CARD), data, {})
    with pytest.raises(Corrupt, match="another tree"):
        check_record_commit(record_commit(one, data, CARD), data, {"card.md": b"# y\n"})
    for name in ("readme.md", "datasheet.md", "record.json", "../x"):
        with pytest.raises(Corrupt, match="can't lie beside"):
            check_record_commit(record_commit(one, data, CARD), data, {**CARD, name: b""})
    big = {"card.md": b"x" * (STORED_DOCUMENT_LIMIT + 1)}
    with pytest.raises(InvalidInput, match="larger than 1048576"):
        record_commit(one, data, big)
    with pytest.raises(Corrupt, match="larger than 1048576"):
        check_record_commit(record_commit(one, data, CARD), data, big)


def test_a_recipe_without_its_toml_is_refused() -> None:
    one = record("recipe")
    data = encode_record(one)
    with pytest.raises(Corrupt, match=r"no recipe\.toml"):
        check_record_commit(record_commit(one, data, {}), data, {})


def forged(one: Record, **changed: object) -> bytes:
    """The commit of a record with some part of it replaced."""
    parsed = split_commit(record_commit(one, encode_record(one), {}))
    parts = {
        "tree": parsed.tree,
        "parents": parsed.parents,
        "identity": one.created_by,
        "seconds": timestamp(one.created_at),
        "message": parsed.message,
        **changed,
    }
    return commit_bytes(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"tree": EMPTY_TREE}, "tree"),
        ({"parents": ()}, "parents"),
        ({"parents": (Oid("4" * 40), Oid("3" * 40), Oid("6" * 40))}, "parents"),
        ({"parents": (Oid("3" * 40), Oid("4" * 40), Oid("6" * 40), Oid("7" * 40))}, "parents"),
        ({"identity": "Eve <eve@example.org>"}, "author"),
        ({"seconds": 0}, "author"),
        ({"message": "model x 1.0.0\n"}, "message"),
    ],
)
def test_a_commit_that_says_other_than_its_record_is_refused(changed: dict[str, object], what: str) -> None:
    one = full_record()
    assert forged(one) == record_commit(one, encode_record(one), {})
    with pytest.raises(Corrupt, match=f"another {what}"):
        check_record_commit(forged(one, **changed), encode_record(one), {})


def test_a_committer_of_its_own_or_odd_folding_is_refused() -> None:
    one = record()
    data = encode_record(one)
    raw = record_commit(one, data, {}, signature=SIGNATURE)
    for before, after, what in (
        (b"committer Ada", b"committer Eve", "committer"),
        (b"+0000\ncommitter", b"+0100\ncommitter", "author"),
        (b"\n -----END SSH SIGNATURE-----", b"\n -----END SSH SIGNATURE-----\n ", "signature"),
    ):
        changed = raw.replace(before, after)
        assert changed != raw
        with pytest.raises(Corrupt, match=what):
            check_record_commit(changed, data, {})


@pytest.mark.parametrize(
    "signature",
    [
        "x\n",
        "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n",
        SIGNATURE.replace("AAAA\n", "AAAA\n\n"),
        SIGNATURE.replace("AAAA", "A A"),
        SIGNATURE + "x\n",
    ],
)
def test_a_signature_that_is_no_ssh_signature_is_refused(signature: str) -> None:
    one = record()
    data = encode_record(one)
    with pytest.raises(Corrupt, match="no armored SSH signature"):
        check_record_commit(record_commit(one, data, {}, signature=signature), data, {})


def test_a_list_of_files_that_is_not_that_of_the_address_is_refused() -> None:
    value = canonical.decode(encode_record(record()), limit=10_000)
    value["content"]["files"][0]["size"] += 1
    data = canonical.encode(value)
    one = decode_record(data)
    with pytest.raises(Corrupt):
        check_record_commit(record_commit(one, data, {}), data, {})


def test_a_newer_record_is_no_corrupt_one() -> None:
    data = canonical.encode({"format": 2})
    with pytest.raises(PachaError, match="newer") as caught:
        check_record_commit(record_commit(record(), data, {}), data, {})
    assert caught.value.exit_code == 1


def test_a_payload_commit_depends_on_tree_and_address_alone() -> None:
    address = Address(Address.PREFIX + "a" * 64)
    assert (
        payload_commit(EMPTY_TREE, address)
        == (
            f"tree {EMPTY_TREE}\n"
            "author pacha <pacha@invalid> 0 +0000\n"
            "committer pacha <pacha@invalid> 0 +0000\n"
            "\n"
            f"{address}\n"
        ).encode()
    )
