"""Which files of a work tree are recipes, model cards or datasheets: by their names, else by what stands in them.

A file that is named as one is one, however broken; any other TOML or Markdown is one if it says so where only such a
document would.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from pacha_git.format import toml
from pacha_git.vocabulary.kinds import Kind

_NAMED: Final = {
    Kind.RECIPE: re.compile(r"(?:.*[._-])?recipe\.toml\Z", re.DOTALL),
    Kind.DATASET: re.compile(r"(?:.*[._-])?(?:datasheet|(?:dataset|data)[._-]?card)\.md\Z"),
    Kind.MODEL: re.compile(r"(?:.*[._-])?(?:model[._-]?)?card\.md\Z", re.DOTALL),
}
_FOLDERS: Final = {"recipes": (Kind.RECIPE, ".toml"), "datasheets": (Kind.DATASET, ".md"), "cards": (Kind.MODEL, ".md")}
# What stands at the top level of a recipe, and of no project or lock file: tables, and keys of any sort.
_TABLES: Final = ("hyperparameters", "optimizer", "scheduler", "loss")
_KEYS: Final = ("train_data", "validation_data", "random_seed", "hyperparameters", "optimizer")
# An escape may spell any key; without one of these there is nothing to read.
_MAY_BE_RECIPE: Final = re.compile(("|".join({*_TABLES, *_KEYS}) + r"|\\[uUx]").encode())
# The same, of a TOML that can't be read.
_RECIPE_LINE: Final = re.compile(
    rb"^[ \t]*(?:\[[ \t]*[\"']?(?:hyperparameters|optimizer|scheduler|loss)[\"']?[ \t]*[\].]|"
    rb"[\"']?(?:train_data|validation_data|random_seed|hyperparameters|optimizer)[\"']?[ \t]*[=.])",
    re.MULTILINE,
)
_HEAD: Final = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:[ \t]*\r?\n)*---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$",
    re.DOTALL | re.MULTILINE,
)
_DATA_LINE: Final = re.compile(
    rb"^(?:dataset_info|task_categories|size_categories|annotations_creators|collection_method|instance_count):",
    re.MULTILINE,
)
_MODEL_LINE: Final = re.compile(
    rb"^(?:base_model|pipeline_tag|library_name|model-index|primary_uses|training_recipe|training_data):", re.MULTILINE
)
SUFFIXES: Final = (".toml", ".md")


def kind_of(path: str, data: bytes) -> Kind | None:
    """Tell what a file is; None if it is none of ours.

    Args:
        path: As Git has it, with ``/``.
        data: Its bytes.
    """
    name = PurePosixPath(path.lower())
    for kind, named in _NAMED.items():
        if named.match(name.name):
            return kind
    for folder in name.parent.parts[::-1]:
        kind_here, suffix = _FOLDERS.get(folder, (None, ""))
        if kind_here is not None and name.suffix == suffix and name.name != "readme.md":
            return kind_here
    if name.suffix == ".toml":
        return Kind.RECIPE if _is_recipe(data) else None
    return _of_markdown(data) if name.suffix == ".md" else None


def _is_recipe(data: bytes) -> bool:
    if not _MAY_BE_RECIPE.search(data):
        return False
    try:
        values = toml.loads(data.decode("utf-8"))
    except ValueError:
        return _RECIPE_LINE.search(data) is not None
    return any(key in values for key in _KEYS) or any(isinstance(values.get(key), dict) for key in _TABLES)


def _of_markdown(data: bytes) -> Kind | None:
    head = _HEAD.match(data)
    if head is None:
        return None
    if _DATA_LINE.search(head[1]):
        return Kind.DATASET
    return Kind.MODEL if _MODEL_LINE.search(head[1]) else None
