"""Rows of a table against other rows, cell by cell."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sympy as sp

from zotheory.evidence.printed import above
from zotheory.evidence.tables import Table
from zotheory.vocabulary import conjunction

Pair = tuple[sp.Symbol, sp.Symbol]
CONTRARY = {sp.Ge: sp.Lt, sp.Gt: sp.Le}


def pairs(table: Table, rows: Iterable[tuple[str, str]], columns: Iterable[str]) -> list[Pair]:
    """The cells of two rows in each of the columns, for all of the pairs of rows.

    Raises ValueError for a cell without a number.
    """
    return [(table[row, column], table[other, column]) for row, other in rows for column in columns]


def least_gain(found: Iterable[Pair]) -> sp.Expr:
    """The least that a first cell is above its second; negative where one is below."""
    return sp.Min(*(a - b for a, b in found), evaluate=False)


def fewer(found: Iterable[Pair]) -> sp.Expr:
    """In how many pairs the first cell is below the second."""
    return sp.Add(*(above(b, a) for a, b in found))


def ordered(relation: type, found: Iterable[Pair], but: Collection[sp.Symbol] = ()) -> sp.And:
    """`relation` (sp.Ge or sp.Gt) in all pairs, and its contrary where the first cell is in `but`.

    Raises ValueError for a cell of `but` that is the first of no pair.
    """
    found = list(found)
    if strange := set(but) - {first for first, _ in found}:
        raise ValueError(f"no pair begins with {min(map(str, strange))!r}")
    return conjunction(
        *((CONTRARY[relation] if a in but else relation)(a, b, evaluate=False) for a, b in found)
    )
