"""The rim of the Python API: whatever fails underneath comes out as a ``PachaError`` that says what it was about.

A class of the API derives from ``Face``, and all that is public of it is guarded. What a caller's own code raises
within a block (``with registry.batch():``) is the caller's, and passes unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FunctionType, GeneratorType, TracebackType
from typing import Any, Final

from pacha_git.system.refusals import refusal, refused

_ALSO: Final = ("__enter__", "__exit__")


class Face:
    """A class of the API."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if not name.startswith("_") or name in _ALSO:
                guarded = _guarded(member, f"{cls.__name__.lower()}.{name}")
                if guarded is not member:
                    setattr(cls, name, guarded)


def _guarded(member: Any, name: str) -> Any:
    if isinstance(member, FunctionType):
        return _function(member, name)
    if isinstance(member, classmethod | staticmethod):
        return type(member)(_function(member.__func__, name))
    if isinstance(member, property) and member.fget is not None:
        return property(_function(member.fget, name), member.fset, member.fdel, member.__doc__)
    return member


def _function(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            found = function(*args, **kwargs)
        except refused() as error:
            raise refusal(error, _said(name, args[1:])) from error
        if isinstance(found, GeneratorType):
            return _handed_on(found, _said(name, args[1:]))
        return _Block(found, name) if type(found) is _OWN_BLOCKS else found

    return call


def _said(name: str, args: tuple[Any, ...]) -> str:
    """Tell what was asked for, as it is named in an error that names nothing itself."""
    words = [str(each) for each in args if isinstance(each, str)]
    return " ".join([name, *words])


def _handed_on(found: Generator[Any, None, None], doing: str) -> Iterator[Any]:
    try:
        yield from found
    except refused() as error:
        raise refusal(error, doing) from error


@contextmanager
def _example() -> Iterator[None]:
    yield


_OWN_BLOCKS: Final = type(_example())


class _Block(AbstractContextManager[Any]):
    """A block of ours around code of the caller's."""

    def __init__(self, inner: AbstractContextManager[Any], doing: str) -> None:
        self._inner = inner
        self._doing = doing

    def __enter__(self) -> Any:
        try:
            return self._inner.__enter__()
        except refused() as error:
            raise refusal(error, self._doing) from error

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return self._inner.__exit__(kind, raised, trace)
        except refused() as error:
            if error is raised:
                raise
            raise refusal(error, self._doing) from error
