"""Reads small JSON files that say which other files a model or dataset is made of.

Indexes of shards (``model.safetensors.index.json``), arrays and groups of Zarr, orbax checkpoints, Croissant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pacha_git.inspectors.facts import Facts, Tensor
from pacha_git.inspectors.source import Damaged, Source

_LARGEST: Final = 16 << 20


def is_index(source: Source) -> bool:
    """Tell whether a file is named like one of these."""
    return _reader_of(source.name) is not None


def read_index(source: Source) -> Facts | None:
    """Read it; None if it is something else of the same name.

    Raises:
        Damaged: it is no JSON.
    """
    reader = _reader_of(source.name)
    if reader is None or source.size > _LARGEST:
        return None
    try:
        said = json.loads(source.at(0, source.size))
    except (ValueError, RecursionError):
        raise Damaged("it is no JSON") from None
    return reader(said) if isinstance(said, dict) else None


def _reader_of(name: str) -> Callable[[Mapping[str, Any]], Facts | None] | None:
    last = name.rpartition("/")[2]
    if last.endswith(".index.json"):
        return _read_shards
    return _READERS.get(last)


def _read_shards(said: Mapping[str, Any]) -> Facts | None:
    """Which shard each weight lies in: https://huggingface.co/docs/huggingface_hub/package_reference/serialization."""
    where = said.get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(shard, str) for shard in where.values()):
        return None
    shards = sorted(set(where.values()))
    told: dict[str, Any] = {"weights": len(where), "shards": len(shards)}
    size = said.get("metadata", {}).get("total_size") if isinstance(said.get("metadata"), dict) else None
    if isinstance(size, int):
        told["total_size"] = size
    return Facts("weight index", None, told, needs=dict.fromkeys(shards, 0))


def _read_zarr(said: Mapping[str, Any]) -> Facts | None:
    """Return an array or group of Zarr 3: https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html."""
    if said.get("zarr_format") != 3:
        return None
    told: dict[str, Any] = {"zarr_format": 3, "node": said.get("node_type")}
    if said.get("node_type") != "array":
        return Facts("zarr", None, told)
    codecs = said.get("codecs")
    told["codecs"] = [each.get("name") for each in codecs if isinstance(each, dict)] if isinstance(codecs, list) else []
    kind = said.get("data_type")
    return Facts("zarr", _array(str(kind.get("name") if isinstance(kind, dict) else kind), said.get("shape")), told)


def _read_zarr_2(said: Mapping[str, Any]) -> Facts | None:
    if said.get("zarr_format") != 2:
        return None
    packer = said.get("compressor")
    told: dict[str, Any] = {"zarr_format": 2, "node": "array" if "shape" in said else "group"}
    if isinstance(packer, dict):
        told["codecs"] = [packer.get("id")]
    if "shape" not in said:
        return Facts("zarr", None, told)
    kind = said.get("dtype")
    return Facts("zarr", _array(kind if isinstance(kind, str) else "record", said["shape"]), told)


def _array(dtype: str, shape: Any) -> tuple[Tensor, ...]:
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 2**60 for size in shape):
        raise Damaged("its shape makes no sense")
    return (Tensor(dtype, tuple(shape)),)


def _read_orbax(said: Mapping[str, Any]) -> Facts | None:
    """Return the tree of a checkpoint of orbax: https://orbax.readthedocs.io."""
    tree = said.get("tree_metadata")
    if not isinstance(tree, dict):
        return None
    told: dict[str, Any] = {"leaves": len(tree)}
    told |= {word: said[word] for word in ("use_ocdbt", "use_zarr3") if isinstance(said.get(word), bool)}
    return Facts("orbax", None, told)


def _read_croissant(said: Mapping[str, Any]) -> Facts | None:
    """Return a dataset described for machines: https://docs.mlcommons.org/croissant/docs/croissant-spec.html."""
    if (
        "croissant" not in str(said.get("conformsTo", ""))
        and "cr:" not in json.dumps(said.get("@context", ""))[:20_000]
    ):
        return None
    told: dict[str, Any] = {}
    for word in ("name", "version", "license", "conformsTo"):
        if isinstance(said.get(word), str):
            told[word] = said[word]
    for word, key in (("distribution", "files"), ("recordSet", "record_sets")):
        if isinstance(said.get(word), list):
            told[key] = len(said[word])
    return Facts("croissant", None, told)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Facts | None]]] = {
    "zarr.json": _read_zarr,
    ".zarray": _read_zarr_2,
    ".zgroup": _read_zarr_2,
    "_metadata": _read_orbax,
    "croissant.json": _read_croissant,
    "metadata.json": _read_croissant,
}
