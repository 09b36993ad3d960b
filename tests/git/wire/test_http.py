"""Smart HTTP in front of one bare repository, as stock git and rude clients meet it."""

from __future__ import annotations

import base64
import gzip
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from pacha_git.errors import PachaError
from pacha_git.git.wire import http, http_server
from pacha_git.git.wire.http import Access, Backend
from pacha_git.git.wire.http_server import Server

TOKEN = "a-token-of-more-than-16"
WRITABLE = Access(writable=True, token=TOKEN)

pytestmark = pytest.mark.server


class Running:
    """A server in a thread, with what it said."""

    def __init__(self, repository: Path, access: Access) -> None:
        self.said: list[str] = []
        self.backend = Backend(repository, access, self.said.append)
        self.server = Server(self.backend, access, "127.0.0.1", 0, repository)
        self.port = self.server.address[1]
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}
        connection.close()
        return found

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def running(repository: Path, access: Access = Access()) -> Iterator[Running]:  # noqa: B008 — it is immutable
    served = Running(repository, access)
    try:
        yield served
    finally:
        served.stop()


def git(*words: str | Path, code: int = 0, **settings: str) -> str:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "HOME": str(Path.home())}
    done = subprocess.run(
        ["git", *map(str, words)], capture_output=True, text=True, timeout=60, check=False, env=environment | settings
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with one commit on main."""
    path = tmp_path / "served repository.git"
    git("init", "-q", "--bare", "-b", "main", path)
    work = tmp_path / "clone"
    git("init", "-q", "-b", "main", work)
    for folder in (path, work):  # what does not compress need not be tried
        git("-C", folder, "config", "core.compression", "0")
        git("-C", folder, "config", "transfer.unpackLimit", "1")
    (work / "file").write_bytes(b"hello\n")
    git("-C", work, "add", "file")
    git("-C", work, "commit", "-qm", "one")
    git("-C", work, "push", "-q", path, "main")
    return path


def commit(work: Path, size: int) -> str:
    """One commit more, with a file that does not compress."""
    (work / "file").write_bytes(os.urandom(size))
    git("-C", work, "commit", "-qam", "more")
    return git("-C", work, "rev-parse", "HEAD").strip()


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"somebody:{password}".encode()).decode()


def test_stock_git_clones_and_fetches_with_either_protocol(repository: Path, tmp_path: Path) -> None:
    with running(repository) as served:
        for version in ("0", "2"):
            out = tmp_path / f"clone{version}"
            said = git("-c", f"protocol.version={version}", "clone", served.url, out, GIT_TRACE_PACKET="1")
            assert ("version 2" in said) == (version == "2")
            assert (out / "file").read_bytes() == b"hello\n"
        assert "200 OK" in served.said[0]


def test_read_only_refuses_a_push_and_says_so(repository: Path, tmp_path: Path) -> None:
    with running(repository) as served:
        said = git("-C", tmp_path / "clone", "push", served.url, "main:other", code=128)
        assert "served read-only" in said
        assert (
            served.ask("POST", "/git-receive-pack", b"0000", Content_Type="application/x-git-receive-pack-request")[0]
            == 403
        )
    assert "other" not in git("-C", repository, "for-each-ref")


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_push_with_the_token_in_a_header_or_in_the_url(
    repository: Path, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The larger one goes as chunks: it exceeds http.postBuffer. It waits beside the repository."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    work = tmp_path / "clone"
    with running(repository, WRITABLE) as served:
        head = commit(work, size)
        git("-C", work, "-c", f"http.extraHeader=Authorization: Bearer {TOKEN}", "push", served.url, "main")
        assert git("-C", repository, "rev-parse", "main").strip() == head
        git("-C", work, "push", served.url.replace("//", f"//anybody:{TOKEN}@"), "main:second")
        assert git("-C", repository, "rev-parse", "second").strip() == head
        assert TOKEN not in "".join(served.said)
    assert TOKEN not in repr(WRITABLE)
    assert list((repository / "objects/pack").glob("*.pack"))


def test_a_credential_helper_is_asked(repository: Path, tmp_path: Path) -> None:
    work = tmp_path / "clone"
    helper = f"!f() {{ test $1 = get && printf 'username=me\\npassword={TOKEN}\\n'; }}; f"
    with running(repository, WRITABLE) as served:
        git("-C", work, "-c", f"credential.helper={helper}", "push", served.url, "main:helped")
    assert "helped" in git("-C", repository, "for-each-ref")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong-token-of-some-length", basic("wrong"), "Basic !!!", "Bearer "]
)
def test_a_wrong_token_is_refused(repository: Path, tmp_path: Path, authorization: str) -> None:
    header = {"Authorization": authorization} if authorization else {}
    with running(repository, WRITABLE) as served:
        status, _, headers = served.ask("GET", "/info/refs?service=git-receive-pack", **header)
        assert status == 401
        assert headers["www-authenticate"].startswith("Basic ")
        words = ["-c", f"http.extraHeader=Authorization: {authorization}"] if authorization else []
        git(*words, "-C", tmp_path / "clone", "push", served.url, "main:other", code=128)
        assert served.ask("GET", "/info/refs?service=git-receive-pack", Authorization=basic(TOKEN))[0] == 200
    assert "other" not in git("-C", repository, "for-each-ref")


def test_a_private_one_lets_nobody_read_without_the_token(repository: Path, tmp_path: Path) -> None:
    with running(repository, Access(private=True, token=TOKEN)) as served:
        git("clone", "-q", served.url, tmp_path / "no", code=128)
        git("clone", "-q", served.url.replace("//", f"//x:{TOKEN}@"), tmp_path / "yes")
        said = git("-C", tmp_path / "clone", "push", served.url.replace("//", f"//x:{TOKEN}@"), "main:other", code=128)
        assert "served read-only" in said


def test_two_clients_at_once(repository: Path, tmp_path: Path) -> None:
    with running(repository, WRITABLE) as served:
        url = served.url.replace("//", f"//x:{TOKEN}@")
        for name in ("a", "b"):
            git("clone", "-q", url, tmp_path / name)
            commit(tmp_path / name, 2 << 20)
        argv = [["git", "-C", str(tmp_path / name), "push", "-q", url, f"main:{name}"] for name in ("a", "b")]
        argv += [["git", "clone", "-q", url, str(tmp_path / name)] for name in ("c", "d")]
        children = [subprocess.Popen(each) for each in argv]
        assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    assert len(git("-C", repository, "for-each-ref").splitlines()) == 3


def test_a_compressed_request(repository: Path) -> None:
    listing = b"0014command=ls-refs\n0001" + b"0000"
    kind = "application/x-git-upload-pack-request"
    with running(repository) as served:
        head = {"Content_Type": kind, "Git_Protocol": "version=2"}
        plain = served.ask("POST", "/git-upload-pack", listing, **head)
        packed = served.ask("POST", "/git-upload-pack", gzip.compress(listing), Content_Encoding="gzip", **head)
        assert plain[0] == 200
        assert b"refs/heads/main" in plain[1]
        assert packed[1] == plain[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/info/refs", 403),
        ("GET", "/info/refs?service=git-upload-archive", 403),
        ("GET", "/info/refs?service=git-upload-pack&service=git-receive-pack", 403),
        ("GET", "/../clone/.git/HEAD", 404),
        ("GET", "/%2e%2e/clone/.git/HEAD", 404),
        ("GET", "/../info/refs?service=git-upload-pack", 404),
        ("GET", "/config", 404),
        ("GET", "/objects/info/packs", 404),
        ("GET", "/git-upload-pack", 405),
        ("POST", "/git-upload-pack", 415),
        ("PUT", "/info/refs?service=git-upload-pack", 404),
    ],
)
def test_nothing_else_is_there(repository: Path, method: str, path: str, status: int) -> None:
    with running(repository, WRITABLE) as served:
        assert served.ask(method, path)[0] == status


def test_a_web_page_can_not_point_a_name_of_its_own_to_us(repository: Path) -> None:
    with running(repository) as served:
        asked = "/info/refs?service=git-upload-pack"
        assert served.ask("GET", asked, Host="rebound.example:9420")[0] == 421
        for host in ("localhost:9420", "127.0.0.1", "[::1]:80"):
            assert served.ask("GET", asked, Host=host)[0] == 200
    with running(repository, Access(local=False)) as served:
        assert served.ask("GET", asked, Host="laptop.example:9420")[0] == 200


def test_who_may_not_push_can_not_fill_the_disk(repository: Path) -> None:
    kind = "application/x-git-receive-pack-request"
    with running(repository, WRITABLE) as served, socket.create_connection(("127.0.0.1", served.port)) as client:
        head = (
            f"POST /git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {1 << 30}\r\n\r\n"
        )
        client.sendall(head.encode())
        assert client.recv(100).partition(b" ")[2].startswith(b"413")


def test_headers_without_end_are_cut_off(repository: Path) -> None:
    with running(repository) as served, socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 17))
        assert client.recv(100).partition(b" ")[2].startswith(b"431")


@pytest.mark.parametrize("body", [False, True])
def test_a_client_that_only_pretends_to_be_there_is_dropped(
    repository: Path, monkeypatch: pytest.MonkeyPatch, body: bool
) -> None:
    monkeypatch.setattr(http_server, "_READ_SECONDS" if body else "_HEADER_SECONDS", 0.5)
    head = b"POST /git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n" + (b"\r\n" if body else b"")
    with running(repository) as served, socket.create_connection(("127.0.0.1", served.port)) as client:
        begun = time.monotonic()
        client.sendall(head)
        client.settimeout(0.2)
        closed = False
        while not closed and time.monotonic() - begun < 10:
            try:
                client.sendall(b"X-Drop: a\r\n")
                closed = client.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
        assert closed
        assert served.ask("GET", "/")[0] == 200


def test_a_client_that_leaves_takes_its_git_with_it(repository: Path, tmp_path: Path) -> None:
    commit(tmp_path / "clone", 24 << 20)
    git("-C", tmp_path / "clone", "push", "-q", repository, "main")
    wanted = git("-C", repository, "rev-parse", "main").strip()
    body = f"0032want {wanted}\n00000009done\n".encode()
    with running(repository) as served:
        head = f"POST /git-upload-pack HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(head.encode() + b"Content-Type: application/x-git-upload-pack-request\r\n\r\n" + body)
            assert client.recv(10).startswith(b"HTTP/1.1")
            assert served.backend.busy == 1
        until = time.monotonic() + 20
        while served.backend.busy and time.monotonic() < until:
            time.sleep(0.05)
        assert served.backend.busy == 0


def test_a_request_under_way_may_end_and_no_other_begins(repository: Path, tmp_path: Path) -> None:
    commit(tmp_path / "clone", 24 << 20)
    git("-C", tmp_path / "clone", "push", "-q", repository, "main")
    wanted = git("-C", repository, "rev-parse", "main").strip()
    body = f"0032want {wanted}\n00000009done\n".encode()
    head = f"POST /git-upload-pack HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    with running(repository) as served, socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(head.encode() + b"Content-Type: application/x-git-upload-pack-request\r\n\r\n" + body)
        got = len(client.recv(10))
        served.server.stop()
        time.sleep(0.2)
        while block := client.recv(1 << 20):
            got += len(block)
        served.thread.join(20)
        assert got > 24 << 20
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", served.port))


FOREVER = """\
#!/bin/sh
case "$*" in *http-backend*) ;; *) exec %s "$@";; esac
printf 'Content-Type: text/plain\\r\\n\\r\\n'
yes "of a line that never ends" &
echo "$$ $!" > %s
wait
"""


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


@pytest.mark.parametrize("how", ["leaves", "takes nothing", "stop"])
def test_a_git_without_end_ends_with_its_client(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    stock = shutil.which("git")
    script, said = tmp_path / "bin/git", tmp_path / "pids"
    script.parent.mkdir()
    script.write_text(FOREVER % (stock, said))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    if how == "takes nothing":
        monkeypatch.setattr(http_server, "_STALLED_SECONDS", 0.5)
    with running(repository) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(b"GET /info/refs?service=git-upload-pack HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = 0
            while got < 1 << 20:
                got += len(client.recv(1 << 16))
            pids = [int(word) for word in said.read_text().split()]
            assert all(map(_alive, pids))
            begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if how == "stop":
                served.server.stop()
                served.server.stop()
            until = time.monotonic() + 20
            while how != "leaves" and any(map(_alive, pids)) and time.monotonic() < until:
                time.sleep(0.05)
        until = time.monotonic() + 20
        while any(map(_alive, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(_alive, pids))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun < 64 << 10


def test_a_small_request_that_unpacks_to_a_large_one(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_LIMIT", 1 << 20)
    bomb = gzip.compress(b"0032want %s\n" % (b"1" * 40) * 100_000)
    assert len(bomb) < 1 << 18
    kind = {"Content_Type": "application/x-git-upload-pack-request"}
    with running(repository) as served:
        assert served.ask("POST", "/git-upload-pack", bomb, Content_Encoding="gzip", **kind)[0] == 413
        assert served.ask("POST", "/git-upload-pack", b"no gzip", Content_Encoding="gzip", **kind)[0] == 400
        assert served.ask("POST", "/git-upload-pack", b"0000", Content_Encoding="br", **kind)[0] == 415
        assert served.backend.busy == 0


def _is_dropped(client: socket.socket) -> bool:
    try:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client.recv(1) == b""
    except ConnectionError:
        return True


def test_more_connections_than_there_may_be(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_CONNECTIONS", 3)
    with running(repository) as served:
        held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(3)]
        time.sleep(0.3)
        with socket.create_connection(("127.0.0.1", served.port)) as more:
            assert _is_dropped(more)
        for each in held:
            each.close()
        time.sleep(0.3)
        assert served.ask("GET", "/")[0] == 200


def test_an_idle_connection_is_dropped(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_IDLE_SECONDS", 0.5)
    with running(repository) as served, socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(10)
        with suppress(ConnectionError):
            while client.recv(1 << 16):
                pass


def test_an_address_that_is_taken(repository: Path) -> None:
    with running(repository) as served, pytest.raises(PachaError, match="can't listen on 127"):
        Server(Backend(repository, Access()), Access(), "127.0.0.1", served.port, repository)
    with pytest.raises(PachaError, match="can't listen"):
        Server(Backend(repository, Access()), Access(), "no such host", 0, repository)
