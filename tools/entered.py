"""Counts in how many modules of the package functions are entered by the first ``register`` and by a ``push``.

Each verb runs in a process of its own, on a registry in a temporary folder. A module counts if a function of it is
entered, not if it is only loaded. Few modules of a fair size are easier to follow than many small ones.

    python tools/entered.py [--list]
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pacha_git"
TARGETS = {"register": 40, "push": 45}
MOST_LINES = 300
IN_A_FUNCTION = {"<lambda>", "<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"}


def count(verb: str, folder: Path) -> dict[str, int]:
    """Do one verb in a fresh process; module → how often one of its functions was entered."""
    words = [sys.executable, __file__, "--child", verb, str(folder)]
    home = {"HOME": str(folder), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    names = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(words, env={**os.environ, **home, **names}, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def child(verb: str, folder: Path) -> None:
    """Do a verb while its calls are counted; print them as JSON."""
    import threading

    sys.path.insert(0, str(ROOT))
    from pacha_git import Registry

    if verb == "prepare":
        Registry.init(folder / "hub.git")
        Registry.init(folder / "here.git").add_remote("origin", str(folder / "hub.git"))
        (folder / "weights.bin").write_bytes(os.urandom(1 << 20))
        print("{}")
        return
    here = Registry.open(folder / "here.git")
    entered: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and is_function(code) and code.co_filename.startswith(str(PACKAGE)) and not importing(frame):
            entered[code.co_filename] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    if verb == "register":
        here.models.register("m", [folder / "weights.bin"], version="1.0.0")
    else:
        here.push()
    sys.setprofile(None)
    print(json.dumps(entered))


def importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename != __file__:
            return True
        frame = frame.f_back
    return False


def is_function(code: CodeType) -> bool:
    """Whether it is a function with a name, and no module or class that is being made."""
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and code.co_name not in IN_A_FUNCTION


def functions(path: Path) -> int:
    """How many functions a module has."""
    return sum(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def tell(verb: str, entered: dict[str, int], every: bool) -> None:
    """Print the figures of a verb, and its small modules: those are what could be joined."""
    lines = {Path(name): Path(name).read_text("utf-8").count("\n") for name in entered}
    mean = sum(lines.values()) / len(lines)
    print(f"{verb}: functions of {len(lines)} modules are entered (at most {TARGETS[verb]}), ", end="")
    print(f"of {mean:.0f} lines in the mean (at most {MOST_LINES})")
    for path, count_ in sorted(lines.items(), key=lambda each: each[1]):
        if every or count_ < 80:
            print(f"  {count_:4} lines  {functions(path):3} functions  {path.relative_to(ROOT)}")


def main() -> None:
    """Count both verbs."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    with tempfile.TemporaryDirectory() as name:
        count("prepare", Path(name))
        for verb in ("register", "push"):
            tell(verb, count(verb, Path(name)), "--list" in sys.argv)


if __name__ == "__main__":
    main()
