from __future__ import annotations

import re
from itertools import pairwise

import pytest
import semver
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pacha_git.errors import InvalidInput
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import (
    NameId,
    VersionId,
    parse_notes_ref,
    parse_payload_ref,
    parse_record_ref,
)
from pacha_git.vocabulary.kinds import KIND_WORDS, VERSIONED_KINDS, Kind
from pacha_git.vocabulary.names import Alias, Name
from pacha_git.vocabulary.specs import ByAddress, Latest, Selector, Spec, parse_selector, parse_spec, selector_text
from pacha_git.vocabulary.stages import STAGE_WORDS, Stage
from pacha_git.vocabulary.versions import Version


def is_name(text: str) -> bool:
    try:
        Name.parse(text)
    except InvalidInput:
        return False
    return True


def is_alias(text: str) -> bool:
    try:
        Alias.parse(text)
    except InvalidInput:
        return False
    return True


SEGMENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join).filter(is_name).map(Name.parse)
IDENTIFIERS = st.from_regex(r"0|[1-9][0-9]{0,3}|[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True)
DOTTED = st.lists(IDENTIFIERS, min_size=1, max_size=3).map(".".join)
NUMBERS = st.integers(0, 10**6)
VERSION_TEXTS = st.builds(
    lambda numbers, pre, build: (
        ".".join(map(str, numbers)) + (f"-{pre}" if pre else "") + (f"+{build}" if build else "")
    ),
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
    st.none() | DOTTED,
    st.none() | DOTTED,
)
VERSIONS = VERSION_TEXTS.filter(Version.is_valid).map(Version.parse)
KINDS = st.sampled_from(VERSIONED_KINDS)
VERSION_IDS = st.builds(VersionId, KINDS, NAMES, VERSIONS)
ALIASES = st.from_regex(r"[a-z][a-z0-9._-]{0,10}", fullmatch=True).filter(is_alias).map(Alias.parse)
DIGITS = st.text("0123456789abcdef", min_size=8, max_size=64)
SELECTORS: st.SearchStrategy[Selector] = st.one_of(
    VERSIONS, ALIASES, st.sampled_from(Stage), st.just(Latest()), DIGITS.map(ByAddress)
)
FILES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    selector = draw(st.none() | SELECTORS)
    file = draw(st.none() | FILES) if selector is not None else None
    return Spec(draw(NAMES), selector, draw(st.none() | st.sampled_from(Kind)), file)


# name ↔ ref


@given(VERSION_IDS)
def test_a_ref_says_which_version_it_is(version: VersionId) -> None:
    assert parse_record_ref(version.ref) == version
    assert parse_payload_ref(version.payload_ref) == version
    assert version.ref.startswith(NameId(version.kind, version.name).prefix)


@given(VERSION_IDS, VERSION_IDS)
def test_two_versions_never_share_a_ref(one: VersionId, other: VersionId) -> None:
    assert (one.ref == other.ref) == (one == other)
    assert one.ref != other.payload_ref
    # Nor does one lie where the other would need a folder.
    assert not other.ref.startswith(one.ref + "/")


@given(VERSION_IDS, st.sampled_from(["_events", "_attestations"]))
def test_a_notes_ref_says_whose_notes_it_holds(version: VersionId, what: str) -> None:
    ref = NameId(version.kind, version.name).notes_ref(what)
    assert parse_notes_ref(ref) == (version.kind, version.name, what)
    assert parse_record_ref(ref) is parse_payload_ref(ref) is None


@given(VERSION_IDS)
def test_git_takes_every_ref_we_spell(version: VersionId) -> None:
    # gitrevisions and git-check-ref-format, in one expression.
    refused = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$|\.$")
    for ref in (version.ref, version.payload_ref, NameId(version.kind, version.name).notes_ref("_events")):
        assert not refused.search(ref)


@given(st.text(max_size=30))
def test_a_name_that_parses_is_within_the_grammar(text: str) -> None:
    if is_name(text):
        segments = text.split("/")
        assert 1 <= len(segments) <= 4
        assert segments[0].lower() not in KIND_WORDS
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", segment) for segment in segments)
        assert not any(Version.is_valid(segment) for segment in segments)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "a/b/c/d/e",
        ".",
        "..",
        "a..b",
        "../x",
        "a/../b",
        ".hidden",
        "a/.b",
        "-x",
        "a/-b",
        "_events",
        "a b",
        "a\tb",
        "a\nb",
        "a\n",
        "a\0",
        "a\x7f",
        "é",
        "a:b",
        "a@b",
        "a~1",
        "a^",
        "a?",
        "a*",
        "a[0]",
        "a\\b",
        "x.lock",
        "x.lock/y",
        "x.",
        "x./y",
        "1.0.0",
        "a/1.0.0",
        "a/1.0.0-rc.1/b",
        "con",
        "CON",
        "nul.txt",
        "a/aux",
        "COM1.bin",
        "lpt9",
        "model",
        "models",
        "Model/x",
        "data/x",
        "dataset",
        "RECIPES/x",
        "run/x",
        "a" * 129,
        "\u0661",
    ],
    ids=ascii,
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        Name.parse(name)


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "fraud-detector",
        "a/b/c/d",
        "1.0",
        "v1.0.0",
        "1.2.3.4",
        "a.b_c-d",
        "console",
        "a" * 128,
        "X/model",
        "team/data",
    ],
)
def test_names_that_are_taken(name: str) -> None:
    assert Name.parse(name) == name


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/pacha/registry",
        "refs/pacha/root",
        "refs/pacha/runs/01890a5d-ac96-774b-bcce-b302099a8057",
        "refs/pacha/tmp/1/2",
        "refs/pacha/payload/runs/x",
        "refs/remotes/origin/pacha/models/x/1.0.0",
        "refs/pacha/model/x/1.0.0",
        "HEAD",
    ],
)
def test_refs_that_are_no_records(ref: str) -> None:
    assert parse_record_ref(ref) is None
    assert parse_payload_ref(ref) is None


@pytest.mark.parametrize(
    "rest", ["x", "1.0.0", "x/1.0", "x/v1.0.0", "-x/1.0.0", "a//1.0.0", "x/1.0.0/", "con/1.0.0", "data/1.0.0"]
)
def test_refs_where_records_lie_that_break_the_grammar(rest: str) -> None:
    for parse, root in ((parse_record_ref, "refs/pacha/models/"), (parse_payload_ref, "refs/pacha/payload/models/")):
        with pytest.raises(InvalidInput):
            parse(root + rest)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/notes/commits",
        "refs/notes/pacha/models/x/other",
        "refs/notes/pacha/runs/x/_events",
        "refs/notes/pacha/_events",
    ],
)
def test_notes_refs_that_are_none_of_ours(ref: str) -> None:
    assert parse_notes_ref(ref) is None


# spec ↔ text


@given(specs())
@example(Spec(Name("x"), ByAddress("0123456789abcdef"), Kind.DATASET, "a:b@c"))
@example(Spec(Name("a/b"), Stage.PRODUCTION, Kind.RUN, "blake3:x"))
def test_a_spec_is_read_back_from_its_text(spec: Spec) -> None:
    assert parse_spec(str(spec)) == spec


@given(SELECTORS)
def test_a_selector_is_read_back_from_its_text(selector: Selector) -> None:
    assert parse_selector(selector_text(selector)) == selector


@given(VERSION_IDS)
def test_every_spelling_of_a_version_means_it(version: VersionId) -> None:
    spec = Spec(version.name, version.version)
    assert parse_spec(version.spec) == spec
    assert parse_spec(f"{version.name}:{version.version}") == spec
    assert parse_spec(str(version.name)).with_version(str(version.version)) == spec
    for word, kind in KIND_WORDS.items():
        expected = Spec(version.name, version.version, kind)
        assert parse_spec(f"{word}:{version.spec}") == parse_spec(f"pacha://{word}/{version.spec}") == expected
        assert parse_spec(f"{word.upper()}:{version.name}:{version.version}") == expected
    assert parse_spec(f"pacha://{version.spec}") == Spec(version.name, version.version, Kind.MODEL)
    assert parse_spec(f"pacha://{version.name}:{version.version}") == Spec(version.name, version.version, Kind.MODEL)
    assert parse_spec(str(version)) == Spec(version.name, version.version, version.kind)


@given(st.sampled_from(sorted(STAGE_WORDS)), st.booleans())
def test_stages_are_read_in_any_case_and_synonym(word: str, upper: bool) -> None:
    assert parse_selector(word.upper() if upper else word) is STAGE_WORDS[word] is Stage.parse(word.title())


@given(st.text(max_size=30))
def test_any_text_is_a_spec_or_refused(text: str) -> None:
    try:
        spec = parse_spec(text)
    except InvalidInput:
        return
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "x@",
        "x:",
        "@1.0.0",
        ":1.0.0",
        "x@1.2",
        "x@1.2.3.4",
        "x@a b",
        "x@v1.0.0\n",
        "x@A",
        "x@1.0.0:",
        "x@blake3:1234567",
        "x@blake3:xyzxyzxyz",
        "x@blake3:" + "0" * 65,
        "x@blake3",
        "x@1.0.0@2.0.0",
        "data:",
        "data:@1.0.0",
        "model:model:x",
        "pacha://",
        "pacha://data/",
        "pacha:///x@1.0.0",
        "pacha://data/x@",
        "-x@1.0.0",
        "../x@1.0.0",
        "x y@1.0.0",
        "https://example.org/x",
    ],
)
def test_specs_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_spec(text)


def test_a_file_counts_only_after_an_at() -> None:
    assert parse_spec("x@1.0.0:a/b:c") == Spec(Name("x"), Version.parse("1.0.0"), None, "a/b:c")
    assert parse_spec("x@blake3:01234567:f").file == "f"
    assert parse_spec("x:champion") == Spec(Name("x"), Alias("champion"))
    with pytest.raises(InvalidInput):
        parse_spec("x:1.0.0:f")


def test_two_different_versions_are_refused() -> None:
    assert str(parse_spec("x@PROD").with_version("production")) == "x@production"
    with pytest.raises(InvalidInput, match="two different versions"):
        parse_spec("x@1.0.0").with_version("1.0.1")


def test_another_kind_than_the_one_wanted_is_refused() -> None:
    assert parse_spec("x").with_kind(Kind.DATASET).kind is Kind.DATASET
    assert parse_spec("data:x").with_kind(None).kind is Kind.DATASET
    with pytest.raises(InvalidInput, match="a model is wanted"):
        parse_spec("data:x").with_kind(Kind.MODEL)


@pytest.mark.parametrize(
    "alias", ["", "A", "1a", "-a", "a b", "prod", "latest", "blake3", "archive", "a\n", "a" * 65, "é", "1.0.0"]
)
def test_aliases_that_are_refused(alias: str) -> None:
    with pytest.raises(InvalidInput):
        Alias.parse(alias)


@given(ALIASES)
def test_an_alias_is_never_a_version_nor_a_stage(alias: Alias) -> None:
    assert not Version.is_valid(alias)
    assert alias not in STAGE_WORDS


# SemVer


@given(VERSION_TEXTS)
def test_versions_are_those_of_a_semver_library(text: str) -> None:
    assume(len(text) <= 128)
    assert str(Version.parse(text)) == text
    assert Version.parse(text).is_prerelease == (semver.Version.parse(text).prerelease is not None)


@given(st.lists(VERSIONS, max_size=6))
def test_the_order_is_total_and_that_of_semver(versions: list[Version]) -> None:
    ordered = sorted(versions)
    for low, high in pairwise(ordered):
        assert semver.Version.parse(str(low)).compare(str(high)) <= 0
        assert (low < high) + (low == high) + (low > high) == 1
    ordered.reverse()
    assert sorted(ordered) == sorted(versions)


@given(VERSIONS)
def test_equal_versions_are_equal_texts(version: Version) -> None:
    again = Version.parse(version.text)
    assert (again, hash(again)) == (version, hash(version))
    assert version.without_build == version.text.partition("+")[0]


def test_the_order_of_the_semver_standard() -> None:
    # SemVer 2.0.0, section 11, and the trap of sorting versions as text.
    texts = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.2.0 1.10.0"
    )
    versions = [Version.parse(text) for text in texts.split()]
    backwards = versions[::-1]
    assert sorted(backwards) == versions


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "a.b.c",
        "1.2.three",
        "v1.0.0",
        "01.0.0",
        "1.00.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0+a+b",
        "-1.0.0",
        "1.0.0 ",
        " 1.0.0",
        "1.0.0\n",
        "1.0.0-é",
        "1.0.0-a_b",
        "1.0.0-x.lock",
        "1.0.0+x.lock",
        "1.0.0-" + "a" * 123,
        "\u0661.0.0",
        "1.0.0/2",
    ],
    ids=ascii,
)
def test_versions_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Version.parse(text)


# hashes


@given(st.binary(min_size=20, max_size=20))
def test_an_oid_is_twenty_bytes(raw: bytes) -> None:
    assert Oid.of_raw(raw).raw == raw
    assert Oid.parse(raw.hex()) == Oid.of_raw(raw)


@given(st.binary(min_size=32, max_size=32))
def test_an_address_is_a_digest(digest: bytes) -> None:
    address = Address.of_digest(digest)
    assert Address.parse(address) == address
    assert address.hex == digest.hex()


@pytest.mark.parametrize("text", ["", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n", "blake3:" + "a" * 64])
def test_oids_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Oid.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 64,
        "blake3:",
        "blake3:" + "a" * 63,
        "blake3:" + "a" * 65,
        "blake3:" + "A" * 64,
        "BLAKE3:" + "a" * 64,
        "blake3:" + "a" * 64 + "\n",
    ],
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Address.parse(text)


@given(st.lists(VERSIONS, max_size=8))
def test_the_key_of_versions_sorts_as_they_do(versions: list[Version]) -> None:
    assert sorted(versions, key=lambda version: version.order) == sorted(versions)
