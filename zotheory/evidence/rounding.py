"""What printed numbers may have been rounded from, and bounds of expressions over all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import sympy as sp

from zotheory.evidence.tables import Interval


def bounds(expr: sp.Expr, ends: Mapping[sp.Symbol, Interval]) -> Interval | None:
    """Bounds of an expression whose symbols lie between these ends, sharp if it is linear."""
    if not expr.free_symbols:
        return (expr, expr) if expr.is_Rational else None
    if expr.is_Symbol:
        return ends[expr]
    if expr.is_Add:
        rest = [term for term in expr.args if not _is_linear(term)]
        linear = sp.Add(*(term for term in expr.args if _is_linear(term)))
        slopes = linear.as_coefficients_dict()
        constant = slopes.pop(sp.S.One, sp.S.Zero)
        reach = [_ordered(slope * ends[s][0], slope * ends[s][1]) for s, slope in slopes.items()]
        return _sum([(constant, constant), *reach, *(bounds(term, ends) for term in rest)])
    if isinstance(expr, sp.Piecewise):
        return _either(expr, ends)
    found = [bounds(argument, ends) for argument in expr.args]
    inside = [interval for interval in found if interval is not None]
    if len(inside) < len(found):
        return None
    if expr.is_Mul:
        corners = [sp.Mul(*corner) for corner in product(*inside)]
        return min(corners), max(corners)
    if expr.is_Pow and expr.exp.is_Integer:
        low, high = inside[0]
        if low <= 0 <= high and expr.exp < 0:
            return None
        powers = [low**expr.exp, high**expr.exp, *([sp.S.Zero] if low <= 0 <= high else [])]
        return min(powers), max(powers)
    if isinstance(expr, sp.Abs):
        low, high = inside[0]
        least = sp.S.Zero if low <= 0 <= high else min(abs(low), abs(high))
        return least, max(abs(low), abs(high))
    if isinstance(expr, sp.floor | sp.ceiling):
        low, high = inside[0]
        return expr.func(low), expr.func(high)
    if isinstance(expr, sp.Max | sp.Min):
        lows, highs = zip(*inside, strict=True)
        return expr.func(*lows), expr.func(*highs)
    return None


def _is_linear(term: sp.Expr) -> bool:
    """A number, or a number times a cell."""
    return len(term.free_symbols) <= 1 and term.as_independent(*term.free_symbols)[1].is_Symbol


def _ordered(a: sp.Expr, b: sp.Expr) -> Interval:
    return (a, b) if a <= b else (b, a)


def _sum(intervals: Sequence[Interval | None]) -> Interval | None:
    known = [interval for interval in intervals if interval is not None]
    if len(known) < len(intervals):
        return None
    lows, highs = zip(*known, strict=True)
    return sp.Add(*lows), sp.Add(*highs)


def _either(expr: sp.Piecewise, ends: Mapping[sp.Symbol, Interval]) -> Interval | None:
    """A count's 1 or 0: one of them if rounding leaves no doubt, else both."""
    (first, condition), (second, _) = expr.args
    if len(expr.args) != 2 or not (first.is_Rational and second.is_Rational):
        return None
    left, right = condition.args
    gap = bounds(sp.expand(left - right), ends)
    if gap is None:
        return min(first, second), max(first, second)
    met = {bool(condition.func(end, 0)) for end in gap}
    values = [value for value, so in ((first, True), (second, False)) if so in met]
    return min(values), max(values)
