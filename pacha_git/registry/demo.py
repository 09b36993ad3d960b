"""The whole story on real data, in a folder that is thrown away: train, register, sign, push, clone, pull, predict.

It uses the public API alone, asks the network for nothing but the loopback, and fails if any step is not as it says.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import blake3

from pacha_git.errors import PachaError
from pacha_git.registry.reading.lineage import render_lineage
from pacha_git.registry.registry import Registry
from pacha_git.registry.upkeep.keys import generate_key
from pacha_git.system.process import run as run_program
from pacha_git.system.process import started

Report = Callable[[str], None]

_PERSON: Final = {
    "GIT_AUTHOR_NAME": "Ada Demo",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
}
_RECIPE: Final = """\
name = "digits-mlp"
version = "1.0.0"
description = "One hidden layer on the 8x8 digits of the UCI repository"
architecture = "mlp"
train_data = "data:digits@1.0.0"
random_seed = 7
deterministic = true

[hyperparameters]
learning_rate = 0.01
batch_size = 64
epochs = 8
hidden = 128

[optimizer]
type = "adam"

[metrics.accuracy]
goal = "maximize"
"""
_WAIT_SECONDS: Final = 20.0


def run_demo(report: Report) -> None:
    """Run the demo.

    Args:
        report: Is told each step, a line or a few at a time.

    Raises:
        PachaError: a step did not do what it must, or the extra ``demo`` is not installed.
    """
    _need_extra()
    with tempfile.TemporaryDirectory(prefix="pacha-demo-") as folder, _as_somebody_else(Path(folder)):
        _tell(Path(folder), report)


def _need_extra() -> None:
    try:
        import safetensors
        import sklearn
    except ImportError as error:
        raise PachaError(f"the demo needs {error.name}", hint="pip install 'pacha-git[demo]'") from None
    assert safetensors is not None
    assert sklearn is not None


@contextmanager
def _as_somebody_else(folder: Path) -> Iterator[None]:
    """Yield a home and a Git identity of the demo's own, so that nothing of the person's is read or touched."""
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").touch()
    mine = {
        **_PERSON,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    mine["GIT_CONFIG_GLOBAL"] = str(home / ".gitconfig")
    before = {key: os.environ.get(key) for key in mine}
    os.environ.update(mine)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@dataclass(frozen=True, slots=True)
class _Trained:
    """A classifier as files, and what it says of samples that it has not seen."""

    folder: Path
    accuracy: float
    predictions: list[int]


def _tell(folder: Path, report: Report) -> None:
    here = Registry.init(folder / "here.git")
    report(f"made a registry: a bare Git repository\n  {here.path.name}")
    lesson = _Lesson(folder)
    report(f"took the digits of scikit-learn: {lesson.samples} images, written as CSV")
    data = here.datasets.register("digits", lesson.data, version="1.0.0", purpose="Handwritten digits, 8x8 pixels")
    (folder / "recipe.toml").write_text(_RECIPE)
    here.recipes.register(folder / "recipe.toml")
    first = lesson.train(folder / "v1", epochs=8)
    _register(here, first, "1.0.0", [])
    report(f"trained a network: accuracy {first.accuracy:.3f} on unseen samples; registered as digits-mlp 1.0.0")
    second = lesson.train(folder / "v2", epochs=24)
    tuned = _register(here, second, "1.1.0", ["fine-tuned-from=digits-mlp@1.0.0,epochs=24"])
    report(f"trained it further: accuracy {second.accuracy:.3f}; registered as digits-mlp 1.1.0")
    _expect(tuned.payload == "here" and data.file_count == 2, "what was registered is not here")
    _promote_and_sign(here, report)
    with _git_daemon(folder / "served") as url:
        _over_the_wire(here, url, folder, lesson, second, report)
    report(render_lineage(here.models.lineage("digits-mlp@production"), "tree").rstrip())
    stats = here.stats()
    registered = f"{stats.payload_bytes:,} bytes in {stats.versions} versions"
    report(f"registered {registered}; Git keeps {stats.stored_bytes:,} bytes on disk")


def _register(registry: Registry, trained: _Trained, version: str, lineage: list[str]) -> Any:
    return registry.models.register(
        "digits-mlp",
        trained.folder,
        version=version,
        description="Reads handwritten digits",
        metrics={"accuracy": trained.accuracy},
        data="digits@1.0.0",
        recipe="digits-mlp@1.0.0",
        lineage=lineage,
        tags={"task": "image-classification"},
    )


def _promote_and_sign(registry: Registry, report: Report) -> None:
    moved = registry.models.stage("digits-mlp@1.1.0", "production", reason="better on unseen samples")
    _expect(len(moved.steps) == 2, "a promotion from development must record two steps")
    report("promoted 1.1.0 to production: " + ", ".join(f"{a} -> {b}" for a, b in moved.steps))
    key = generate_key()
    registry.trust_key(f"{key.path}.pub", "ada@example.org")
    signed = registry.sign("model:digits-mlp@1.1.0")
    _expect(signed.signed_by == "ada@example.org", "the signature is not the one that was made")
    report(f"signed it with a new Ed25519 key: {key.fingerprint}")


def _over_the_wire(here: Registry, url: str, folder: Path, lesson: _Lesson, trained: _Trained, report: Report) -> None:
    here.add_remote("origin", url)
    pushed = here.push()
    _expect(pushed.payloads == 3, "three payloads must have been pushed")
    report(f"pushed everything to a stock git daemon: {len(pushed.refs)} refs\n  {url}")
    there = Registry.clone(url, folder / "there.git")
    _expect(there.models.get("digits-mlp@production").payload == "thin", "a clone must bring no bytes unless asked")
    there.pull(specs=["model:digits-mlp@production"])
    report("cloned it as another machine would: all records, no bytes; then pulled the model in production")
    [verified] = there.verify(["model:digits-mlp@production"])
    _expect(verified.ok and verified.payload_ok is True, f"verification: {verified.problems}")
    out = there.models.download("digits-mlp@production", folder / "served-model")
    _expect(_hashes(out) == _hashes(trained.folder), "the downloaded files are not the registered ones")
    report(f"verified by {verified.signer}: every byte of {len(_hashes(out))} files is what was registered")
    _expect(lesson.predict(out) == trained.predictions, "the pulled model predicts something else")
    report(f"loaded it there: it predicts the same {len(trained.predictions)} digits")


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): blake3.blake3(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise PachaError(f"the demo failed: {otherwise}")


class _Lesson:
    """The digits, a network to learn them, and the files that it is kept in."""

    def __init__(self, folder: Path) -> None:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        self.samples = len(images)
        parts = train_test_split(images / 16.0, labels, test_size=0.25, random_state=7)
        self._train, self._unseen, self._train_labels, self._unseen_labels = parts
        self._network: Any = None
        self.data = folder / "digits"
        self.data.mkdir()
        self._write("train.csv", self._train, self._train_labels)
        self._write("unseen.csv", self._unseen, self._unseen_labels)

    def _write(self, name: str, images: Any, labels: Any) -> None:
        head = ",".join([f"pixel{at}" for at in range(images.shape[1])] + ["digit"])
        rows = [
            ",".join([f"{value:g}" for value in row] + [str(digit)]) for row, digit in zip(images, labels, strict=True)
        ]
        (self.data / name).write_text("\n".join([head, *rows]) + "\n")

    def train(self, folder: Path, *, epochs: int) -> _Trained:
        """Train on from where the network is, and write it as safetensors and JSON."""
        import numpy
        from safetensors.numpy import save_file
        from sklearn.neural_network import MLPClassifier

        if self._network is None:
            self._network = MLPClassifier((128,), learning_rate_init=0.01, batch_size=64, random_state=7)
        for _ in range(epochs):
            self._network.partial_fit(self._train, self._train_labels, classes=numpy.arange(10))
        folder.mkdir()
        layers = zip(self._network.coefs_, self._network.intercepts_, strict=True)
        tensors = {}
        for at, (weight, bias) in enumerate(layers):
            tensors[f"layer{at}.weight"] = numpy.ascontiguousarray(weight, dtype=numpy.float32)
            tensors[f"layer{at}.bias"] = numpy.ascontiguousarray(bias, dtype=numpy.float32)
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"layers": 2, "activation": "relu", "classes": 10}) + "\n")
        predictions = self.predict(folder)
        right = sum(a == b for a, b in zip(predictions, self._unseen_labels.tolist(), strict=True))
        return _Trained(folder, right / len(predictions), predictions)

    def predict(self, folder: Path) -> list[int]:
        """Load a network from its files and read the unseen images with it."""
        import numpy
        from safetensors.numpy import load_file

        tensors = load_file(folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text())
        values = self._unseen.astype(numpy.float32)
        for at in range(config["layers"]):
            values = values @ tensors[f"layer{at}.weight"] + tensors[f"layer{at}.bias"]
            if at < config["layers"] - 1:
                values = numpy.maximum(values, 0)
        return [int(digit) for digit in values.argmax(axis=1)]


@contextmanager
def _git_daemon(served: Path) -> Iterator[str]:
    """Yield a stock git daemon on the loopback that serves one empty bare repository."""
    bare = served / "registry.git"
    run_program(["git", "init", "--quiet", "--bare", str(bare)])
    port = _free_port()
    argv = ["git", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"]
    with started([*argv, f"--port={port}", f"--base-path={served}", str(served)]) as daemon:
        until = time.monotonic() + _WAIT_SECONDS
        while not _answers(port):
            if daemon.poll() is not None or time.monotonic() > until:
                raise PachaError(
                    "git daemon did not start", hint="is it installed with your git? try git daemon --help"
                )
            time.sleep(0.05)
        yield f"git://127.0.0.1:{port}/registry.git"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
