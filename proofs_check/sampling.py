"""Points of a domain to try a relation at: what refutes a statement before anything proves it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice, product

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import cells, realised, values
from proofs_check.domain import Domain, admits
from proofs_check.question import Question, is_rational
from proofs_check.results import Point, Undefined, Violated
from proofs_check.values import Unknown

_MOST_POINTS = 1000
_SIMPLE = tuple(map(sp.Rational, ("0", "1", "2", "1/2", "-1", "3", "-1/2", "1/3", "10", "-2")))


def counterexample(question: Question) -> Violated | Undefined | None:
    """A point of the domain where the relation fails or a side is undefined, if one is met."""
    if question.contractions:
        return None
    undefined = None
    for point in _points(question):
        if not question.admitted(point):
            continue
        try:
            if question.truth(point) is False:
                return question.violated(point)
        except values.Undefined as error:
            undefined = undefined or Undefined(str(error), point)
        except Unknown:
            continue
    return undefined


def a_point(question: Question) -> Point | None:
    """A point of the domain, if one is met."""
    if not question.contractions:
        found = (p for p in _points(question) if question.admitted(p))
        return next(found, None)
    attained = realised.violation(lambda _: True, question.symbols, question.admitted, None)
    return attained and attained[0]


def _points(question: Question) -> Iterator[Point]:
    """Simple numbers, the domain's ends and what is near them; points of its cells; at random."""
    symbols = question.symbols
    if not symbols:
        yield {}
        return
    axes = [_axis(s, bounds(s, question.domain)) for s in symbols]
    depth = next(k for k in range(30, 0, -1) if k ** len(symbols) <= _MOST_POINTS or k == 2)
    ranks = product(*(range(min(depth, len(axis))) for axis in axes))
    for at in islice(sorted(ranks, key=lambda k: (sum(k), k)), _MOST_POINTS):
        yield {s: axis[k] for s, axis, k in zip(symbols, axes, at, strict=True)}
    if all(is_rational(e) for r in question.domain for e in (r.lhs, r.rhs)):
        domain = Domain.of(question.domain, symbols)
        for inside in islice(cells.points(domain, cells.cells(domain) or []), _MOST_POINTS // 2):
            numbers = (sp.Rational(x.numerator, x.denominator) for x in inside)
            yield dict(zip(domain.symbols, numbers, strict=True))
    generator = random.Random(0)
    for _ in range(_MOST_POINTS // 2):
        yield {s: generator.choice(axis) for s, axis in zip(symbols, axes, strict=True)}


def _axis(s: sp.Symbol, bounds: tuple[sp.Rational | None, sp.Rational | None]) -> list[sp.Rational]:
    low, high = bounds
    near = (0, 1, sp.Rational(1, 10), sp.Rational(1, 1000))
    inside = [x for x in _SIMPLE if (low is None or x >= low) and (high is None or x <= high)]
    found = inside[:3]
    found += [low + x for x in near] if low is not None else []
    found += [high - x for x in near] if high is not None else []
    if low is not None and high is not None:
        found += [low + (high - low) * sp.Rational(k, 8) for k in (4, 2, 6, 1, 7, 3, 5)]
    found += [*_SIMPLE, *map(sp.Rational, ("5", "-3", "7", "100", "-10", "1/10", "1000", "1/1000"))]
    if s.is_integer:
        found = [sp.floor(x) for x in found] + [sp.Integer(k) for k in range(4, 21)]
        if low is not None:
            found = [sp.ceiling(low) + k for k in range(6)] + found
    return [x for x in dict.fromkeys(found) if admits(s, x)] or [sp.S.Zero]


def bounds(
    s: sp.Symbol, domain: Iterable[Relational]
) -> tuple[sp.Rational | None, sp.Rational | None]:
    """Rational numbers that the symbol lies between by its assumptions or one relation each."""
    lows = [sp.S.One if s.is_integer else sp.S.Zero] if s.is_positive else []
    lows += [sp.S.Zero] if s.is_nonnegative else []
    highs = [sp.S.NegativeOne if s.is_integer else sp.S.Zero] if s.is_negative else []
    highs += [sp.S.Zero] if s.is_nonpositive else []
    for relation in domain:
        for side, other, flip in (
            (relation.lhs, relation.rhs, False),
            (relation.rhs, relation.lhs, True),
        ):
            if side != s or other.free_symbols:
                continue
            try:
                end = values.value(other, {})
                low, high = values.ends(end)
            except ValueError:
                continue
            upper = isinstance(relation, sp.Le | sp.Lt) is not flip
            equal = isinstance(relation, sp.Eq)
            if isinstance(low, Fraction) and (equal or not upper):  # else it is infinite
                lows.append(_outer(low, -1))
            if isinstance(high, Fraction) and (equal or upper):
                highs.append(_outer(high, 1))
    return max(lows, default=None), min(highs, default=None)


def _outer(end: Fraction, direction: int) -> sp.Rational:
    """A rational of moderate size on the outer side."""
    if end.denominator < 10**9:
        return sp.Rational(end.numerator, end.denominator)
    grain = 10**12
    below = end * grain // 1
    return sp.Rational(below + (direction > 0), grain)
