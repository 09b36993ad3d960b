"""Follows the opcodes of a pickle on paper: what it imports and calls, with which arguments.

Nothing is ever imported or called. A value is a text, a number, a short tuple, a small dict, a name, a call, or
``UNKNOWN``. Opcodes, stack and memo are bounded, whatever the file says.
Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pacha_git.inspectors.source import Damaged
from pacha_git.inspectors.streams import Stream

MOST_OPCODES: Final = 3_000_000
_MOST_STACK: Final = 200_000
_MOST_MEMO: Final = 200_000
_MOST_SHAPES: Final = 10_000
_TURN: Final = 4096
_MOST_IMPORTS: Final = 10_000
_LONGEST_TEXT: Final = 400
_LONGEST_LINE: Final = 1 << 16
_LONGEST_TUPLE: Final = 64
_LARGEST_DICT: Final = 64
_BLOCK: Final = 1 << 18

_SENSELESS: Final = (
    Damaged, IndexError, KeyError, ValueError, OverflowError, TypeError, AttributeError, RecursionError, struct.error,
)  # fmt: skip

Ended = Literal["stop", "limit", "broken"]


class _Stopped(Exception):
    """The pickle says that it ends."""


class Unknown:
    """A value that nobody looks at."""

    __slots__ = ()


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Named:
    """Something imported, by module and name."""

    module: str
    name: str

    def __str__(self) -> str:
        """As ``module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Call:
    """The result of a call, or an object that was made: of what, with which arguments, and its state later set."""

    of: Any
    args: Any
    state: Any = None


PERSISTENT: Final = Named("", "persistent")
"""What a persistent id is a call of."""


@dataclass(slots=True)
class Followed:
    """What was found out of one pickle.

    Attributes:
        imports: What it imports, in order.
        ended: At its ``STOP``; at the most opcodes that are looked at; or where it makes no sense.
        opcodes: How many were followed.
        result: What it leaves, if it stopped.
    """

    imports: dict[str, None] = field(default_factory=dict)
    ended: Ended = "broken"
    opcodes: int = 0
    result: Any = None


class Machine:
    """Follows one pickle.

    Args:
        stream: Where it begins.
        on_call: Is told of each call; what it returns stands for the result.
        on_build: Is told of each object whose state was set; may read on from the machine where arrays follow.
    """

    def __init__(
        self,
        stream: Stream,
        on_call: Callable[[Call], Any] = lambda call: call,
        on_build: Callable[[Machine, Any], None] = lambda machine, made: None,
    ) -> None:
        self._stream = stream
        self._on_call = on_call
        self._on_build = on_build
        self._buffer = b""
        self._at = 0
        self._passed = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._memoized = 0
        self._shapes: dict[Any, Any] = {}
        self.found = Followed()

    def follow(self, most: int = MOST_OPCODES) -> Followed:
        """Follow it to its end, to the most opcodes, or to where it makes no sense."""
        found = self.found
        try:
            while found.opcodes < most and len(self._stack) <= _MOST_STACK:
                self._follow_some(min(_TURN, most - found.opcodes))
            found.ended = "limit"
        except _Stopped:
            found.ended = "stop"
        except _SENSELESS:
            found.ended = "broken"
        return found

    def _follow_some(self, count: int) -> None:
        """Follow so many opcodes: millions go through here."""
        done, actions = 0, _ACTIONS
        try:
            for done in range(1, count + 1):  # noqa: B007
                at = self._at
                if at + 16 > len(self._buffer):
                    self._fill(16)
                    at = 0
                self._at = at + 1
                actions[self._buffer[at]](self)
        finally:
            self.found.opcodes += done

    def nested(self) -> None:
        """Follow a pickle that stands at this place within this one."""
        inner = Machine(self._stream, self._on_call, self._on_build)
        inner._buffer, inner._at, inner._passed = self._buffer, self._at, self._passed
        inner.found.opcodes, inner.found.imports = self.found.opcodes, self.found.imports
        inner.follow()
        self._buffer, self._at, self._passed = inner._buffer, inner._at, inner._passed
        self.found.opcodes = inner.found.opcodes
        if inner.found.ended != "stop":
            raise Damaged("a pickle within it has no end")

    # Bytes ----------------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """How many bytes were followed."""
        return self._passed + self._at

    def _fill(self, count: int) -> None:
        """See to it that as many bytes are at hand, if there are."""
        self._passed += self._at
        rest = self._buffer[self._at :]
        self._buffer = rest + self._stream.read(max(_BLOCK, count) - len(rest))
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            Damaged: there are not as many.
        """
        if self._at + count > len(self._buffer):
            self._fill(count)
            if count > len(self._buffer):
                raise Damaged("cut short")
        start = self._at
        self._at += count
        return self._buffer[start : self._at]

    def skip(self, count: int) -> None:
        """Pass bytes by.

        Raises:
            Damaged: there are not as many.
        """
        here = len(self._buffer) - self._at
        if count <= here:
            self._at += count
            return
        self._passed += len(self._buffer) + count - here
        self._buffer, self._at = b"", 0
        self._stream.skip(count - here)

    def line(self) -> bytes:
        """Bytes up to the next LF, without it."""
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._fill(_LONGEST_LINE)
            end = self._buffer.find(b"\n", 0, _LONGEST_LINE)
            if end < 0:
                raise Damaged("a line without an end")
        start, self._at = self._at, end + 1
        return self._buffer[start:end]

    def text(self, size: int) -> Any:
        """Return a text of so many bytes; a long one is not looked at."""
        if size > _LONGEST_TEXT:
            self.skip(size)
            return UNKNOWN
        return self.take(size).decode("utf-8", "replace")

    # Values ---------------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        """Lay a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the topmost value."""
        return self._stack.pop()

    def above_mark(self) -> list[Any]:
        """Take all values above the last mark."""
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def mark(self) -> None:
        """Set a mark."""
        self._marks.append(len(self._stack))

    def drop(self) -> None:
        """Take the topmost value or mark away."""
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._stack.pop()

    def top(self) -> Any:
        """Return the topmost value, which stays."""
        return self._stack[-1]

    def remember(self, number: int) -> None:
        """Keep the topmost value in the memo, if it is one that is ever looked at again."""
        value = self._stack[-1]
        self._memoized += 1
        if len(self._memo) >= _MOST_MEMO:
            return
        if type(value) in _REMEMBERED:
            self._memo[number] = value
        elif type(value) is tuple and all(type(size) is int for size in value):  # a shape; there are few different ones
            self._memo[number] = self._shapes.setdefault(value, value) if len(self._shapes) < _MOST_SHAPES else value

    def memoize(self) -> None:
        """Keep the topmost value in the memo under the next number."""
        self.remember(self._memoized)

    def remember_short(self) -> None:
        """Keep the topmost value in the memo under a number of one byte."""
        at = self._at
        self._at = at + 1
        self.remember(self._buffer[at])

    def recall_short(self) -> None:
        """Lay on the stack what the memo has under a number of one byte."""
        at = self._at
        self._at = at + 1
        self._stack.append(self._memo.get(self._buffer[at], UNKNOWN))

    def push_byte(self) -> None:
        """Lay a number of one byte on the stack."""
        at = self._at
        self._at = at + 1
        self._stack.append(self._buffer[at])

    def recall(self, number: int) -> None:
        """Lay on the stack what the memo has."""
        self._stack.append(self._memo.get(number, UNKNOWN))

    def tuple_of(self, values: list[Any]) -> None:
        """Lay a tuple on the stack."""
        self._stack.append(tuple(values) if len(values) <= _LONGEST_TUPLE else UNKNOWN)

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values, one after the other, into the topmost dict."""
        target = self._stack[-1]
        if type(target) is dict and len(target) < _LARGEST_DICT:
            target.update((k, v) for k, v in zip(values[::2], values[1::2], strict=False) if type(k) in (str, int))

    def named(self, module: Any, name: Any) -> Named:
        """Note an import."""
        made = Named(module if type(module) is str else "?", name if type(name) is str else "?")
        if len(self.found.imports) < _MOST_IMPORTS:
            self.found.imports[str(made)[:200]] = None
        return made

    def call(self, of: Any, args: Any) -> None:
        """Note a call, and lay its result on the stack."""
        self._stack.append(self._on_call(Call(of, args)))

    def build(self) -> None:
        """Set the state of the topmost object but one."""
        state = self._stack.pop()
        made = self._stack[-1]
        if isinstance(made, Call):
            made.state = state
        self._on_build(self, made)

    def stop(self) -> None:
        """End."""
        self.found.result = self._stack.pop()
        raise _Stopped


_REMEMBERED: Final = frozenset({str, Named, Call, dict})

# What each opcode does ------------------------------------------------------------------------------------------------

Action = Callable[[Machine], Any]


def _bad(machine: Machine) -> None:
    raise Damaged("no opcode")


def _push(value: Any) -> Action:
    return lambda machine: machine.push(value)


def _fixed(form: str) -> Action:
    unpack, size = struct.Struct(form).unpack, struct.calcsize(form)
    return lambda machine: machine.push(unpack(machine.take(size))[0])


def _sized(width: int, *, is_text: bool) -> Action:
    def act(machine: Machine) -> None:
        size = int.from_bytes(machine.take(width), "little")
        if is_text:
            machine.push(machine.text(size))
        else:
            machine.skip(size)
            machine.push(UNKNOWN)

    return act


def _numbered(width: int, use: Callable[[Machine, int], None]) -> Action:
    if width == 0:
        return lambda machine: use(machine, int(machine.line()))
    return lambda machine: use(machine, int.from_bytes(machine.take(width), "little"))


def _int_line(machine: Machine) -> None:
    word = machine.line()
    machine.push({b"00": False, b"01": True}.get(word) if word in (b"00", b"01") else int(word.rstrip(b"L")[:400]))


def _long(width: int) -> Action:
    def act(machine: Machine) -> None:
        size = int.from_bytes(machine.take(width), "little")
        if size > _LONGEST_TEXT:
            machine.skip(size)
            machine.push(UNKNOWN)
        else:
            machine.push(int.from_bytes(machine.take(size), "little", signed=True))

    return act


def _text_line(machine: Machine) -> None:
    machine.push(machine.line().decode("utf-8", "replace")[:_LONGEST_TEXT].strip("'\""))


def _global(machine: Machine) -> None:
    module, name = (machine.line().decode("utf-8", "replace") for _ in range(2))
    machine.push(machine.named(module, name))


def _inst(machine: Machine) -> None:
    module, name = (machine.line().decode("utf-8", "replace") for _ in range(2))
    machine.call(machine.named(module, name), tuple(machine.above_mark()))


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(machine.named(module, name))


def _reduce(machine: Machine) -> None:
    args, of = machine.pop(), machine.pop()
    machine.call(of, args)


def _new_object_with_words(machine: Machine) -> None:
    machine.pop()
    _reduce(machine)


def _object(machine: Machine) -> None:
    of, *args = machine.above_mark()
    machine.call(of, tuple(args))


def _few(count: int) -> Action:
    def act(machine: Machine) -> None:
        machine.tuple_of([machine.pop() for _ in range(count)][::-1])

    return act


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _dict_of(machine: Machine) -> None:
    values = machine.above_mark()
    machine.push({})
    machine.set_items(values)


def _replace_with(value: Any) -> Action:
    def act(machine: Machine) -> None:
        machine.above_mark()
        machine.push(value)

    return act


def _extension(machine: Machine, number: int) -> None:
    machine.push(machine.named("copyreg", f"extension_{number}"))


def _line_then(value: Any) -> Action:
    def act(machine: Machine) -> None:
        machine.line()
        machine.push(value)

    return act


def _action_by_byte() -> list[Action]:
    table: list[Action] = [_bad] * 256
    for code, action in {
        b"(": Machine.mark, b".": Machine.stop, b"0": Machine.drop, b"1": Machine.above_mark,
        b"2": lambda m: m.push(m.top()), b"N": _push(None), b"\x88": _push(True), b"\x89": _push(False),
        b"K": Machine.push_byte, b"M": _fixed("<H"), b"J": _fixed("<i"), b"I": _int_line, b"L": _int_line,
        b"\x8a": _long(1), b"\x8b": _long(4), b"F": _line_then(UNKNOWN), b"G": _fixed(">d"),
        b"S": _text_line, b"V": _text_line, b"T": _sized(4, is_text=True), b"U": _sized(1, is_text=True),
        b"X": _sized(4, is_text=True), b"\x8c": _sized(1, is_text=True), b"\x8d": _sized(8, is_text=True),
        b"B": _sized(4, is_text=False), b"C": _sized(1, is_text=False), b"\x8e": _sized(8, is_text=False),
        b"\x96": _sized(8, is_text=False), b"\x97": _push(UNKNOWN), b"\x98": lambda m: None,
        b"c": _global, b"i": _inst, b"\x93": _stack_global, b"R": _reduce, b"\x81": _reduce,
        b"\x92": _new_object_with_words, b"o": _object, b"b": Machine.build,
        b"P": lambda m: m.call(PERSISTENT, (m.line().decode("utf-8", "replace"),)),
        b"Q": lambda m: m.call(PERSISTENT, m.pop()),
        b"p": _numbered(0, Machine.remember), b"q": Machine.remember_short,
        b"r": _numbered(4, Machine.remember),
        b"\x94": Machine.memoize, b"g": _numbered(0, Machine.recall), b"h": Machine.recall_short,
        b"j": _numbered(4, Machine.recall), b"\x82": _numbered(1, _extension), b"\x83": _numbered(2, _extension),
        b"\x84": _numbered(4, _extension), b"t": lambda m: m.tuple_of(m.above_mark()), b")": _push(()),
        b"\x85": _few(1), b"\x86": _few(2), b"\x87": _few(3), b"]": _push(UNKNOWN), b"l": _replace_with(UNKNOWN),
        b"}": lambda m: m.push({}), b"d": _dict_of, b"s": _set_item, b"u": lambda m: m.set_items(m.above_mark()),
        b"a": Machine.pop, b"e": Machine.above_mark, b"\x8f": _push(UNKNOWN), b"\x90": Machine.above_mark,
        b"\x91": _replace_with(UNKNOWN), b"\x80": lambda m: m.take(1), b"\x95": lambda m: m.take(8),
    }.items():  # fmt: skip
        table[code[0]] = action
    return table


_ACTIONS: Final = _action_by_byte()
