"""How a registry refuses: the right error, in one line, with a next step. It refuses to know what was asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pacha_git import PachaError


def refused(kind: type[PachaError], what: str, act: Callable[[], object]) -> PachaError:
    """The error, which says what is wrong in one line, and what to do next."""
    with pytest.raises(PachaError, match=what) as caught:
        act()
    assert isinstance(caught.value, kind)
    assert (caught.value.code, caught.value.exit_code) == (kind.code, kind.exit_code)
    assert "\n" not in caught.value.message
    return caught.value


def hinted(kind: type[PachaError], what: str, act: Callable[[], object]) -> None:
    assert refused(kind, what, act).hint
