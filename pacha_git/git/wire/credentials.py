"""Leaves credentials to Git's own helpers, askpass programs and agents.

It knows who could answer a question. It never asks, reads or keeps a password.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pacha_git.system.process import CommandFailed, run


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
