"""The grammar of small texts: times, identities, run ids, relations; it knows nothing of the records that hold them.

The format is docs/format.md, "Names".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from pacha_git.errors import InvalidInput

_IDENTITY: Final = re.compile(r"[^<>\x00-\x1f]+ <[^<>\x00-\x20]*>\Z")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\Z", re.ASCII)
_RELATION: Final = re.compile(r"[a-z][a-z0-9-]{0,63}\Z")


def timestamp(created_at: str) -> int:
    """Read ``YYYY-MM-DDTHH:MM:SSZ`` as seconds since 1970.

    Raises:
        InvalidInput: not of that shape, no day of the calendar, or before 1970 (Git dates can't be).
    """
    match = _TIME.match(created_at)
    if match is not None:
        year, month, day, hour, minute, second = map(int, match.groups())
        try:
            seconds = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        except ValueError:
            seconds = -1
        if seconds >= 0:
            return seconds
    raise InvalidInput(f"bad time {created_at[:40]!r}", hint="it reads YYYY-MM-DDTHH:MM:SSZ, in UTC, from 1970 on")


def time_text(seconds: int) -> str:
    """Write seconds since 1970 as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_identity(text: str) -> str:
    """Check ``Name <email>`` as it stands in a commit, and hand it back.

    Raises:
        InvalidInput: it can't be an author: no name, or angle brackets or control characters within.
    """
    if not _IDENTITY.match(text):
        raise InvalidInput(
            f"{text[:200]!r} can't be the author of a commit",
            hint="git config --global user.name 'Ada L' && git config --global user.email ada@example.org",
        )
    return text


def check_relation(text: str) -> str:
    """Check the grammar of a relation (which ones a kind may carry is ``kinds.KINDS``), and hand it back.

    Raises:
        InvalidInput: not lowercase letters, digits and dashes, or over 64 characters.
    """
    if not _RELATION.match(text):
        raise InvalidInput(f"{text[:80]!r} is no relation", hint="as in fine-tuned-from")
    return text
