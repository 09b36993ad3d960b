"""Check the sizes and names that keep the package easy to find one's way in; ``make check`` runs it.

Prints every breach and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent.parent / "pacha_git"
MOST_LINES_OF_A_FILE: Final = 500
MOST_LINES_OF_A_FUNCTION: Final = 60
LONG_FUNCTION: Final = 40
MOST_LONG_FUNCTIONS: Final = 0.05
MOST_MODULES_OF_A_FOLDER: Final = 15


def breaches(package: Path) -> Iterator[str]:
    """Yield one sentence for each limit that a file, function, folder or class name breaks."""
    modules = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
    yield from _files(modules, package)
    yield from _functions(modules)
    yield from _class_names(modules)


def _files(modules: dict[Path, ast.Module], package: Path) -> Iterator[str]:
    folders: dict[Path, int] = defaultdict(int)
    for path in modules:
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES_OF_A_FILE:
            yield f"{path}: {lines} lines, of {MOST_LINES_OF_A_FILE} at most"
        folders[path.parent] += path.name != "__init__.py"
    for folder, count in folders.items():
        if count > MOST_MODULES_OF_A_FOLDER and folder != package:
            yield f"{folder}: {count} modules, of {MOST_MODULES_OF_A_FOLDER} at most"


def _functions(modules: dict[Path, ast.Module]) -> Iterator[str]:
    lengths: list[int] = []
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
                if lengths[-1] > MOST_LINES_OF_A_FUNCTION:
                    yield f"{path}:{node.lineno}: {node.name} has {lengths[-1]} lines"
    long = sum(length > LONG_FUNCTION for length in lengths)
    if long > MOST_LONG_FUNCTIONS * len(lengths):
        yield f"{long} of {len(lengths)} functions have over {LONG_FUNCTION} lines"


def _class_names(modules: dict[Path, ast.Module]) -> Iterator[str]:
    places: dict[str, list[Path]] = defaultdict(list)
    for path, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            yield f"class {name} is defined {len(paths)} times: {', '.join(map(str, paths))}"


def main() -> int:
    """Print the breaches; 1 if there are any."""
    found = list(breaches(PACKAGE))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
