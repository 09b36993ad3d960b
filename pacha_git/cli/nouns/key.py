"""``git pacha key …``: keys that sign, and signers that are trusted; no registry is needed to make one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git import NotFound
from pacha_git.cli.invocation import registry, registry_path
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.tables import table
from pacha_git.cli.showing.units import place

if TYPE_CHECKING:
    from pacha_git import KeyInfo

app = noun("key", "Keys that sign, and signers that are trusted.")


def generate(
    ctx: Context,
    name: Annotated[str | None, Argument(metavar="KEY", help="A word for the key.")] = None,
) -> None:
    """Make an Ed25519 key, as OpenSSH writes it."""
    from pacha_git import generate_key

    made = generate_key(name)
    then = f"To trust it in a registry: git pacha key trust {place(made.path or '')}.pub --as YOU"
    output.tell(ctx, made.to_json(), f"Made {place(made.path or '')} ({made.fingerprint}).\n{then}")


def list_(ctx: Context) -> None:
    """List the keys that are here and the signers that the registry trusts."""
    from pacha_git import own_keys

    try:
        found = registry(ctx).keys()
    except NotFound:
        if registry_path(ctx) is not None:
            raise
        found = own_keys()  # one's own keys need no registry
    if not found:
        output.notice(ctx, "No key yet: git pacha key generate")
    output.show(ctx, [key.to_json() for key in found], lambda: _table(found) if found else "")


def _table(found: list[KeyInfo]) -> str:
    rows = [
        (
            key.name, key.principal, "yes" if key.private else "", "yes" if key.trusted else "", key.fingerprint,
            place(key.path) if key.path else None,
        )
        for key in found
    ]  # fmt: skip
    return table(("NAME", "SIGNER", "SIGNS HERE", "TRUSTED", "FINGERPRINT", "PATH"), rows)


def trust(
    ctx: Context,
    pubkey: Annotated[str, Argument(metavar="PUBKEY", help="A .pub file, or its line.")],
    principal: Annotated[str, Option("--as", metavar="NAME", help="Whose it is, as in ada@example.org.")],
) -> None:
    """Trust a public key as somebody's."""
    info = registry(ctx).trust_key(pubkey, principal)
    output.tell(ctx, info.to_json(), f"{info.fingerprint} is trusted as {principal}.")


def untrust(
    ctx: Context,
    principal: Annotated[str, Argument(metavar="NAME", help="Whose keys, as in ada@example.org.")],
) -> None:
    """Take back that somebody's keys are trusted.

    What they signed is signed by nobody trusted from now on. Adopting settings does not bring a key back in silence.
    """
    gone = registry(ctx).untrust_key(principal)
    said = "\n".join(f"{key.fingerprint} is trusted no longer." for key in gone)
    output.tell(ctx, [key.to_json() for key in gone], said or f"{principal} is nobody's name here any more.")


verb(app, "generate", generate)
verb(app, "list", list_)
verb(app, "trust", trust)
verb(app, "untrust", untrust)
