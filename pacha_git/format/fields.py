"""The pydantic types of a record's fields; it knows no record as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format.grammar import check_identity, check_relation, timestamp
from pacha_git.format.manifest import FileLine, file_line_of_json
from pacha_git.gitobjects.oid import Oid
from pacha_git.vocabulary.address import Address
from pacha_git.vocabulary.ids import RunId
from pacha_git.vocabulary.kinds import Kind
from pacha_git.vocabulary.names import Name

_NUMBER_WORD: Final = re.compile(r"(NaN|-?Infinity|-?[1-9][0-9]{15,})\Z", re.ASCII)


def first_problem(error: ValidationError) -> str:
    """Return the first thing that is wrong, after the field it is wrong with."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"


def _accepted_by(check: Callable[[str], object]) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            check(text)
        except InvalidInput as error:
            raise ValueError(error.message) from None
        return text

    return AfterValidator(validate)


def _read_number(value: Any) -> int | float | str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER_WORD.match(value):
        return value
    raise ValueError(f"{str(value)[:80]!r} is no number")


def _read_files(value: Any) -> tuple[FileLine, ...] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        raise ValueError("files is no list")
    try:
        return tuple(line if isinstance(line, FileLine) else file_line_of_json(line) for line in value)
    except Corrupt as error:
        raise ValueError(error.message) from None


def _files_as_json(files: tuple[FileLine, ...] | None) -> list[dict[str, Any]] | None:
    return None if files is None else [line.as_json() for line in files]


AddressText = Annotated[str, _accepted_by(Address.parse)]
Files = Annotated[tuple[FileLine, ...] | None, PlainValidator(_read_files), PlainSerializer(_files_as_json)]
IdentityText = Annotated[str, _accepted_by(check_identity)]
KindWord = Annotated[str, _accepted_by(Kind)]
NameText = Annotated[str, _accepted_by(Name.parse)]
Number = Annotated[int | float | str, PlainValidator(_read_number)]
OidText = Annotated[str, _accepted_by(Oid.parse)]
RelationText = Annotated[str, _accepted_by(check_relation)]
RunIdText = Annotated[str, _accepted_by(RunId.parse)]
Size = Annotated[int, Field(ge=0)]
TimeText = Annotated[str, _accepted_by(timestamp)]


_PLUGINS_OFF: Final = "PYDANTIC_DISABLE_PLUGINS"
_BUILDING: Final = RLock()


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Keep pydantic from reading the metadata of every installed package in search of plugins."""
    before = os.environ.get(_PLUGINS_OFF)
    os.environ[_PLUGINS_OFF] = "__all__"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_PLUGINS_OFF, None)
        else:
            os.environ[_PLUGINS_OFF] = before


class Part(BaseModel):
    """A record, or a part of one: frozen, nothing coerced, unknown keys kept; its validator is built at first use."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, defer_build=True)

    @classmethod
    def model_rebuild(cls, **settings: Any) -> bool | None:
        """Build the validator; pydantic calls it, from whichever thread comes first."""
        with _BUILDING, _without_plugins():
            return super().model_rebuild(**settings)
