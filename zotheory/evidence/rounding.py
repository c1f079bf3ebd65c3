"""What printed numbers may have been rounded from, and bounds of expressions over all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import sympy as sp

from zotheory.evidence.tables import Interval, Number


def bounds(expr: sp.Expr, numbers: Mapping[sp.Symbol, Number]) -> Interval | None:
    """Bounds of an expression over all that may have been rounded, sharp if it is linear."""
    if not expr.free_symbols:
        return (expr, expr) if expr.is_Rational else None
    if expr.is_Symbol:
        return numbers[expr].ends
    if expr.is_Add:
        rest = [term for term in expr.args if not _is_linear(term)]
        linear = sp.Add(*(term for term in expr.args if _is_linear(term)))
        slopes = linear.as_coefficients_dict()
        middle = slopes.pop(sp.S.One, sp.S.Zero)
        middle += sp.Add(*(slope * numbers[cell].value for cell, slope in slopes.items()))
        reach = sp.Add(*(abs(slope) * numbers[cell].half for cell, slope in slopes.items()))
        return _sum([(middle - reach, middle + reach), *(bounds(term, numbers) for term in rest)])
    inside = [bounds(argument, numbers) for argument in expr.args]
    if isinstance(expr, sp.Piecewise):
        return _either(expr, numbers)
    if None in inside:
        return None
    if expr.is_Mul:
        ends = [sp.Mul(*corner) for corner in product(*inside)]
        return min(ends), max(ends)
    if expr.is_Pow and expr.exp.is_Integer:
        low, high = inside[0]
        if low <= 0 <= high and expr.exp < 0:
            return None
        ends = [low**expr.exp, high**expr.exp, *([sp.S.Zero] if low <= 0 <= high else [])]
        return min(ends), max(ends)
    if isinstance(expr, sp.Abs):
        low, high = inside[0]
        least = sp.S.Zero if low <= 0 <= high else min(abs(low), abs(high))
        return least, max(abs(low), abs(high))
    if isinstance(expr, sp.Max | sp.Min):
        lows, highs = zip(*inside, strict=True)
        return expr.func(*lows), expr.func(*highs)
    return None


def _is_linear(term: sp.Expr) -> bool:
    """A number, or a number times a cell."""
    return len(term.free_symbols) <= 1 and term.as_independent(*term.free_symbols)[1].is_Symbol


def _sum(intervals: Sequence[Interval | None]) -> Interval | None:
    if None in intervals:
        return None
    lows, highs = zip(*intervals, strict=True)
    return sp.Add(*lows), sp.Add(*highs)


def _either(expr: sp.Piecewise, numbers: Mapping[sp.Symbol, Number]) -> Interval | None:
    """A count's 1 or 0: one of them if rounding leaves no doubt, else both."""
    (first, condition), (second, _) = expr.args
    if len(expr.args) != 2 or not (first.is_Rational and second.is_Rational):
        return None
    left, right = condition.args
    gap = bounds(sp.expand(left - right), numbers)
    if gap is None:
        return min(first, second), max(first, second)
    met = {bool(condition.func(end, 0)) for end in gap}
    ends = [value for value, so in ((first, True), (second, False)) if so in met]
    return min(ends), max(ends)
