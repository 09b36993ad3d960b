"""Git's smart HTTP for one bare repository: three addresses, each answered by a stock ``git http-backend``.

It knows requests, who may make them, and what a child is told of them. Sockets and slow clients are http_server's; it
has never heard of a model. No error tells that a client has left: whoever answers has to watch for it, as
``_fed_and_watched`` does, or git would go on for ever.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import re
import tempfile
import zlib
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from pacha_git.system.piped import piped
from pacha_git.system.process import within_memory

READ: Final = "git-upload-pack"
WRITE: Final = "git-receive-pack"
# A request to read is a list of ids; a push has bytes, and one that is larger can be sent in parts.
READ_LIMIT: Final = 64 << 20
WRITE_LIMIT: Final = 4 << 30
AT_ONCE: Final = 8
_LONGEST_SECONDS: Final = 12 * 3600.0
_MOST_MEMORY: Final = 8 << 30
_BLOCK: Final = 1 << 18
_HEAD_LIMIT: Final = 1 << 16
_IN_MEMORY: Final = 1 << 20
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
        """Tell whether an ``Authorization`` header has the token, as Bearer or as the password of Basic."""
        given = _token_in(authorization)
        # Compared in a time that tells nothing of how much of it is right.
        return self.token is not None and hmac.compare_digest(given, self.token.encode())

    def may_write(self, authorization: str) -> bool:
        """Tell whether a request with this header may push."""
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

    def __init__(self, status: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


class Backend:
    """An ASGI application that serves one repository.

    Args:
        path: Its folder.
        access: Who may do what.
        report: Is told of each request, in one line that has no secret in it.

    Attributes:
        scratch: Where large requests wait on disk: beside the registry, which has room for them.
    """

    def __init__(self, path: Path, access: Access, report: Callable[[str], None] = lambda line: None) -> None:
        self._path = path.absolute()
        self._access = access
        self._report = report
        self.scratch = self._path
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: set[Process] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            self._check_size(request)
            service = self._admit(request)
            answer = _Answer(send)
            await self._serve(request, service, answer)
            self._say(request, answer.status, answer.sent)
        except _Refusal as refusal:
            self._say(request, refusal.status)
            code = int(refusal.status.split(" ", 1)[0])
            headers = {**_NEVER_CACHED, **refusal.headers, **({} if code == 200 else {"Connection": "close"})}
            await PlainTextResponse(refusal.text, code, headers)(scope, receive, send)
        except ClientDisconnect:
            self._say(request, "gone")

    @property
    def busy(self) -> int:
        """How many children run."""
        return len(self._running)

    # Who and what -----------------------------------------------------------------------------------------------------

    def _admit(self, request: Request) -> str:
        """Return the service that is asked for; nothing of the path goes any further.

        Raises:
            _Refusal: with what to answer instead.
        """
        host = request.headers.get("host", "")
        if self._access.local and not _is_here(host):
            raise _Refusal("421 Misdirected Request", "this server answers to an address or localhost only\n")
        asked = request.method, request.scope["path"] or "/"
        if asked in (("GET", "/"), ("HEAD", "/")):
            raise _Refusal("200 OK", _GREETING.format(url=f"http://{host}/" if host else "URL"))
        service = _service(request, *asked)
        authorization = request.headers.get("authorization", "")
        if service == WRITE and not self._access.writable:
            raise _Refusal("403 Forbidden", "this registry is served read-only\n")
        if (service == WRITE or self._access.private) and not self._access.has_token(authorization):
            wrong = "that is not the token\n" if authorization else "the token of this server is needed\n"
            raise _Refusal("401 Unauthorized", wrong, {"WWW-Authenticate": _REALM})
        return service

    def _most(self, request: Request) -> int:
        """Tell how many bytes a request may have, as it came and unpacked."""
        may_push = self._access.may_write(request.headers.get("authorization", ""))
        return WRITE_LIMIT if may_push and request.scope["path"] == f"/{WRITE}" else READ_LIMIT

    def _check_size(self, request: Request) -> None:
        said = request.headers.get("content-length", "0")
        if not said.isdigit() or int(said) > self._most(request):
            raise _too_large()

    def _say(self, request: Request, status: str, sent: int = 0) -> None:
        size = f" {sent} bytes" if sent else ""
        host = request.client.host if request.client is not None else ""
        self._report(f"{host} {request.method} {request.scope['path'][:200]} {status}{size}")

    # Asking git -------------------------------------------------------------------------------------------------------

    async def _serve(self, request: Request, service: str, answer: _Answer) -> None:
        """Have git answer; what is read whole first holds no child up, and a push goes to git as it comes."""
        body = _unpacked(request, self._most(request))
        if service == WRITE:
            async with self._slots:
                await self._ask(request, service, body, answer)
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self.scratch)) as waiting:
            async for block in body:
                waiting.write(block)
            waiting.seek(0)
            async with self._slots:
                await self._ask(request, service, _blocks(waiting), answer)

    async def _ask(self, request: Request, service: str, body: AsyncIterator[bytes], answer: _Answer) -> None:
        argv = ["git", *(word for setting in _CONFIG for word in ("-c", setting))]
        argv += ["-c", f"http.receivepack={'true' if service == WRITE else 'false'}", "http-backend"]
        async with piped(within_memory(argv, _MOST_MEMORY), env=self._cgi(request, service)) as child:
            self._running.add(child)
            copied = asyncio.create_task(answer.copy(child))
            watched = asyncio.create_task(_fed_and_watched(request, body, child))
            try:
                await asyncio.wait({copied, watched}, timeout=_LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                await _settled(copied, watched, answer)
            finally:
                for task in (copied, watched):
                    task.cancel()
                await asyncio.gather(copied, watched, return_exceptions=True)
                self._running.discard(child)

    def _cgi(self, request: Request, service: str) -> dict[str, str]:
        """Tell what the child is told: the path is our own, and no header but those that Git's protocol has."""
        path = request.scope["path"]
        told = {
            "PATH_TRANSLATED": f"{self._path}{path}",
            "PATH_INFO": path,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": f"service={service}" if path == "/info/refs" else "",
            "REMOTE_ADDR": request.client.host if request.client is not None else "",
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "GIT_PROJECT_ROOT": "",
        }
        protocol = request.headers.get("git-protocol", "")
        if _PROTOCOL.match(protocol):
            told["GIT_PROTOCOL"] = protocol
        if service == WRITE:
            told["REMOTE_USER"] = "pacha"
        return told


_NEVER_CACHED: Final = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}


class _Answer:
    """What goes to a client: its status and how many bytes so far."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = ""
        self.sent = 0

    async def copy(self, child: Process) -> None:
        """Hand on a CGI answer, head and body, as it comes; a client that is slow to take it holds git up."""
        assert child.stdout is not None
        status, headers = await _head(child.stdout)
        self.status = status
        code = int(status.split(" ", 1)[0])
        await self._send({"type": "http.response.start", "status": code, "headers": headers})
        while block := await child.stdout.read(_BLOCK):
            self.sent += len(block)
            await self._send({"type": "http.response.body", "body": block, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


async def _settled(copied: asyncio.Task[None], watched: asyncio.Task[None], answer: _Answer) -> None:
    """Say how an exchange ended: answered, or the client gone, or its request too large."""
    if copied.done():
        copied.result()
        return
    if watched.done():
        error = watched.exception()
        if isinstance(error, _Refusal) and answer.status:
            raise ClientDisconnect  # what was begun can't become a refusal any more
        watched.result()
    raise ClientDisconnect


async def _fed_and_watched(request: Request, body: AsyncIterator[bytes], child: Process) -> None:
    """Hand on a request beside reading the answer; then see the client leave: returns when it has."""
    assert child.stdin is not None
    try:
        async for block in body:
            child.stdin.write(block)
            await child.stdin.drain()
        child.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it ended before it had read all, and its answer says why
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _unpacked(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a request, unpacked by us: what is small as it came may have no end.

    Raises:
        _Refusal: it is packed in a way that Git does not use, broken, or larger than it may be.
        ClientDisconnect: the client left before it was all here.
    """
    packed = request.headers.get("content-encoding", "identity").lower()
    if packed not in ("identity", "gzip", "x-gzip"):
        raise _Refusal("415 Unsupported Media Type", "a request comes plain or as gzip\n")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16) if packed != "identity" else None
    left = most
    async for block in request.stream():
        for piece in _pieces(block, inflater):
            left -= len(piece)
            if left < 0:
                raise _too_large()
            yield piece


def _pieces(block: bytes, inflater: Any) -> Iterator[bytes]:
    if inflater is None:
        yield block
        return
    try:
        while block:
            piece = inflater.decompress(block, _BLOCK)
            block = inflater.unconsumed_tail
            yield piece
    except zlib.error:
        raise _Refusal("400 Bad Request", "that is no gzip\n") from None


async def _blocks(file: Any) -> AsyncIterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _service(request: Request, method: str, path: str) -> str:
    if (method, path) == ("GET", "/info/refs"):
        wanted = parse_qs(request.scope["query_string"].decode("latin-1")).get("service", [])
        if wanted in ([READ], [WRITE]):
            return str(wanted[0])
        raise _Refusal("403 Forbidden", "Git's dumb protocol is not spoken here\n")
    for service in (READ, WRITE):
        if path == f"/{service}":
            if method != "POST":
                raise _Refusal("405 Method Not Allowed", "POST it\n", {"Allow": "POST"})
            if request.headers.get("content-type") != f"application/x-{service}-request":
                raise _Refusal("415 Unsupported Media Type", "that is no request of Git's\n")
            return service
    raise _Refusal("404 Not Found", "there is nothing here; the registry is at /\n")


def _too_large() -> _Refusal:
    return _Refusal("413 Content Too Large", "the request is larger than it may be\n")


def _is_here(host: str) -> bool:
    """Tell whether a ``Host`` is an address or localhost, not a name that somebody let point to us."""
    name = re.sub(r":\d+\Z", "", host).strip("[]")
    if not name or name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _head(pipe: asyncio.StreamReader) -> tuple[str, list[tuple[bytes, bytes]]]:
    """Read the head of a CGI answer: status and headers."""
    status, headers, left = "200 OK", list[tuple[bytes, bytes]](), _HEAD_LIMIT
    while left > 0 and (line := await pipe.readline()).strip():
        left -= len(line)
        name, _, value = line.strip().partition(b":")
        if name.lower() == b"status":
            status = value.strip().decode("latin-1")
        else:
            headers.append((name.lower(), value.strip()))
    if not headers or not status[:3].isdigit():
        return "500 Internal Server Error", [(b"content-type", b"text/plain; charset=utf-8")]
    return status, headers
