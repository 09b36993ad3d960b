"""Leaves credentials to Git's own helpers, askpass programs and agents, and keeps what a URL carries out of sight.

It knows who could answer a question, and what in a text is a secret. It never asks, reads or keeps a password.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

from pacha_git.system.process import CommandFailed, run

# Greedy: a password may have an @ of its own, and what follows the last one is the host.
_USERINFO: Final = re.compile(r"\b([a-z][a-z0-9+.-]*)://([^/\s'\"<>]*)@", re.IGNORECASE)
_TOKENS: Final = ("http", "https")


def masked(text: str) -> str:
    """A text without the passwords of its URLs; over HTTP a user alone may be a token, and goes too."""
    return _USERINFO.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    scheme, userinfo = match.groups()
    user, colon, _ = userinfo.partition(":")
    if colon:
        return f"{scheme}://{user}:***@"
    return f"{scheme}://***@" if scheme.lower() in _TOKENS else match.group()


def nobody_to_ask(git_dir: Path) -> dict[str, str]:
    """The environment in which Git and ssh fail at once where nobody could answer them; nothing where somebody can.

    Helpers, askpass programs and agents are asked as ever, and whoever said how to call ssh is left alone.
    """
    if any(stream is not None and stream.isatty() for stream in (sys.stderr, sys.stdin)):
        return {}
    found = {} if "GIT_TERMINAL_PROMPT" in os.environ else {"GIT_TERMINAL_PROMPT": "0"}
    said = ("GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS")
    if not any(os.environ.get(name) for name in said) and not _ssh_configured(git_dir):
        found["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    return found


def _ssh_configured(git_dir: Path) -> bool:
    try:
        return bool(run(["git", f"--git-dir={git_dir}", "config", "--get", "core.sshCommand"]).stdout)
    except CommandFailed:
        return False
