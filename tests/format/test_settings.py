from __future__ import annotations

from typing import Any

import pytest

from pacha_git.errors import Conflict, Corrupt, PachaError
from pacha_git.format.settings import (
    SETTINGS_LIMIT,
    encode_settings,
    merge_settings,
    new_settings,
    parse_settings,
    settings_of,
)

REGISTRY = "0190a5d0-ac96-474b-bcce-b302099a8057"
BASE: dict[str, Any] = {"format": 1, "registry": REGISTRY}


def test_new_settings_have_format_and_registry() -> None:
    settings = new_settings(REGISTRY)
    assert encode_settings(settings) == f'format = 1\nregistry = "{REGISTRY}"\n'.encode()
    assert parse_settings(encode_settings(settings)) == settings
    assert (settings.registry, settings.policy) == (REGISTRY, {})


def test_unknown_keys_survive_a_round_trip() -> None:
    values = {**BASE, "later": {"a": [1, 2.5, "x"]}, "policy": {"sign": True, "stages": {"skip": False}}}
    settings = parse_settings(encode_settings(settings_of(values)))
    assert settings.values == values
    assert settings.policy == {"sign": True, "stages": {"skip": False}}


def test_a_newer_registry_is_refused_with_what_to_do() -> None:
    with pytest.raises(PachaError, match="this registry was made by a newer pacha-git") as caught:
        parse_settings(b'format = 2\nregistry = "x"\n')
    assert caught.value.exit_code == 1
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"format = ",
        b"\xff",
        b"format = 1\n",
        f'format = 0\nregistry = "{REGISTRY}"\n'.encode(),
        f'format = true\nregistry = "{REGISTRY}"\n'.encode(),
        f'format = "1"\nregistry = "{REGISTRY}"\n'.encode(),
        f'registry = "{REGISTRY}"\n'.encode(),
        f'format = 1\nregistry = "{REGISTRY.upper()}"\n'.encode(),
        f'format = 1\nregistry = "{REGISTRY[:-1]}"\n'.encode(),
        b"format = 1\nregistry = 5\n",
        f'format = 1\nregistry = "{REGISTRY}"\npolicy = "strict"\n'.encode(),
        b"#" * (SETTINGS_LIMIT + 1),
        b"x = " + b"[" * 100_000,
    ],
    ids=lambda data: repr(data)[:40],
)
def test_settings_that_cannot_be_read_are_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        parse_settings(data)


def merged(base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    old = None if base is None else settings_of({**BASE, "policy": base})
    both = [settings_of({**BASE, "policy": policy}) for policy in (ours, theirs)]
    return dict(merge_settings(old, *both).policy)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1}, {}),
        ({"t": {"a": 1, "b": 1}}, {"t": {"a": 2, "b": 1}}, {"t": {"a": 1, "b": 2}}, {"t": {"a": 2, "b": 2}}),
        ({}, {"t": {"a": 1}}, {"t": {"b": 1}}, {"t": {"a": 1, "b": 1}}),
        (None, {"a": 1}, {"b": [1]}, {"a": 1, "b": [1]}),
        ({"t": {"a": 1}}, {"t": {"a": 1}}, {"t": 5}, {"t": 5}),
    ],
)
def test_what_one_side_changed_is_taken(
    base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any], result: dict[str, Any]
) -> None:
    assert merged(base, ours, theirs) == result
    assert merged(base, theirs, ours) == result


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "keys"),
    [
        ({"a": 1}, {"a": 2}, {"a": 3}, "policy.a"),
        ({"a": 1}, {}, {"a": 3}, "policy.a"),
        ({}, {"t": {"a": 1}, "z": 1}, {"t": {"a": 2}, "z": 2}, "policy.t.a, policy.z"),
        ({}, {"t": {"a": 1}}, {"t": 1}, "policy.t"),
        (None, {"a": 1}, {"a": 2}, "policy.a"),
    ],
)
def test_what_both_changed_is_a_conflict_that_names_it(
    base: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any], keys: str
) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        with pytest.raises(Conflict, match=f"changed {keys} in"):
            merged(base, one, other)


def test_two_registries_made_apart_have_their_ids_in_conflict() -> None:
    with pytest.raises(Conflict, match="registry"):
        merge_settings(None, new_settings(REGISTRY), new_settings(REGISTRY.replace("0190", "0191")))
