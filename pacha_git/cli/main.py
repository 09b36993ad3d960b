"""The entry of both console scripts: it settles streams and environment, runs one command, returns its exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Python's 700 would have the collector look a dozen times through what libraries make while they load: 16 ms in vain.
_COLLECT_AFTER: Final = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments spell.

    Args:
        argv: The program's name and its words; ``sys.argv`` if None.

    Returns:
        The exit code.
    """
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER)
    program, *words = sys.argv if argv is None else argv
    try:
        return _run(_spoken(program), words)
    except KeyboardInterrupt:
        return 130  # so early that not even the module which reports it was loaded
    finally:
        gc.set_threshold(*before)
        if argv is None:
            gc.freeze()  # the program ends: to look through all that is loaded once more would take 25 ms


def _run(program: str, words: list[str]) -> int:
    # Loaded here, not above: an interrupt while click loads ends as quietly as any other.
    from pacha_git.cli.invocation import Invocation
    from pacha_git.cli.program import completion, failure, root
    from pacha_git.cli.showing import output
    from pacha_git.system.environment import LOCAL_ENV_VARS

    output.settle_streams()
    inherited = {name: os.environ.pop(name) for name in LOCAL_ENV_VARS if name in os.environ}
    invocation = Invocation(program, tuple(words), inherited=inherited)
    try:
        if words[:1] == [completion.WORD]:
            completion.answer(root.command(), words[1:])
            status = 0
        else:
            status = root.invoke(invocation)
        output.flush()
    except BaseException as error:  # every end of the program is given its code in one place
        return failure.report(error, invocation)
    finally:
        for notice in () if invocation.json or invocation.quiet else invocation.notices:
            output.write_error(f"Warning: {output.one_line(notice)}")
    return status


def _spoken(program: str) -> str:
    """Return the program as a person says it: ``pacha``, or ``git pacha`` however else it was started."""
    return "pacha" if Path(program).stem == "pacha" else "git pacha"
