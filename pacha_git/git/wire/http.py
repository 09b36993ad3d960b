"""Git's smart HTTP for one bare repository: three addresses, each answered by a stock ``git http-backend``.

It knows requests, who may make them, and what a child is told of them. Sockets and limits on clients are httpserver's;
it has never heard of a model.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import parse_qs

from pacha_git.system.process import Child, started

READ: Final = "git-upload-pack"
WRITE: Final = "git-receive-pack"
# A request to read is a list of ids; a push has bytes, and one that is larger can be sent in parts.
READ_LIMIT: Final = 64 << 20
WRITE_LIMIT: Final = 4 << 30
_LONGEST_SECONDS: Final = 12 * 3600.0
_BLOCK: Final = 1 << 18
_HEAD_LIMIT: Final = 1 << 16
_PROTOCOL: Final = re.compile(r"[a-z0-9=:]{1,100}\Z")
_REALM: Final = 'Basic realm="pacha registry: any name, the token as password", charset="UTF-8"'
_GREETING: Final = "A registry of pacha-git.\n\n    git pacha clone {url}\n"
# What arrives stays a pack; what was last seen of others is nobody's; our own gc alone collects.
_CONFIG: Final = (
    "receive.unpackLimit=1", "transfer.unpackLimit=1", "transfer.hideRefs=refs/remotes", "receive.autogc=false",
    "receive.fsckObjects=true", "uploadpack.allowAnySHA1InWant=true", "uploadpack.allowFilter=true",
    "core.packedGitWindowSize=16m", "core.packedGitLimit=128m",
    f"receive.maxInputSize={WRITE_LIMIT}", f"http.maxRequestBuffer={READ_LIMIT}",
)  # fmt: skip

Environ = Mapping[str, Any]


class StartResponse(Protocol):
    """As in PEP 3333."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begin the answer."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what.

    Attributes:
        writable: Whether whoever has the token may push.
        private: Whether reading takes the token too.
        token: The token; None if nothing takes one.
        local: Whether only this machine is served: then a name in ``Host`` is a trick of a web page.
    """

    writable: bool = False
    private: bool = False
    token: str | None = field(default=None, repr=False)
    local: bool = True

    def has_token(self, authorization: str) -> bool:
        """Whether an ``Authorization`` header has the token, as Bearer or as the password of Basic."""
        given = _token_in(authorization)
        # Compared in a time that tells nothing of how much of it is right.
        return self.token is not None and hmac.compare_digest(given, self.token.encode())

    def may_write(self, authorization: str) -> bool:
        """Whether a request with this header may push."""
        return self.writable and self.has_token(authorization)


def _token_in(authorization: str) -> bytes:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("latin-1", "replace")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


class _Refusal(Exception):
    """A request that no git is asked about."""

    def __init__(self, status: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.text = text
        self.headers = headers


class Backend:
    """A WSGI application that serves one repository.

    Args:
        path: Its folder.
        access: Who may do what.
        report: Is told of each request, in one line that has no secret in it.
    """

    def __init__(self, path: Path, access: Access, report: Callable[[str], None] = lambda line: None) -> None:
        self._path = path.absolute()
        self._access = access
        self._report = report
        self._lock = threading.Lock()
        self._running: dict[Child, tuple[float, Callable[[], bool]]] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        try:
            service = self._admit(environ)
        except _Refusal as refusal:
            self._say(environ, refusal.status)
            body = refusal.text.encode()
            headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
            start_response(refusal.status, [*headers, *refusal.headers, *_NEVER_CACHED])
            return [body]
        return self._answer(environ, service, start_response)

    @property
    def busy(self) -> int:
        """How many children run."""
        return len(self._running)

    def sweep(self) -> None:
        """End what runs for a client that is gone, or far too long."""
        with self._lock:
            running = dict(self._running)
        for child, (since, is_gone) in running.items():
            if is_gone() or time.monotonic() - since > _LONGEST_SECONDS:
                child.terminate()

    def close(self) -> None:
        """End all that runs."""
        with self._lock:
            for child in self._running:
                child.terminate()

    # Who and what -----------------------------------------------------------------------------------------------------

    def _admit(self, environ: Environ) -> str:
        """The service that is asked for; nothing of the path goes any further.

        Raises:
            _Refusal: with what to answer instead.
        """
        host = str(environ.get("HTTP_HOST", ""))
        if self._access.local and not _is_here(host):
            raise _Refusal("421 Misdirected Request", "this server answers to an address or localhost only\n")
        asked = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "") or "/"
        if asked in (("GET", "/"), ("HEAD", "/")):
            raise _Refusal("200 OK", _GREETING.format(url=f"http://{host}/" if host else "URL"))
        service = self._service(environ, *asked)
        authorization = str(environ.get("HTTP_AUTHORIZATION", ""))
        if service == WRITE and not self._access.writable:
            raise _Refusal("403 Forbidden", "this registry is served read-only\n")
        if (service == WRITE or self._access.private) and not self._access.has_token(authorization):
            wrong = "that is not the token\n" if authorization else "the token of this server is needed\n"
            raise _Refusal("401 Unauthorized", wrong, (("WWW-Authenticate", _REALM),))
        return service

    def _service(self, environ: Environ, method: str, path: str) -> str:
        if (method, path) == ("GET", "/info/refs"):
            wanted = parse_qs(str(environ.get("QUERY_STRING", ""))).get("service", [])
            if wanted in ([READ], [WRITE]):
                return wanted[0]
            raise _Refusal("403 Forbidden", "Git's dumb protocol is not spoken here\n")
        for service in (READ, WRITE):
            if path == f"/{service}":
                if method != "POST":
                    raise _Refusal("405 Method Not Allowed", "POST it\n", (("Allow", "POST"),))
                if environ.get("CONTENT_TYPE") != f"application/x-{service}-request":
                    raise _Refusal("415 Unsupported Media Type", "that is no request of Git's\n")
                return service
        raise _Refusal("404 Not Found", "there is nothing here; the registry is at /\n")

    def _say(self, environ: Environ, status: str, sent: int = 0) -> None:
        path = str(environ.get("PATH_INFO", ""))[:200]
        size = f" {sent} bytes" if sent else ""
        self._report(f"{environ.get('REMOTE_ADDR', '')} {environ['REQUEST_METHOD']} {path} {status}{size}")

    # Asking git -------------------------------------------------------------------------------------------------------

    def _answer(self, environ: Environ, service: str, start_response: StartResponse) -> Iterator[bytes]:
        argv = ["git", *(word for setting in _CONFIG for word in ("-c", setting))]
        argv += ["-c", f"http.receivepack={'true' if service == WRITE else 'false'}", "http-backend"]
        is_gone = environ.get("waitress.client_disconnected", lambda: False)
        sent = 0
        with started(argv, env=self._cgi(environ, service), apart=True) as child, self._counted(child, is_gone):
            _background(_feed, environ["wsgi.input"], child.stdin)
            _background(_drain, child.stderr)
            assert child.stdout is not None
            status, headers = _head(child.stdout)
            start_response(status, headers)
            while block := child.stdout.read1(_BLOCK):  # type: ignore[attr-defined]
                sent += len(block)
                yield block
        self._say(environ, status, sent)

    @contextmanager
    def _counted(self, child: Child, is_gone: Callable[[], bool]) -> Iterator[None]:
        with self._lock:
            self._running[child] = time.monotonic(), is_gone
        try:
            yield
        finally:
            with self._lock:
                del self._running[child]

    def _cgi(self, environ: Environ, service: str) -> dict[str, str]:
        """What the child is told: the path is our own, and no header but those that Git's protocol has."""
        path = str(environ["PATH_INFO"])
        told = {
            "PATH_TRANSLATED": f"{self._path}{path}",
            "PATH_INFO": path,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": str(environ["REQUEST_METHOD"]),
            "QUERY_STRING": f"service={service}" if path == "/info/refs" else "",
            "REMOTE_ADDR": str(environ.get("REMOTE_ADDR", "")),
            "CONTENT_TYPE": str(environ.get("CONTENT_TYPE", "")),
            "CONTENT_LENGTH": str(environ.get("CONTENT_LENGTH", "")),
            "GIT_PROJECT_ROOT": "",
        }
        if environ.get("HTTP_CONTENT_ENCODING") in ("gzip", "x-gzip"):
            told["HTTP_CONTENT_ENCODING"] = "gzip"
        protocol = str(environ.get("HTTP_GIT_PROTOCOL", ""))
        if _PROTOCOL.match(protocol):
            told["GIT_PROTOCOL"] = protocol
        if service == WRITE:
            told["REMOTE_USER"] = "pacha"
        return told


_NEVER_CACHED: Final = (("Cache-Control", "no-cache, max-age=0, must-revalidate"),)


def _is_here(host: str) -> bool:
    """Whether a ``Host`` is an address or localhost, not a name that somebody let point to us."""
    name = re.sub(r":\d+\Z", "", host).strip("[]")
    if not name or name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _head(pipe: IO[bytes]) -> tuple[str, list[tuple[str, str]]]:
    """Read the head of a CGI answer: status and headers."""
    status, headers, left = "200 OK", list[tuple[str, str]](), _HEAD_LIMIT
    while left > 0 and (line := pipe.readline(left)).strip():
        left -= len(line)
        name, _, value = line.decode("latin-1").strip().partition(":")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    if not headers:
        return "500 Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")]
    return status, headers


def _background(target: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _feed(body: IO[bytes], pipe: IO[bytes]) -> None:
    """Hand on the request beside reading the answer: git tells of its progress before it has read all."""
    try:
        while block := body.read(_BLOCK):
            pipe.write(block)
        pipe.close()
    except (BrokenPipeError, ValueError):
        pass  # it ended, or was ended, before it had read all


def _drain(pipe: IO[bytes]) -> None:
    """Let the child's complaints go: they are for a server's log, and may name paths of this machine."""
    try:
        while pipe.read(_BLOCK):
            pass
    except ValueError:
        pass  # it was ended
