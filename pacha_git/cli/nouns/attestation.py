"""``git pacha attestation …``: what others say of versions and a person does not want to count here."""

from __future__ import annotations

from typing import Annotated

from click import Context

from pacha_git.cli.invocation import registry
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument
from pacha_git.cli.showing import output

app = noun("attestation", "What others say of versions, and whether it counts here.")


def refuse(
    ctx: Context, event_id: Annotated[str, Argument(metavar="ID", help="Its id, as `verify` names it.")]
) -> None:
    """Set an endorsement or an evaluation aside here.

    It stays where it is, and no longer counts here. Of a word, such as a card, the newest holds: write it again.
    """
    registry(ctx).refuse_attestation(event_id)
    output.tell(ctx, {"refused": event_id}, f"{event_id} no longer counts here.")


verb(app, "refuse", refuse)
