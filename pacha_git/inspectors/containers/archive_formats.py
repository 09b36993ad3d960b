"""Tells what a zip file is by the names in it, and has it read: PyTorch's, NumPy's, Keras', skops', or anybody's.

No array is read, no pickle loaded, no code run. A zip of which nothing is known is no format, unless pickles are in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pacha_git.inspectors.containers.zips import Member, data_of, open_member, read_directory, read_member
from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.marks import PICKLE_NAMES, begins_pickle
from pacha_git.inspectors.pickled.machine import Machine
from pacha_git.inspectors.pickled.tensors import Tensors
from pacha_git.inspectors.source import Damaged, LimitReached, Source
from pacha_git.inspectors.weights.hdf5 import read_hdf5
from pacha_git.inspectors.weights.npy import read_head

_MOST_ARRAYS: Final = 2_048
_MOST_OPENED: Final = 256
_LARGEST_JSON: Final = 4 << 20
_KERAS_WEIGHTS: Final = "model.weights.h5"
# torch._export.serde.schema.ScalarType
_EXPORT_TYPES: Final = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
    30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz",
}  # fmt: skip
_WEIGHTS: Final = (*PICKLE_NAMES, ".pt", ".pth", ".ckpt")


def read_zip(source: Source) -> Facts | None:
    """Read a zip file that a library of machine learning wrote; None if it is another.

    Raises:
        Damaged: it can't be read.
    """
    members = read_directory(source)
    data = next((member for member in members if member.name.endswith("/data.pkl") or member.name == "data.pkl"), None)
    if data is not None:
        return _read_torch(source, members, data)
    for mark, reader in _BY_MARK.items():
        found = next((member for member in members if member.name == mark or member.name.endswith("/" + mark)), None)
        if found is not None:
            return reader(source, {member.name: member for member in members}, found.name.removesuffix(mark))
    if members and all(member.name.endswith(".npy") for member in members):
        return _read_npz(source, members)
    return _read_other(source, members)


# PyTorch --------------------------------------------------------------------------------------------------------------


def _read_torch(source: Source, members: Sequence[Member], data: Member) -> Facts:
    folder = data.name.removesuffix("data.pkl")
    here = {member.name[len(folder) :]: member for member in members if member.name.startswith(folder)}
    tensors = Tensors()
    machine = Machine(open_member(source, data), tensors.on_call)
    try:
        ended = machine.follow().ended
    except LimitReached:
        ended = "limit"
    said: dict[str, Any] = {"storages": sum(name.startswith("data/") for name in here)}
    if "constants.pkl" in here:
        said["torchscript"] = True
    if "version" in here:
        said["version"] = read_member(source, here["version"], 64).decode("ascii", "replace").strip()
    warnings = list(_storage_problems(source, here, tensors)) if ended == "stop" else []
    if ended == "broken":
        warnings = ["its data.pkl is cut short or damaged"]
    if ended == "limit":
        said["looked_at"] = f"the first {machine.found.opcodes} opcodes"
    return Facts("pytorch", tuple(tensors.found), said, True, tuple(machine.found.imports), tuple(warnings))


def _storage_problems(source: Source, here: Mapping[str, Member], tensors: Tensors) -> list[str]:
    """Tell whether each storage that its pickle names is there, and as large as it is said to be."""
    for key, storage in tensors.storages.items():
        member = here.get(f"data/{key}")
        if member is None:
            return [f"its storage {key!r} is not there"]
        if member.size < storage.size and storage.dtype != "bytes":
            return [f"its storage {key!r} has {member.size} bytes, and {storage.size} are named"]
        if member.offset + member.packed > source.size:
            return [f"cut short: its storage {key!r} lies behind its end"]
    return []


def _read_export(source: Source, here: Mapping[str, Member], folder: str) -> Facts:
    """Tell what ``torch.export.save`` writes: a graph and weights as JSON and bytes, sample inputs as a pickle."""
    said: dict[str, Any] = {}
    for word in ("archive_version", "byteorder"):
        if folder + word in here:
            said[word] = read_member(source, here[folder + word], 64).decode("ascii", "replace").strip()
    models = [name for name in here if name.startswith(folder + "models/") and name.endswith(".json")]
    said["models"] = [name.rpartition("/")[2].removesuffix(".json") for name in models]
    tensors: list[Tensor] = []
    seen: set[str] = set()
    for name in (name for name in here if name.startswith(folder + "data/weights/") and name.endswith("_config.json")):
        config = _object(read_member(source, here[name], _LARGEST_JSON)).get("config")
        for entry in config.values() if isinstance(config, dict) else ():
            tensors += _exported(entry, seen)
    pickles = [name for name in here if name.endswith((".pt", ".pkl"))]
    if pickles:
        said["pickles"] = pickles[:8]
    return Facts("pt2", tuple(tensors), said, runs_code=bool(pickles))


def _exported(entry: Any, seen: set[str]) -> list[Tensor]:
    try:
        where, meta = str(entry["path_name"]), entry["tensor_meta"]
        shape = tuple(size["as_int"] for size in meta["sizes"])
        kind = meta["dtype"]
    except (KeyError, TypeError):
        return []
    if where in seen or not all(type(size) is int and 0 <= size < 2**48 for size in shape):
        return []
    seen.add(where)
    return [Tensor(_EXPORT_TYPES.get(kind, f"type {kind}") if isinstance(kind, int) else "?", shape)]


# Others ---------------------------------------------------------------------------------------------------------------


def _read_npz(source: Source, members: Sequence[Member]) -> Facts:
    tensors, objects, warnings = [], False, []
    for member in members[:_MOST_ARRAYS]:
        tensor, pickled, _, length = read_head(open_member(source, member))
        tensors.append(tensor)
        objects |= pickled
        if data_of(source, member) + member.packed > source.size or member.size < length:
            warnings.append(f"cut short: its array {member.name[:80]!r} is not all there")
    names = [member.name.removesuffix(".npy") for member in members[:_MOST_ARRAYS]]
    more = {"more_arrays": len(members) - _MOST_ARRAYS} if len(members) > _MOST_ARRAYS else {}
    return Facts("npz", tuple(tensors), {"arrays": names, **more}, runs_code=objects, warnings=tuple(warnings[:1]))


def _read_keras(source: Source, here: Mapping[str, Member], folder: str) -> Facts:
    """Return a model of Keras 3; a ``Lambda`` in it is Python's byte code, which loading runs if it is allowed to."""
    config = _object(read_member(source, here[folder + "config.json"], _LARGEST_JSON))
    said: dict[str, Any] = {"class": config.get("class_name")}
    if folder + "metadata.json" in here:
        said |= _plain(_object(read_member(source, here[folder + "metadata.json"], _LARGEST_JSON)))
    layers = config.get("config", {}).get("layers") if isinstance(config.get("config"), dict) else None
    if isinstance(layers, list):
        said["layers"] = len(layers)
    code = _has_code(config)
    if code:
        said["code"] = "a Lambda layer"
    weights = here[folder + _KERAS_WEIGHTS]
    if weights.method:
        return Facts("keras", None, said, runs_code=code)
    # They are stored as they are, so the file within is read in its place. What the optimizer remembers is no weight.
    start = data_of(source, weights)
    within = Source(lambda offset, length: source.some(start + offset, length), weights.size)
    try:
        return Facts("keras", read_hdf5(within, ("optimizer",)).tensors, said, runs_code=code)
    except Damaged as damage:
        return Facts("keras", None, said, runs_code=code, warnings=(f"its weights: {damage}",))


def _has_code(value: Any) -> bool:
    """Tell whether a configuration of Keras carries byte code of Python."""
    pending = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, dict):
            if inner.get("class_name") == "__lambda__":
                return True
            pending += inner.values()
        elif isinstance(inner, list):
            pending += inner
    return False


def _read_skops(source: Source, here: Mapping[str, Member], folder: str) -> Facts | None:
    """Tell what skops writes of a model of scikit-learn: types by name, arrays beside; loading asks whom to trust."""
    schema = _object(read_member(source, here[folder + "schema.json"], _LARGEST_JSON))
    if "_skops_version" not in schema:
        return None
    said = {"class": f"{schema.get('__module__')}.{schema.get('__class__')}", "skops": schema["_skops_version"]}
    arrays = [member for name, member in here.items() if name.endswith(".npy")]
    types = dict.fromkeys(f"{m}.{c}" for m, c in _types_of(schema) if not m.startswith(("builtins", "numpy")))
    return Facts("skops", None, {**said, "protocol": schema.get("protocol"), "arrays": len(arrays), "types": [*types]})


def _types_of(schema: Any) -> list[tuple[str, str]]:
    found, pending = [], [schema]
    while pending:
        inner = pending.pop()
        if isinstance(inner, dict):
            if isinstance(inner.get("__class__"), str) and isinstance(inner.get("__module__"), str):
                found.append((inner["__module__"], inner["__class__"]))
            pending += inner.values()
        elif isinstance(inner, list):
            pending += inner
    return sorted(set(found))


def _read_other(source: Source, members: Sequence[Member]) -> Facts | None:
    """Return a zip of other things: told only if a pickle is among them."""
    pickles = [member.name for member in members if member.name.lower().endswith(_WEIGHTS)]
    for member in members[:_MOST_OPENED]:
        try:
            if not member.name.lower().endswith(_WEIGHTS) and begins_pickle(open_member(source, member).read(16)):
                pickles.append(member.name)
        except (Damaged, LimitReached):
            continue
    return Facts("zip", None, {"entries": len(members), "pickles": pickles}, True) if pickles else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Damaged("a JSON file in it can't be read") from None
    if not isinstance(value, dict):
        raise Damaged("a JSON file in it is no object")
    return value


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if isinstance(inner, str | int | float)}


_BY_MARK: Final[Mapping[str, Callable[[Source, Mapping[str, Member], str], Facts | None]]] = {
    "archive_format": _read_export,
    _KERAS_WEIGHTS: lambda source, here, folder: (
        _read_keras(source, here, folder) if folder + "config.json" in here else None
    ),
    "schema.json": _read_skops,
}
