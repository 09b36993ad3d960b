"""The kinds of trials: kills, faults, damages and histories. Each says what was wrong, one line for each thing."""

from __future__ import annotations

import errno
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pacha_git import Conflict, PachaError, Registry
from tests.soak.operations import OPERATIONS, Prepared, begin, prepare
from tests.soak.rig import FAIL, HALF, KILL_ALL, KILL_ONE, Ended, Fault, Rig
from tests.soak.world import World, age_leftovers, noise, seen, wrong_with

_ERRORS: Final = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)


class Trials:
    """The trials of a world: what is found out once is kept for all."""

    def __init__(self, rig: Rig, world: World) -> None:
        self.rig = rig
        self.world = world
        self._prepared: dict[str, Prepared] = {}
        self.told: dict[str, Any] = {}

    def _chosen(self, number: int) -> Prepared:
        operation = OPERATIONS[number % len(OPERATIONS)]
        if operation.name not in self._prepared:
            self._prepared[operation.name] = prepare(self.rig, self.world, operation)
        prepared = self._prepared[operation.name]
        self.world.restore()
        begin(self.rig, self.world, operation)
        return prepared

    def kill(self, number: int, chance: random.Random) -> list[str]:
        """Kill a command at a call; what was there stays, what was acknowledged is there, and it can be done again."""
        prepared = self._chosen(number)
        mode = chance.choices([KILL_ALL, HALF, KILL_ONE], [6, 2, 2])[0]
        fault = Fault(mode, chance.randint(1, max(1, prepared.calls)))
        ended = prepared.operation.run(self.rig, self.world, fault)
        self.told = {"operation": prepared.operation.name, "fault": fault, "where": ended.where, "code": ended.code}
        return self._judged(prepared, ended)

    def fault(self, number: int, chance: random.Random) -> list[str]:
        """Let calls fail; the command says so, nothing is half done, and it can be done again."""
        prepared = self._chosen(number)
        times = chance.choice([1, 1, 3, 1_000_000])
        fault = Fault(FAIL, chance.randint(1, max(1, prepared.calls)), chance.choice(_ERRORS), times)
        ended = prepared.operation.run(self.rig, self.world, fault)
        self.told = {"operation": prepared.operation.name, "fault": fault, "where": ended.where, "code": ended.code}
        wrong = self._judged(prepared, ended)
        if ended.code and not ended.err.strip():
            wrong.append("it failed without a word")
        return wrong

    def _judged(self, prepared: Prepared, ended: Ended) -> list[str]:
        """Judge what is there after an operation that met something, then do it again."""
        world, operation = self.world, prepared.operation
        path = world.other if operation.there else world.reg
        wrong = [f"a bug: {ended.code} {ended.err[-600:]}"] if ended.is_bug else []
        try:
            now = seen(path)
            wrong += wrong_with(path, world.truth)
        except PachaError as error:
            return [*wrong, f"it can't be read: {error}"]
        if now not in (prepared.before, prepared.after) and not _within(now, prepared):
            wrong.append(f"between: {_differences(now, prepared.before)[:4]}")
        if ended.code == 0 and now != prepared.after:
            wrong.append("ACKNOWLEDGED AND NOT THERE")
        age_leftovers(world.reg, world.other, world.hub)
        for lock in world.hub.rglob("*.lock"):
            if "pacha" not in lock.relative_to(world.hub).parts[:1]:
                lock.unlink()  # a person removes it who knows that nobody pushes
        again = operation.run(self.rig, world)
        if again.code not in operation.again or again.is_bug:
            wrong.append(f"again: {again.code} {again.err[-400:]}")
        if (last := seen(path)) != prepared.after:
            wrong.append(f"never as it should be: {_differences(last, prepared.after)[:4]}")
        wrong += [f"at last {each}" for each in wrong_with(path, world.truth)]
        return wrong

    def damage(self, number: int, chance: random.Random) -> list[str]:
        """Damage one file; all is told, nothing crashes, and a repair brings back what the hub has, byte for byte."""
        world = self.world
        form = chance.choice(["loose", "packed"])
        source = world.template.with_name(f"damage-{form}")
        if not source.exists():
            self._make_damage_form(form, source)
        world.restore(source)
        before = seen(world.reg)
        path, how = _damaged(world.reg, chance)
        self.told = {"file": str(path.relative_to(world.reg)), "how": how, "form": form}
        journal = "pacha/runs" in str(path)
        wrong = self._read_all() if journal else [*self._read_all(), *self._silent(before)]
        repaired = self.rig.cli("doctor", "--repair", registry=world.reg)
        pulled = self.rig.cli("pull", "--payload", "all", registry=world.reg)
        wrong += [f"a bug: {each.err[-400:]}" for each in (repaired, pulled) if each.is_bug]
        try:
            problems = Registry.check(world.reg).problems
            if problems and not (journal and all("pacha/runs" in problem for problem in problems)):
                wrong.append(f"NOT HEALED: {problems[:3]} doctor {repaired.code} {repaired.err[-200:]}")
            if not journal:
                wrong += wrong_with(world.reg, world.truth)
                if (now := seen(world.reg)) != before:
                    wrong.append(f"healed and not as it was: {_differences(now, before)[:4]}")
        except PachaError as error:
            wrong.append(f"NOT HEALED: {error}")
        return wrong

    def _make_damage_form(self, form: str, target: Path) -> None:
        self.world.restore()
        for words in [("gc", "--grace", "0"), ("doctor",)] if form == "packed" else [("doctor",)]:
            self.rig.cli(*words, registry=self.world.reg)
        subprocess.run(["cp", "-a", self.world.here, target], check=True)

    def _read_all(self) -> list[str]:
        """Ask everything of a damaged registry: the answer is right, or says what is wrong."""
        world, wrong = self.world, []
        told = self.rig.cli("fsck", "--json", registry=world.reg)
        for key, data in world.truth.items():
            kind, _, spec = key.partition(":")
            ended = self.rig.cli(
                "data" if kind == "dataset" else kind, "download", spec, "-o", world.here / "out", registry=world.reg
            )
            if ended.is_bug:
                wrong.append(f"a bug: download {spec}: {ended.err[-400:]}")
            if not ended.code and _one_file(world.here / "out") != data:
                wrong.append(f"WRONG BYTES of {key}")
            subprocess.run(["rm", "-rf", world.here / "out"], check=True)
        for words in (("model", "list", "m"), ("model", "history", "m"), ("run", "list"), ("verify", "--all")):
            ended = self.rig.cli(*words, registry=world.reg)
            if ended.is_bug:
                wrong.append(f"a bug: {words}: {ended.err[-400:]}")
        if told.is_bug:
            wrong.append(f"a bug: fsck: {told.err[-400:]}")
        return wrong

    def _silent(self, before: dict[str, Any]) -> list[str]:
        """Whether a person sees something else than before, and fsck has no word about it."""
        try:
            report = Registry.check(self.world.reg)
            if not report.problems and not report.notes and (now := seen(self.world.reg)) != before:
                return [f"IN SILENCE: {_differences(now, before)[:3]}"]
        except PachaError:
            pass  # it was said
        return []

    def history(self, number: int, chance: random.Random) -> list[str]:
        """Two who work apart and sync now and then; in the end both have all, and agree."""
        world = self.world
        world.restore()
        made: set[str] = set()
        steps: list[str] = []
        for step in range(chance.randint(15, 40)):
            path = chance.choice([world.reg, world.other])
            act = chance.choice(_ACTS)
            steps.append(f"{path.name} {act.__name__}")
            with Registry.open(path) as registry:
                try:
                    act(registry, world, chance, f"{number}-{step}", made)
                except Conflict:
                    continue
                except PachaError as error:
                    if "no way" not in error.message:
                        raise
        self.told = {"steps": len(steps)}
        for path in (world.reg, world.other) * 2:
            for words in (("pull", "--payload", "all"), ("push",)):
                ended = self.rig.cli(*words, registry=path)
                if ended.code:
                    return [f"{words} in {path.name}: {ended.code} {ended.err[-300:]} after {steps}"]
        one, other = seen(world.reg), seen(world.other)
        wrong = [f"they differ: {_differences(one, other)[:4]}"] if _shared(one) != _shared(other) else []
        wrong += [f"lost {key}" for key in made if key not in one]
        for path in (world.reg, world.other):
            wrong += wrong_with(path, world.truth)
        return wrong

    def kinds(self) -> dict[str, Callable[[int, random.Random], list[str]]]:
        """The kinds by name."""
        return {"kills": self.kill, "faults": self.fault, "damages": self.damage, "histories": self.history}


def _within(now: dict[str, Any], prepared: Prepared) -> bool:
    """Whether every thing is as before or as after: a pull or push may have done a part of its things."""
    if prepared.operation.name not in ("pull", "merge", "push"):
        return False
    for key in {*now, *prepared.before, *prepared.after}:
        one = now.get(key)
        if one not in (prepared.before.get(key), prepared.after.get(key)) and not _partly(one, prepared, key):
            return False
    return True


def _partly(value: Any, prepared: Prepared, key: str) -> bool:
    """Records before bytes, or events before records: each field is one of both."""
    one, other = prepared.before.get(key), prepared.after.get(key)
    if not isinstance(value, tuple) or other is None:
        return False
    if one is None:
        return all(
            mine == its or index == len(value) - 1 for index, (mine, its) in enumerate(zip(value, other, strict=True))
        )
    return all(mine in (a, b) for mine, a, b in zip(value, one, other, strict=True))


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    keys = sorted({*one, *other})
    return [f"{key}: {one.get(key)} and {other.get(key)}" for key in keys if one.get(key) != other.get(key)]


def _shared(found: dict[str, Any]) -> dict[str, Any]:
    """What two registries agree on: a run that goes on is one machine's, settings are each one's own."""
    return {key: value for key, value in found.items() if not key.startswith(("run:", "settings"))}


def _damaged(registry: Path, chance: random.Random) -> tuple[Path, str]:
    """Damage one file of a registry."""
    every = sorted(path for path in registry.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    files = [path for path in every if "config.kept" not in path.name and path.parent.name != "side"]
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    how = chance.choices(["flip", "cut", "gone", "zero", "empty"], [45, 18, 12, 20, 5])[0]
    at = chance.randrange(len(data)) if data else 0
    if how == "gone":
        path.unlink()
        return path, how
    if how == "flip" and data:
        data[at] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del data[at:]
    elif how == "zero":
        end = at + chance.choice([1, 16, 512, 4096])
        data[at:end] = bytes(len(data[at:end]))
    elif how == "empty":
        data.clear()
    path.chmod(0o644)
    path.write_bytes(data)
    return path, f"{how} at {at}"


def _one_file(folder: Path) -> bytes:
    if folder.is_file():
        return folder.read_bytes()
    found = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return found[0].read_bytes() if len(found) == 1 else b""


# What those of a history do ------------------------------------------------------------------------------------------


def _registers(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    name = f"h{registry.path.stem}{chance.randrange(4)}"
    file = world.put(f"h/{mark}", noise(chance.choice([300, 5000, 300_000]), hash(mark) & 0xFFFF))
    version = f"{int(mark.split('-')[1]) + 1}.0.0"
    registry.models.register(name, file, version=version)
    made.add(f"model:{name}@{version}")


def _stages(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.models.stage(
        chance.choice(["m@1.0.0", "m@1.1.0"]), chance.choice(["staging", "archived", "development"]), reason=mark
    )


def _aliases(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.models.alias("m", chance.choice(["best", "canary"]), version=chance.choice(["1.0.0", "1.1.0"]))


def _tags(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.models.tag("m@1.1.0", [f"k{chance.randrange(3)}={mark}"])


def _pulls(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.pull(payload=chance.choice([None, "all"]))


def _pushes(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.push()


def _collects(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    registry.gc(grace_days=chance.choice([0, 14]))


def _runs(registry: Registry, world: World, chance: random.Random, mark: str, made: set[str]) -> None:
    with registry.run(params={"mark": mark}) as run:
        run.log({"x": chance.random()}, step=0)


_ACTS = [_registers, _registers, _stages, _aliases, _tags, _pulls, _pushes, _collects, _runs]
