"""Declares the arguments and flags that several commands share, and reads ``K=V``.

Every word is read as text here and checked by the floors below: click's own choices know no synonyms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pacha_git import InvalidInput, parse_spec
from pacha_git.cli.program.options import Argument, Option
from pacha_git.format import toml

T = TypeVar("T")
Spec: TypeAlias = Annotated[
    str,
    Argument(metavar="SPEC", help="NAME@VERSION, NAME@STAGE, NAME@ALIAS, NAME@latest, NAME@blake3:HEX; or NAME."),
]
Name: TypeAlias = Annotated[str, Argument(metavar="NAME", help="As in fraud-detector or team/fraud-detector.")]
Version: TypeAlias = Annotated[
    str | None,
    Option("-v", "--version", metavar="VERSION", help="The version, or whatever may follow @ in a SPEC."),
]
NewVersion: TypeAlias = Annotated[
    str, Option("-v", "--version", metavar="VERSION", help="MAJOR.MINOR.PATCH, as SemVer 2.0.0 has it.")
]
Reason: TypeAlias = Annotated[str | None, Option("-m", "--reason", metavar="TEXT", help="Why; kept in the history.")]
Sign: TypeAlias = Annotated[bool, Option("--sign", help="Sign it, even if sign.default does not say so.")]
Tags: TypeAlias = Annotated[list[str] | None, Option("--tag", metavar="K=V", help="A tag; repeat it for more.")]
DryRun: TypeAlias = Annotated[bool, Option("--dry-run", help="Say what would be done, and do nothing.")]
Force: TypeAlias = Annotated[bool, Option("--force", help="Overwrite what is there.")]
StrictRegister: TypeAlias = Annotated[
    bool, Option("--strict", help="Refuse what looks like a credential, and files of which a part lies elsewhere.")
]
Remote: TypeAlias = Annotated[
    str | None, Argument(metavar="REMOTE", help="The remote; origin by default, or the only one.")
]
Payload: TypeAlias = Annotated[str | None, Option("--payload", metavar="all|none", help="Move all payloads, or none.")]
OnlyStage: TypeAlias = Annotated[str | None, Option("--stage", metavar="STAGE", help="Only versions in this stage.")]
OnlyKind: TypeAlias = Annotated[str | None, Option("--kind", metavar="KIND", help="Only model, data, recipe or run.")]
LineagePayloads: TypeAlias = Annotated[
    bool, Option("--lineage-payloads", help="Also the payloads of everything that these come from.")
]


def versioned(spec: str, version: str | None) -> str:
    """Add what ``-v`` said to a SPEC.

    Raises:
        InvalidInput: the SPEC names a different version already.
    """
    return spec if version is None else str(parse_spec(spec).with_version(version))


def payload_choice(word: str | None) -> Literal["all", "none"] | None:
    """Read ``--payload``.

    Raises:
        InvalidInput: it is neither all nor none.
    """
    if word is None:
        return None
    if word in ("all", "none"):
        return "all" if word == "all" else "none"
    raise InvalidInput(f"--payload takes all or none, not {word!r}", hint="as in --payload none")


def path(text: str) -> Path:
    """Read a path.

    Raises:
        InvalidInput: it is empty, which would quietly mean the current folder.
    """
    if not text:
        raise InvalidInput("an empty path", hint="`.` is the current folder")
    return Path(text)


def pairs(words: Iterable[str] | None, flag: str) -> dict[str, str]:
    """Read ``K=V`` words; of a key given twice the last counts.

    Raises:
        InvalidInput: one has no ``=`` or no key.
    """
    found = {}
    for word in words or ():
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise InvalidInput(f"{flag} takes K=V, not {word!r}", hint=f"as in {flag} key=value")
        found[key] = value
    return found


def values(words: Iterable[str] | None, flag: str) -> dict[str, Any]:
    """Read ``K=VALUE`` words, each value as TOML would (``3``, ``0.1``, ``true``, ``[1, 2]``), else as a text.

    Raises:
        InvalidInput: one has no ``=`` or no key.
    """
    return {key: _value(value) for key, value in pairs(words, flag).items()}


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        read = toml.loads(f"value = {text}") if not set(text) & {"\n", "\r", "#"} else {}
    except ValueError:
        read = {}
    if "value" in read:
        return read["value"]
    try:
        return float(text)
    except ValueError:
        return text


def read(text: str | None, parse: Callable[[str], T]) -> T | None:
    """Read a word of a closed set, such as a stage; None if it was not given."""
    return None if text is None else parse(text)


def whole(text: str | None, flag: str) -> int | None:
    """Read a whole number, which may be written as a float: ``4096.0``.

    Raises:
        InvalidInput: it is none.
    """
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        number = _float(text)
    if number is None or not number.is_integer():
        raise InvalidInput(f"{flag} takes a whole number, not {text!r}", hint=f"as in {flag} 100")
    return int(number)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def numbers(words: Sequence[str] | None, flag: str) -> dict[str, int | float]:
    """Read ``K=NUMBER`` words.

    Raises:
        InvalidInput: one is no number, or a key is given twice: neither value may be lost.
    """
    found = {key: _number(value, flag) for key, value in pairs(words, flag).items()}
    if len(found) < len(words or ()):
        twice = next(key for key in found if sum(word.startswith(f"{key}=") for word in words or ()) > 1)
        raise InvalidInput(f"{flag} {twice} is given twice", hint="give each value by itself")
    return found


def _number(text: str, flag: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = _float(text)
    if number is None:
        raise InvalidInput(f"{flag} takes a number, not {text!r}", hint=f"as in {flag} accuracy=0.93")
    return number
