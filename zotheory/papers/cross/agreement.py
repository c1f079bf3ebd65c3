"""How far apart tables are that print the same thing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sympy as sp

from zotheory.vocabulary import conjunction

APART = sp.Integer(3)  # points within which two papers are said to agree


def spread(cells: Sequence[sp.Symbol]) -> sp.Expr:
    """The largest of the numbers less the smallest."""
    return sp.Max(*cells, evaluate=False) - sp.Min(*cells, evaluate=False)


def agree(spreads: Mapping[str, sp.Symbol], but: Collection[str] = ()) -> sp.And:
    """Every data set's spread is at most 3 points, and above for those in `but`."""
    return conjunction(
        *((sp.Gt if task in but else sp.Le)(s, APART) for task, s in spreads.items())
    )
