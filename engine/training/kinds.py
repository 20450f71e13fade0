"""Of which kind a value is that was read from a file: what is of another kind counts as damaged.

A table of kinds names what is asked for by key; keys that it does not name are let through.
"""

import math
from collections.abc import Callable
from typing import Any

Kind = Callable[[Any], bool]
Kinds = dict[str, Kind]

_LARGEST = 1e30  # beyond it a product or a square leaves what a float can hold
_LAST_MOMENT = 1e12  # epoch seconds that every calendar can say
_LARGEST_PID = 2**31


def is_number(value: Any) -> bool:
    """Finite, and of a size to calculate with."""
    return type(value) in (int, float) and abs(value) <= _LARGEST


def is_figure(value: Any) -> bool:
    """A number that may also be infinite or none at all, as a loss that ran away is."""
    return is_number(value) or (type(value) is float and not math.isfinite(value))


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def is_moment(value: Any) -> bool:
    """Epoch seconds."""
    return is_number(value) and 0 <= value <= _LAST_MOMENT


def is_pid(value: Any) -> bool:
    return type(value) is int and 0 < value < _LARGEST_PID


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def maybe(kind: Kind) -> Kind:
    """That kind, or None."""
    return lambda value: value is None or kind(value)


def each(kind: Kind) -> Kind:
    """A list of that kind."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def has(kinds: Kinds) -> Kind:
    """An object that has all of these keys."""
    return lambda value: (
        isinstance(value, dict)
        and all(key in value and kind(value[key]) for key, kind in kinds.items())
    )


def kept(values: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
    """What is left without the values that are of another kind."""
    wrong = [key for key, kind in kinds.items() if key in values and not kind(values[key])]
    return {key: value for key, value in values.items() if key not in wrong} if wrong else values
