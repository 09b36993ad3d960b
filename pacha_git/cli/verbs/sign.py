"""``sign`` and ``verify``: of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from click import Context

from pacha_git import InvalidInput, VerificationFailed
from pacha_git.cli.invocation import registry
from pacha_git.cli.program import flags
from pacha_git.cli.program.options import Argument, Option
from pacha_git.cli.showing import output
from pacha_git.cli.showing.progress import progress
from pacha_git.cli.showing.sheets import spec_of
from pacha_git.cli.showing.units import counted

if TYPE_CHECKING:
    from pacha_git import Verification


def sign(ctx: Context, spec: flags.Spec, version: flags.Version = None) -> None:
    """Sign a version that is registered."""
    info = registry(ctx).sign(spec, version=version)
    output.tell(ctx, info.to_json(), f"Signed {spec_of(info)} as {info.signed_by}.")


def verify(
    ctx: Context,
    specs: Annotated[list[str] | None, Argument(metavar="SPEC", help="As NAME@VERSION; several may be given.")] = None,
    every: Annotated[bool, Option("--all", help="Every version in the registry.")] = False,
    version: flags.Version = None,
) -> None:
    """Check that versions are what was recorded.

    Every byte is hashed again, signatures and signers are checked; exit 5 if anything is not as it was. Unsigned is
    fine unless the policy says otherwise; where the bytes are not here, the record alone is checked.
    """
    if bool(specs) == every:
        raise InvalidInput("say what to verify", hint="SPEC…, or --all")
    if version is not None and len(specs or ()) != 1:
        raise InvalidInput("-v goes with one SPEC", hint="write the versions into the SPECs, as in NAME@1.0.0")
    wanted = [flags.versioned(spec, version) for spec in specs or ()]
    with progress(ctx) as report:
        results = registry(ctx).verify(wanted, all=every, progress=report)
    output.show(ctx, {"results": [result.to_json() for result in results]}, lambda: "\n".join(map(_line, results)))
    bad = [result for result in results if not result.ok]
    if bad:
        raise VerificationFailed(
            f"{len(bad)} of {counted(len(results), 'version')} failed verification", hint=_advice(bad)
        )


def _line(result: Verification) -> str:
    rejected = any("signature" in problem or "signed by" in problem for problem in result.problems)
    signer = f"signed by {result.signer}" if result.signer else "signed by nobody trusted" if rejected else "unsigned"
    payload = {True: "every byte checked", False: "bytes altered", None: "bytes not here, record alone checked"}
    line = f"{'ok ' if result.ok else 'BAD'}  {spec_of(result)}: {signer}, {payload[result.payload_ok]}"
    said = [*result.problems, *(f"warning: {warning}" for warning in result.warnings)]
    return "\n".join(map(output.one_line, [line, *(f"       {each}" for each in said)]))


def _advice(bad: Sequence[Verification]) -> str:
    if any(result.payload_ok is False for result in bad):
        return "`git pacha doctor --repair` brings them back from a remote; so does registering the same bytes"
    return "`git pacha key list` shows whom this registry trusts"
