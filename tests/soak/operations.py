"""The commands that are killed and starved: what each does, what may be said when it is done again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from pacha_git import Conflict, PachaError, Registry
from tests.soak.rig import Ended, Fault, Rig
from tests.soak.world import World, seen


class Operation(NamedTuple):
    """One command.

    Attributes:
        name: How it is called here.
        words: Of ``git pacha``; or a function that works with the Python API.
        there: Whether it works in the clone.
        again: Codes that are right when it is done a second time.
        before: Commands that come first.
    """

    name: str
    words: tuple[str, ...] | Callable[[World], int]
    there: bool = False
    again: tuple[int, ...] = (0,)
    before: tuple[tuple[str, ...], ...] = ()

    def run(self, rig: Rig, world: World, fault: Fault | None = None) -> Ended:
        """Run it once."""
        if callable(self.words):
            work = self.words
            return rig.call(lambda: work(world), fault=fault)
        words = [word.format(files=world.files, live=world.live_run) for word in self.words]
        return rig.cli(*words, registry=world.other if self.there else world.reg, fault=fault)


def _batch(world: World) -> int:
    with Registry.open(world.reg) as registry:
        try:
            with registry.batch():
                for number in range(5):
                    registry.models.register(f"b{number}", world.files / f"batch/{number}", version="1.0.0")
                registry.models.alias("m", "batched", version="1.1.0")
        except Conflict:
            return 4
        except PachaError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    return 0


_REGISTER = ("model", "register", "m", "{files}/new", "-v", "2.0.0")
OPERATIONS = [
    Operation("register", (*_REGISTER, "--from", "fine-tuned-from=m@1.1.0"), again=(0, 4)),
    Operation("data", ("data", "register", "rows", "{files}/m1", "-v", "2.0.0"), again=(0, 4)),
    Operation("recipe", ("recipe", "register", "{files}/train2.toml"), again=(0, 4)),
    Operation("batch", _batch, again=(0, 4)),
    Operation("stage", ("model", "stage", "m@1.1.0", "-t", "staging", "-m", "go")),
    Operation("alias", ("model", "alias", "m", "best", "-v", "1.1.0")),
    Operation("tag", ("model", "tag", "m@1.1.0", "k=v", "l=w")),
    Operation("finish", ("run", "finish", "{live}")),
    Operation("push", ("push",), before=(("model", "alias", "m", "pushed", "-v", "1.1.0"), _REGISTER)),
    Operation("merge", ("push",), there=True),
    Operation("pull", ("pull", "--payload", "all"), there=True),
    Operation("gc", ("gc", "--grace", "0")),
    Operation("reindex", ("reindex",)),
    Operation("doctor", ("doctor", "--repair")),
]  # fmt: skip


class Prepared(NamedTuple):
    """An operation with what is so before it and after it, and how many calls it makes."""

    operation: Operation
    before: dict[str, Any]
    after: dict[str, Any]
    calls: int


def prepare(rig: Rig, world: World, operation: Operation) -> Prepared:
    """Run an operation without a fault, and see what it changes.

    Raises:
        RuntimeError: it fails.
    """
    world.restore()
    begin(rig, world, operation)
    path = world.other if operation.there else world.reg
    before = seen(path)
    ended = operation.run(rig, world, Fault(0))
    if ended.code:
        raise RuntimeError(f"{operation.name} fails without a fault: {ended}")
    return Prepared(operation, before, seen(path), ended.calls)


def begin(rig: Rig, world: World, operation: Operation) -> None:
    """Run what comes before an operation."""
    for words in operation.before:
        ended = rig.cli(*(word.format(files=world.files) for word in words), registry=world.reg)
        if ended.code:
            raise RuntimeError(f"{words} fails: {ended}")
