from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pacha_git.errors import Corrupt, InvalidInput, PachaError
from pacha_git.format.canonical import encode
from pacha_git.format.commits import check_record_commit, record_commit
from pacha_git.format.content import make_content
from pacha_git.format.grammar import time_text
from pacha_git.format.kinds import KINDS
from pacha_git.format.manifest import FileLine, content_address, decode_manifest, encode_manifest, list_address
from pacha_git.format.paths import check_paths, decode_tree_name, encode_tree_name
from pacha_git.format.record import Record, decode_record, encode_record, make_record
from pacha_git.gitobjects.commits import split_commit
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.address import Address
from tests.properties.test_canonical import TEXTS, VALUES
from tests.properties.test_names import KINDS as SOME_KIND
from tests.properties.test_names import NAMES, VERSIONS

SEGMENTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=8
).filter(lambda segment: segment not in (".", ".."))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
OIDS = st.binary(min_size=20, max_size=20).map(Oid.of_raw)
ADDRESSES = st.binary(min_size=32, max_size=32).map(Address.of_digest)
SIZES = st.integers(0, 2**40)


@st.composite
def file_lines(draw: st.DrawFn) -> FileLine:
    size, stored = draw(SIZES), draw(st.sampled_from(["blob", "chunked"]))
    parts: tuple[tuple[Oid, int], ...] = ((draw(OIDS), size),)
    if stored == "chunked":
        size = max(size, 2)
        parts = ((draw(OIDS), 1), (draw(OIDS), size - 1))
    return FileLine(draw(PATHS), size, draw(st.sampled_from(["644", "755"])), draw(ADDRESSES).hex, stored, parts)


@st.composite
def payloads(draw: st.DrawFn) -> list[FileLine]:
    lines = draw(st.lists(file_lines(), min_size=1, max_size=5))
    try:
        check_paths(line.path for line in lines)
    except InvalidInput:
        assume(False)
    return lines


IDENTITIES = st.builds(
    lambda name, email: f"{name} <{email}>",
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>"), min_size=1, max_size=8),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<> "), max_size=8),
)
EXTRAS = st.dictionaries(TEXTS.map(lambda key: "x" + key), VALUES, max_size=2)


@st.composite
def targets(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "kind": draw(SOME_KIND).value,
        "name": str(draw(NAMES)),
        "version": str(draw(VERSIONS)),
        "record": str(draw(ADDRESSES)),
        "commit": str(draw(OIDS)),
        **draw(EXTRAS),
    }


@st.composite
def records(draw: st.DrawFn) -> Record:
    kind = draw(SOME_KIND)
    values: dict[str, Any] = {
        "kind": kind.value,
        "name": draw(NAMES),
        "version": str(draw(VERSIONS)),
        "created_at": time_text(draw(st.integers(0, 253402300799))),
        "created_by": draw(IDENTITIES),
        "description": draw(TEXTS),
        "tags": draw(st.dictionaries(TEXTS, TEXTS, max_size=3)),
        "content": None,
        "lineage": [
            {"relation": "derived-from", "target": target, "params": draw(EXTRAS)}
            for target in draw(st.lists(targets(), max_size=3))
        ],
        **draw(EXTRAS),
    }
    if KINDS[kind].has_payload:
        values["content"] = make_content(draw(payloads()), layout=draw(TEXTS), tree=draw(OIDS), manifest=draw(OIDS))
        values["metrics"] = draw(
            st.dictionaries(TEXTS, st.integers(0, 9) | st.floats(0, 1) | st.just("NaN"), max_size=3)
        )
    try:
        return make_record(values)
    except InvalidInput:
        assume(False)
        raise


@st.composite
def commits(draw: st.DrawFn) -> tuple[Record, bytes, bytes, dict[str, bytes]]:
    """A record, its bytes, its commit, its documents."""
    record = draw(records())
    declaration = KINDS[record.id.kind]
    documents = {name: draw(st.binary(max_size=20)) for name in declaration.documents}
    data = encode_record(record)
    return record, data, record_commit(record, data, documents), documents


@given(records())
def test_a_record_is_read_back_from_its_bytes(record: Record) -> None:
    data = encode_record(record)
    again = decode_record(data)
    assert again == record
    assert encode_record(again) == data


@given(records(), st.integers(0), st.binary(min_size=1, max_size=1))
def test_other_bytes_are_another_record_or_refused(record: Record, at: int, put: bytes) -> None:
    data = encode_record(record)
    at %= len(data)
    assume(data[at : at + 1] != put)
    try:
        other = decode_record(data[:at] + put + data[at + 1 :])
    except PachaError:
        return
    assert other != record


@given(commits())
def test_a_commit_is_what_its_record_spells(made: tuple[Record, bytes, bytes, dict[str, bytes]]) -> None:
    record, data, raw, documents = made
    assert check_record_commit(raw, data, documents) == record
    parsed = split_commit(raw)
    assert list(parsed.parents) == record.parents
    assert parsed.unsigned == raw


@given(commits(), st.sampled_from(["commit", "record", "document"]), st.integers(0), st.binary(min_size=1, max_size=1))
def test_no_byte_of_a_version_can_be_another(
    made: tuple[Record, bytes, bytes, dict[str, bytes]], where: str, at: int, put: bytes
) -> None:
    _, data, raw, documents = made
    parts = {"commit": raw, "record": data, "document": next(iter(documents.values()))}
    whole = parts[where]
    assume(whole)
    at %= len(whole)
    assume(whole[at : at + 1] != put)
    parts[where] = whole[:at] + put + whole[at + 1 :]
    with pytest.raises(PachaError) as caught:
        check_record_commit(parts["commit"], parts["record"], dict.fromkeys(documents, parts["document"]))
    assert isinstance(caught.value, Corrupt) or "newer" in caught.value.message


@given(payloads(), st.randoms(use_true_random=False))
def test_a_manifest_does_not_depend_on_the_order_of_files(lines: list[FileLine], random: Any) -> None:
    data, address = encode_manifest(lines), content_address(lines)
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert encode_manifest(shuffled) == data
    assert content_address(shuffled) == address
    assert encode_manifest(decode_manifest(data)) == data
    assert sorted(decode_manifest(data), key=hash) == sorted(lines, key=hash)


@given(payloads(), payloads())
def test_only_equal_lists_have_an_equal_address(one: list[FileLine], other: list[FileLine]) -> None:
    rows = [sorted((line.path, line.mode, line.size, line.blake3) for line in lines) for lines in (one, other)]
    assert (list_address(one) == list_address(other)) == (rows[0] == rows[1])


@given(SEGMENTS)
def test_a_tree_name_is_read_back_and_harmless(segment: str) -> None:
    name = encode_tree_name(segment)
    assert decode_tree_name(name) == segment
    assert not name.startswith(b".")
    assert not set(name) & set(b"~\\:/\0")


@given(st.binary(min_size=1, max_size=12))
def test_a_tree_name_has_one_spelling(name: bytes) -> None:
    try:
        segment = decode_tree_name(name)
    except Corrupt:
        return
    assert encode_tree_name(segment) == name


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_object_is_a_record_or_refused(value: dict[str, Any]) -> None:
    with pytest.raises(PachaError):
        decode_record(encode(value))
