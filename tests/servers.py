"""Starts real Git servers on loopback, each before one bare repository, and stops them without a trace.

It knows how git daemon, sshd and nginx are set up with little more than their stock configuration, and refuses to know
what a registry is. A server that is not installed skips the test and says how to get it.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests import needed

HOST = "127.0.0.1"
USER = "ada"
PATIENCE = 15.0
REPOSITORY = "registry.git"


@dataclass(frozen=True)
class Served:
    """A repository that a server offers.

    Attributes:
        url: What a client clones and pushes.
        path: The bare repository on this machine.
        environment: What a client's environment needs besides.
    """

    url: str
    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def settle(self) -> None:
        """Wait until it is done with what was pushed before a client went away: whoever tries again does so later.

        A receive-pack stands in the repository, and so does what unpacks for it. The quarantine is no sign: one that
        dies removes it while the other still writes there, and then it stays.
        """
        deadline = time.monotonic() + 2 * PATIENCE
        while self.is_at_work():
            assert time.monotonic() < deadline, "a push is still under way"
            time.sleep(0.05)

    def is_at_work(self) -> bool:
        """Whether a program of the server stands in the repository."""
        for cwd in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):  # it ended while we looked, or is another user's
                if cwd.readlink() == self.path:
                    return True
        return False


@contextmanager
def git_daemon(folder: Path) -> Iterator[Served]:
    """Serve a bare repository by ``git daemon``, with pushes allowed."""
    path = _bare_repository(folder)
    port = _free_port()
    command = ["git", "daemon", "--reuseaddr", f"--listen={HOST}", f"--port={port}", f"--base-path={folder}"]
    command += ["--export-all", "--enable=receive-pack", "--informative-errors", str(folder)]
    with _running(command, folder / "daemon.log", port):
        yield Served(f"git://{HOST}:{port}/{REPOSITORY}", path)


@contextmanager
def sshd(folder: Path) -> Iterator[Served]:
    """Serve a bare repository by OpenSSH's sshd, with keys of its own; like a stock one, it drops GIT_PROTOCOL."""
    program = needed.program("sshd", "openssh-server")
    path = _bare_repository(folder)
    port = _free_port()
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", folder / key], check=True)
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())
    (folder / "known_hosts").write_text(f"[{HOST}]:{port} {(folder / 'host_key.pub').read_text()}")
    configuration = folder / "sshd_config"
    configuration.write_text(_sshd_configuration(folder, port))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with _running([program, "-D", "-e", "-f", str(configuration)], folder / "sshd.log", port):
        yield Served(f"ssh://{getpass.getuser()}@{HOST}:{port}{path}", path, {"GIT_SSH_COMMAND": _ssh_command(folder)})


def _sshd_configuration(folder: Path, port: int) -> str:
    return "\n".join(
        [
            f"ListenAddress {HOST}:{port}",
            f"HostKey {folder}/host_key",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            "PidFile none",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "MaxStartups 100",
            f"SetEnv HOME={folder} GIT_CONFIG_NOSYSTEM=1",
            "",
        ]
    )


def _ssh_command(folder: Path) -> str:
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": folder / "known_hosts",
        "GlobalKnownHostsFile": "none",
    }
    return f"ssh -F none -i '{folder}/user_key' " + " ".join(f"-o '{name} {value}'" for name, value in options.items())


@contextmanager
def own(folder: Path) -> Iterator[Served]:
    """Serve a bare repository by our own server, with pushes for whoever has the token."""
    from pacha_git.git.wire.http import Access, Backend  # once the environment is sealed
    from pacha_git.git.wire.http_server import Server

    path = _bare_repository(folder)
    access = Access(writable=True, token="open-sesame-0123456789")
    server = Server(Backend(path, access), access, HOST, 0, path)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(f"http://{USER}:{access.token}@{HOST}:{server.address[1]}/", path)
    finally:
        server.stop()
        thread.join()


@contextmanager
def dulwich(folder: Path, *, over_http: bool) -> Iterator[Served]:
    """Serve a bare repository by dulwich's own server, which fails on shallow lines, over TCP or HTTP."""
    from wsgiref.simple_server import make_server  # once the environment is sealed

    from dulwich.repo import Repo
    from dulwich.server import BackendRepo, DictBackend, TCPGitServer
    from dulwich.web import WSGIRequestHandlerLogger, make_wsgi_chain

    path = _bare_repository(folder)
    with Repo(str(path)) as repo, ExitStack() as stack:
        offered: dict[str, BackendRepo] = {f"/{REPOSITORY}": repo}
        server = stack.enter_context(
            make_server(HOST, 0, make_wsgi_chain(DictBackend(offered)), handler_class=WSGIRequestHandlerLogger)
            if over_http
            else TCPGitServer(DictBackend(offered), HOST, 0)
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        scheme = "http" if over_http else "git"
        try:
            yield Served(f"{scheme}://{HOST}:{server.server_address[1]}/{REPOSITORY}", path)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nginx(folder: Path, *, password: str | None = None) -> Iterator[Served]:
    """Serve a bare repository by nginx and ``git http-backend``; with a password, for the user ``ada`` alone."""
    program, wrapper = needed.program("nginx", "nginx-light"), needed.program("fcgiwrap", "fcgiwrap")
    path = _bare_repository(folder)
    port, wrapper_port = _free_port(), _free_port()
    login = ""
    if password is None:
        subprocess.run(["git", "-C", path, "config", "http.receivepack", "true"], check=True)
    else:
        digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
        (folder / "htpasswd").write_text(f"{USER}:{{SHA}}{digest}\n")
        login = f"{USER}:{quote(password)}@"
    configuration = folder / "nginx.conf"
    configuration.write_text(_nginx_configuration(folder, port, wrapper_port, closed=password is not None))
    with ExitStack() as stack:
        stack.enter_context(
            _running(
                [wrapper, "-f", "-c", "4", "-s", f"tcp:{HOST}:{wrapper_port}"], folder / "fcgiwrap.log", wrapper_port
            )
        )
        stack.enter_context(
            _running([program, "-p", str(folder), "-c", str(configuration), "-e", "stderr"], folder / "nginx.log", port)
        )
        yield Served(f"http://{login}{HOST}:{port}/{REPOSITORY}", path)


def _nginx_configuration(folder: Path, port: int, wrapper_port: int, *, closed: bool) -> str:
    backend = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/nginx-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    guard = f'auth_basic "registry"; auth_basic_user_file {folder}/htpasswd;' if closed else ""
    return f"""\
daemon off;
worker_processes 1;
{f"user {getpass.getuser()};" if os.geteuid() == 0 else ""}
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
{temporary}
  access_log off;
  client_max_body_size 0;
  server {{
    listen {HOST}:{port};
    location / {{
      {guard}
      fastcgi_pass {HOST}:{wrapper_port};
      fastcgi_param SCRIPT_FILENAME {backend}/git-http-backend;
      fastcgi_param GIT_PROJECT_ROOT {folder};
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
    }}
  }}
}}
"""


def _bare_repository(folder: Path) -> Path:
    path = folder.resolve() / REPOSITORY
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[None]:
    """Run a server in a process group of its own, from its first answer until we are done with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _await_answer(process, log, port)
        yield
    finally:
        _stop(process)


def _await_answer(process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not come up:\n{log.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, first politely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)
