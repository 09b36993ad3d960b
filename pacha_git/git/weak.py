"""Methods handed down that do not keep their object alive, so that files close when the last owner lets go."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import WeakMethod

P = ParamSpec("P")
T = TypeVar("T")


def weakly(method: Callable[P, T]) -> Callable[P, T]:
    """Return the same method; whoever calls it must know its object to be alive, as a part of it does."""
    reference = WeakMethod(method)

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        alive = reference()
        assert alive is not None, "its object is gone"
        found: T = alive(*args, **kwargs)
        return found

    return call
