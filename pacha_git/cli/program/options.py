"""Declares what a command takes, as data in the annotations of its function, and makes click's parameters of it.

A verb says ``spec: Annotated[str, Argument(...)]`` or ``force: Annotated[bool, Option("--force", ...)] = False``. The
type says how words are read: ``bool`` is a flag, a list takes many, and what has a default may be left out. A choice
among words is not declared here: the floors below check it, for they know the synonyms.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import click


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands without a flag before it.

    Attributes:
        metavar: The word that help shows for it; completion looks up by it what can stand there.
        help: What it is, in a sentence.
    """

    metavar: str
    help: str


class Option:
    """What stands behind a flag, or a flag by itself.

    Attributes:
        words: The flag as it is typed, in all its forms.
        help: What it does, in a sentence.
        metavar: The word that help shows for its value.
        min: The least number that it takes.
    """

    __slots__ = ("help", "metavar", "min", "words")

    def __init__(self, *words: str, help: str, metavar: str | None = None, min: int | None = None) -> None:
        self.words = words
        self.help = help
        self.metavar = metavar
        self.min = min


class DescribedArgument(click.Argument):
    """click's own, with a text for help: releases before 8.5 take none."""

    help: str

    def __init__(self, words: list[str], *, help: str, **settings: Any) -> None:
        super().__init__(words, **settings)
        self.help = help


def parameters(function: Callable[..., None], without: Collection[str] = ()) -> list[click.Parameter]:
    """Make the parameters of a command from the signature of its function.

    Args:
        function: It takes the context first, then what its annotations declare.
        without: Names of parameters that this command does not have; they keep their defaults.
    """
    declared = inspect.signature(function, eval_str=True).parameters.values()
    return [_parameter(each) for each in list(declared)[1:] if each.name not in without]


def _parameter(declared: inspect.Parameter) -> click.Parameter:
    assert get_origin(declared.annotation) is Annotated, f"{declared.name} is not declared"
    annotated, what = get_args(declared.annotation)
    type_ = _without_none(annotated)
    many = get_origin(type_) is list
    needed = declared.default is declared.empty
    settings: dict[str, Any] = {"metavar": what.metavar, "help": what.help, "required": needed}
    if many:
        settings["callback"] = _as_list
    elif not needed:
        settings["default"] = declared.default
    if isinstance(what, Argument):
        return DescribedArgument([declared.name], nargs=-1 if many else 1, **settings)
    words = [declared.name, *what.words]
    if type_ is bool:
        return click.Option(words, is_flag=True, **settings)
    number = click.INT if what.min is None else click.IntRange(min=what.min)
    return click.Option(words, type=number if type_ is int else click.STRING, multiple=many, **settings)


def _without_none(type_: Any) -> Any:
    """``str`` of ``str | None``; any other type as it is."""
    if NoneType not in get_args(type_):
        return type_
    return next(each for each in get_args(type_) if each is not NoneType)


def _as_list(_: click.Context, __: click.Parameter, values: tuple[str, ...] | None) -> list[str] | None:
    return list(values) if values else None
