"""Cases that once went wrong for somebody, here or with another tool: each stands for its kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import Ended, run_inside


@pytest.fixture
def pacha() -> Callable[..., Ended]:
    """The program inside this process."""
    return run_inside
