"""Whether stock git is at work on a repository in a way that we must heed. It knows the files by which git says so."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Final

# After twelve hours git itself takes the file for one that was left behind.
_STALE: Final = 12 * 3600


def gc_under_way(repository: Path) -> bool:
    """Tell whether a ``git gc`` is running, here or on another machine: it says so in ``gc.pid``, as ``PID HOST``."""
    file = repository / "gc.pid"
    try:
        pid, _, host = file.read_text("utf-8", "replace").partition(" ")
        young = time.time() - file.stat().st_mtime < _STALE
    except OSError:
        return False
    if host.strip() != socket.gethostname() or not pid.isdigit():
        return young
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is another user's
    return young
