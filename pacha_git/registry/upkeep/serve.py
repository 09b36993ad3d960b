"""Offers a registry to other machines over Git's smart HTTP, for whoever has no Git server.

It knows who is let in and what a person has to be told of it; how requests are answered is git.http's.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from typing import Final

from pacha_git.errors import InvalidInput
from pacha_git.git.wire.http import Access, Backend
from pacha_git.git.wire.http_server import Server
from pacha_git.session.results import Json
from pacha_git.session.session import Session

HOST: Final = "127.0.0.1"
PORT: Final = 9420
_SHORTEST_TOKEN: Final = 16


class Serving:
    """A registry that listens; ``run`` serves it until ``stop``.

    Args:
        session: The registry.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        writable: Whether whoever has the token may push.
        private: Whether reading takes the token too.
        token: The token; None makes one if one is needed. It is kept nowhere.
        report: Is told of each request in one line, without secrets.

    Attributes:
        url: What a client clones.
        writable: As above.
        private: As above.
        made_token: The token if it was made now; else None.
        warnings: What a person should know about who can reach it.

    Raises:
        InvalidInput: a token that can be guessed or can't be sent.
        PachaError: it can't listen there.
    """

    def __init__(
        self,
        session: Session,
        *,
        host: str = HOST,
        port: int = PORT,
        writable: bool = False,
        private: bool = False,
        token: str | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        session.removals.served()
        needed = writable or private
        self.writable, self.private = writable, private
        self.made_token = secrets.token_urlsafe(24) if needed and token is None else None
        access = Access(writable, private, _checked(token or self.made_token) if needed else None, _is_loopback(host))
        backend = Backend(session.path, access, report or (lambda line: None))
        scratch = session.path / "pacha"
        scratch.mkdir(exist_ok=True)
        self._server = Server(backend, access, host, port, scratch)
        address, bound = self._server.address
        self.url = f"http://{_reached_by(address)}:{bound}/"
        self.warnings = () if access.local else tuple(_warnings(access, bound))

    def run(self) -> None:
        """Serve until ``stop``; requests under way may end first, but not for long."""
        self._server.run()

    def stop(self) -> None:
        """Take no more requests; a second call doesn't wait for those under way."""
        self._server.stop()

    def to_json(self) -> Json:
        """``{url, writable, private}``, and ``token`` if it was made now."""
        known = {"url": self.url, "writable": self.writable, "private": self.private}
        return known | ({"token": self.made_token} if self.made_token else {})


def _reached_by(address: str) -> str:
    """Return the host of a URL: of a server on all addresses, the name of this machine."""
    if ipaddress.ip_address(address).is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address


def _checked(token: str | None) -> str:
    if token is None or len(token) < _SHORTEST_TOKEN:
        raise InvalidInput(
            f"a token of less than {_SHORTEST_TOKEN} characters can be guessed", hint="give none, and one is made"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("a token has letters, digits and signs of ASCII, and no spaces")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _warnings(access: Access, port: int) -> list[str]:
    read = "with the token may read" if access.private else "may read"
    said = [f"everybody who can reach port {port} of this machine {read} this registry"]
    if access.token is not None:
        said.append("the token travels unencrypted: use it in networks that you trust, or put TLS before it")
    return said
