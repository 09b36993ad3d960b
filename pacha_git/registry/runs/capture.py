"""What surrounds a run, found out without being told: the code's commit, the command line, Python, packages, hardware.

It reads this machine. What can't be found out is left out.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from pacha_git.errors import PachaError
from pacha_git.registry.runs import credentials
from pacha_git.system.process import CommandFailed, foreign_folder, run, trust_line

_INSTALLED: Final = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info\Z")
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}\Z")
_GPU_SECONDS: Final = 10
_WORDS: Final = 1000
_WORD_LENGTH: Final = 2000
_DIFF_LIMIT: Final = 64 << 20
# Whatever a person's settings and attributes say of how a difference is shown, ``git apply`` must read this one.
_DIFF: Final = (
    "diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative",
    "--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
    "--ignore-submodules=dirty", "--diff-algorithm=myers", "--output-indicator-new=+", "--output-indicator-old=-",
    "--output-indicator-context= ", "--ws-error-highlight=none",
)  # fmt: skip
_NO_OPTIONS: Final = {"GIT_DIFF_OPTS": "--unified=3", "GIT_EXTERNAL_DIFF": ""}


def environment(command: Sequence[str] | None = None, mode: str | None = None) -> dict[str, Any]:
    """Give the command line, the interpreter, the platform, and every installed package by its version; no credentials.

    Args:
        command: What is run; None is this process.
        mode: How much of the command line is recorded; see ``credentials``.
    """
    found = {
        "command": list((sys.orig_argv if command is None else command)[:_WORDS]),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": dict(sorted(_packages().items())),
    }
    known = credentials.disclosed(found, credentials.recording_mode(mode))
    return known | ({"command": [_word(word) for word in known["command"]]} if "command" in known else {})


def _word(word: str) -> str:
    """Return a word of a command line as JSON can hold it, no longer than anybody would read."""
    text = word.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _WORD_LENGTH else text[:_WORD_LENGTH] + "…"


def _packages() -> dict[str, str]:
    """Version by name of what is installed, as ``import`` gives it.

    By the names of folders: reading all metadata would take a second. Of what is there twice the place that comes first
    on the path counts, and in one place the newer, whose files replaced the other's; a module that is loaded from
    elsewhere says its version itself.
    """
    found: dict[str, str] = {}
    for place in dict.fromkeys(sys.path):
        for name, version in _installed_in(Path(place or ".")):
            if name not in found:
                found[name] = _loaded_version(name, place or ".") or version
    return found


def _installed_in(place: Path) -> list[tuple[str, str]]:
    try:
        entries = [(match, entry) for entry in place.iterdir() if (match := _INSTALLED.match(entry.name)) is not None]
    except OSError:
        return []
    named = [(match["name"].replace("_", "-").lower(), match["version"], entry) for match, entry in entries]
    if len({name for name, _, _ in named}) < len(named):
        named.sort(key=lambda each: -_written(each[2]))
    return [(name, version) for name, version, _ in named]


def _written(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _loaded_version(name: str, place: str) -> str | None:
    """What the module of a package's name says of itself, if it is loaded and does not lie where the package does."""
    module = sys.modules.get(name.replace("-", "_"))
    said = getattr(module, "__dict__", {})  # what is there: to ask a lazy module could load it, or fail
    file, version = said.get("__file__"), said.get("__version__")
    if not isinstance(file, str) or not isinstance(version, str) or not version:
        return None
    return None if Path(file).is_relative_to(Path(place).absolute()) else version


def code_folder() -> Path:
    """Tell where the code of this process lies: the folder of its main script, else the current one."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(main).resolve().parent if main else Path.cwd()
    return folder if folder.is_dir() else Path.cwd()


def code_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit that the code's work tree stands at, its branch, and whether anything in it differs from that.

    Args:
        folder: Somewhere in the work tree.

    Returns:
        ``commit``, ``branch`` (None: detached) and ``dirty``; None if it is no work tree, has no commit yet, or Git
        refuses it (``refusal`` says so).
    """
    try:
        lines = _git(folder, "status", "--porcelain=v2", "--branch", "--ignore-submodules=none").splitlines()
    except PachaError:
        return None
    head = dict(line[len("# branch.") :].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = head.get("oid", ""), head.get("head")
    if not _COMMIT.match(commit):
        return None
    dirty = any(not line.startswith("#") for line in lines)
    return {"commit": commit, "branch": None if branch == "(detached)" else credentials.clean(branch), "dirty": dirty}


def refusal(folder: Path) -> PachaError | None:
    """Tell why Git won't look at the work tree that code lies in, though there is one: it belongs to somebody else."""
    try:
        _git(folder, "rev-parse", "--git-dir")
    except CommandFailed as error:
        place = foreign_folder(error.stderr)
        if place is not None:
            return PachaError(
                f"Git refuses {place}, whose owner is another user: the run has no commit", hint=trust_line(place)
            )
    except PachaError:
        pass  # no git: nothing can be said of code
    return None


def code_diff(folder: Path) -> bytes:
    """Tell how the tracked files of the code's work tree differ from its commit, as ``git apply`` reads it.

    Raises:
        PachaError: it is no work tree, Git refuses it, it has no commit yet, or the difference is over 64 MiB.
    """
    try:
        top = Path(_git(folder, "rev-parse", "--show-toplevel", "--verify", "HEAD").rsplit("\n", 2)[0])
    except PachaError:
        raise refusal(folder) or PachaError(
            f"--diff says how code differs from its commit, and there is none in {folder}",
            hint="commit the code there with Git, or leave --diff",
        ) from None
    diff = run(["git", *_DIFF, "HEAD"], cwd=top, env=_NO_OPTIONS).stdout
    if len(diff) > _DIFF_LIMIT:
        raise PachaError(
            f"the code differs from its commit by {len(diff) >> 20} MiB", hint="commit it, or leave --diff"
        )
    return diff


def _git(folder: Path, *words: str) -> str:
    return run(["git", *words], cwd=folder, timeout=60).stdout.decode("utf-8", "replace")


@cache
def hardware() -> dict[str, Any]:
    """CPU, memory and GPUs: ``cpu_model, cpu_cores, ram_gb``, and with GPUs ``gpu_model, gpu_count, gpus``."""
    found: dict[str, Any] = {"cpu_model": _cpu_model(), "cpu_cores": os.cpu_count() or 1}
    ram = _ram_bytes()
    if ram:
        found["ram_gb"] = round(ram / 2**30, 1)
    gpus = _gpus()
    found["gpu_count"] = len(gpus)
    if gpus:
        found |= {"gpu_model": gpus[0]["name"], "gpus": gpus}
    return found


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _ram_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _gpus() -> list[dict[str, Any]]:
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        lines = run(query, timeout=_GPU_SECONDS).stdout.decode("utf-8", "replace").splitlines()
    except PachaError:
        return []  # the tool is there, and no GPU or no driver
    return [gpu for line in lines if (gpu := _gpu(line))]


def _gpu(line: str) -> dict[str, Any]:
    name, _, rest = line.partition(",")
    memory, _, driver = rest.partition(",")
    found: dict[str, Any] = {"name": name.strip(), "driver": driver.strip()}
    if memory.strip().isdigit():
        found["vram_gb"] = round(int(memory) / 1024, 1)
    return found if name.strip() else {}
