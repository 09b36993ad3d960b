"""The parameters of a run as TOML, each with its type, and metrics as numbers.

An int stays an int, a bool is no number, and what a number library wraps is unwrapped. TOML has no null, so a
parameter that is None says nothing and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from numbers import Integral, Real
from operator import index
from typing import Any, Final

from pacha_git.errors import Corrupt, InvalidInput
from pacha_git.format import toml
from pacha_git.format.canonical import DEPTH

PARAMS_LIMIT: Final = 2**20
METRIC_NAME_LIMIT: Final = 250
MAX_STEP: Final = 2**53 - 1

_LARGEST: Final = 2**63 - 1


def plain(value: Any, where: str, room: int = DEPTH) -> Any:
    """Bring a parameter into what TOML can hold.

    Args:
        value: A bool, int, float, text, date, list, tuple, mapping, or a scalar of a number library.
        where: Its name, for the message.
        room: How many levels it may still have.

    Raises:
        InvalidInput: it is something else, an integer beyond 64 bits, or nested too deep.
    """
    if isinstance(value, bool | date | time):
        return value
    if isinstance(value, float):
        return float(value)  # of a subclass such as NumPy's, the plain one
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, Integral):
        return _integer(int(value), where)
    if isinstance(value, Mapping | list | tuple):
        if not room:
            raise InvalidInput(f"parameter {where} is nested deeper than {DEPTH} levels")
        return _collection(value, where, room - 1)
    unwrapped = _unwrapped(value)
    if unwrapped is not value:
        return plain(unwrapped, where, room)
    raise InvalidInput(
        f"parameter {where} is a {type(value).__name__}, which TOML can't hold", hint="give str(…) of it"
    )


def _text(value: str, where: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(f"parameter {where[:80]!r} is no text that UTF-8 can hold") from None
    return value[:]


def _integer(value: int, where: str) -> int:
    if abs(value) > _LARGEST:
        raise InvalidInput(f"parameter {where} is beyond the 64 bits of TOML's integers", hint="give it as a text")
    return value


def _unwrapped(value: Any) -> Any:
    """Return the number within a scalar of NumPy, PyTorch and the like; anything else as it is."""
    item = getattr(value, "item", None)
    if callable(item):
        try:
            return item()
        except (TypeError, ValueError, RuntimeError):
            return value  # an array of several: it has no one item
    return float(value) if isinstance(value, Real) else value


def _collection(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], where: str, room: int) -> Any:
    if isinstance(value, Mapping):
        named = {_key(key, where): item for key, item in value.items() if item is not None}
        return {key: plain(item, f"{where}.{key}", room) for key, item in named.items()}
    if any(item is None for item in value):
        raise InvalidInput(f"parameter {where} has a None in a list, which TOML can't hold", hint="leave it out")
    return [plain(item, f"{where}[{at}]", room) for at, item in enumerate(value)]


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidInput(f"parameter {where} has the key {key!r}, which is no text", hint="give str(…) of it")
    return _text(key, where)


def check_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters as TOML can hold them, those that are None left out.

    Raises:
        InvalidInput: one can't be, or all together are larger than 1 MiB.
    """
    found = {_key(key, "name"): plain(value, str(key)) for key, value in params.items() if value is not None}
    if "" in found:
        raise InvalidInput("a parameter without a name", hint="as in lr=0.001")
    # Before TOML is written, which takes its time: a quick look at how much there is.
    if len(json.dumps(found, default=str)) > 2 * PARAMS_LIMIT:
        raise _too_large()
    return found


def _too_large() -> InvalidInput:
    return InvalidInput(
        f"the parameters are larger than {PARAMS_LIMIT} bytes",
        hint="keep what is large as an artifact: git pacha run log ID --artifact FILE",
    )


def encode_params(params: Mapping[str, Any]) -> bytes:
    """Write ``params.toml``.

    Raises:
        InvalidInput: as ``check_params``.
    """
    found = check_params(params)
    if not found:
        return b""
    import tomlkit  # 25 ms to load

    data = tomlkit.dumps(found).encode("utf-8")
    if len(data) > PARAMS_LIMIT:
        raise _too_large()
    return data


def decode_params(data: bytes) -> dict[str, Any]:
    """Read ``params.toml``, whoever wrote it.

    Raises:
        Corrupt: larger than 1 MiB, no TOML, or beyond the bounds of ``toml``.
    """
    if len(data) > PARAMS_LIMIT:
        raise Corrupt(f"params.toml is larger than {PARAMS_LIMIT} bytes")
    try:
        return toml.loads(data.decode("utf-8"))
    except ValueError as error:
        raise Corrupt(f"params.toml is no TOML: {error}") from None


def metric_value(name: str, value: Any) -> float:
    """Return a metric as a double; NaN and infinities are numbers.

    Raises:
        InvalidInput: it is no number (a bool is none, nor is a text).
    """
    found = value if isinstance(value, Real) else _unwrapped(value)
    if isinstance(found, bool) or not isinstance(found, Real):
        raise InvalidInput(f"metric {name} is no number: {str(value)[:80]!r}", hint="as in loss=0.25")
    try:
        return float(found)
    except OverflowError:
        raise InvalidInput(f"metric {name} is beyond the range of a double") from None


def metric_name(name: Any) -> str:
    """Check the name of a metric.

    Raises:
        InvalidInput: empty, over 250 bytes, or with control characters.
    """
    if not isinstance(name, str) or not name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise InvalidInput(f"bad name of a metric: {str(name)[:80]!r}", hint="as in val/loss")
    if len(name.encode("utf-8", "surrogatepass")) > METRIC_NAME_LIMIT or not _is_utf8(name):
        raise InvalidInput(f"the name of a metric is over {METRIC_NAME_LIMIT} bytes, or no UTF-8: {name[:40]!r} …")
    return name


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def step_value(step: Any) -> int:
    """Return a step as an integer; a float that is whole, as numerical libraries give it, is one.

    Raises:
        InvalidInput: it is no whole number, or beyond ±(2^53-1).
    """
    number = step if isinstance(step, Real) else _unwrapped(step)
    try:
        if isinstance(number, bool):
            raise TypeError
        found = int(float(number)) if isinstance(number, Real) and not isinstance(number, Integral) else index(number)
        if found != number:
            raise ValueError
    except (TypeError, AttributeError, ValueError, OverflowError):
        raise InvalidInput(f"a step is a whole number, not {str(step)[:40]!r}", hint="as in step=100") from None
    if abs(found) > MAX_STEP:
        raise InvalidInput(f"the step {found} is beyond ±(2^53-1)")
    return found
