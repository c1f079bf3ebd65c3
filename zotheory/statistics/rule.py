"""One rule for every verdict: what the intervals of two numbers say about a relation between them.

Of a and b no more is known than a in [a.low, a.high] and b in [b.low, b.high]. The relation holds
if all such pairs obey it, fails if none does, and otherwise nothing is decided:

    a < b    holds if a.high < b.low,     fails if a.low >= b.high
    a <= b   holds if a.high <= b.low,    fails if a.low > b.high
    a = b    holds if |a - b| <= tolerance for all pairs, fails if |a - b| > tolerance for all

A point is an interval with equal ends; of two points one or the other is always so. An equation can
be `sharp`: it fails as soon as no pair is equal, however near, and the tolerance says only when it
holds. A bound with a tolerance holds, unless it fails, up to so much beyond it: a mean that is the
bound could never be confirmed otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

MIRRORED = {">": "<", ">=": "<=", "==": "=="}


class Ends(NamedTuple):
    """The two ends of an interval: numbers, or arrays of them."""

    low: Any
    high: Any


def decided(
    sign: str, a: Ends, b: Ends, tolerance: Any = 0, sharp: bool = False
) -> tuple[Any, Any]:
    """Whether "a sign b" holds and whether it fails, coordinate by coordinate.

    sign: one of <, <=, >, >=, ==. Comparisons are Python's: exact between fractions, integers and
    floats. Raises ValueError for another sign.
    """
    if sign in (">", ">="):
        return decided(MIRRORED[sign], b, a, tolerance)
    if sign == "==":
        apart = 0 if sharp else tolerance
        fails = (a.low > b.high + apart) | (a.high < b.low - apart)
        holds = (b.high - tolerance <= a.low) & (a.high <= b.low + tolerance)
    elif sign == "<=":
        fails, holds = a.low > b.high, a.high <= b.low + tolerance
    elif sign == "<":
        fails, holds = a.low >= b.high, a.high < b.low + tolerance
    else:
        raise ValueError(f"no relation {sign!r}; there are <, <=, >, >= and ==")
    return holds & np.logical_not(fails), fails
