"""The search for a violation: small grids, extreme ratios, seeded random scales; exact throughout.

Points are generated in the orthant coordinates of the domain's cells, where t = 0 is a point of
the boundary (tight conditions are where violations hide), t = 1, 2, 3 are small grids and t = 10^k
are asymptotic directions; and, for domains without cells, in the variables themselves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, product

import sympy as sp

from proofs_check.cells import Cell
from proofs_check.domain import Domain
from proofs_check.results import Point

_GRID = 600
_SCALED = 600
_SMALL = [Fraction(x) for x in (0, 1, 2, 3)] + [Fraction(1, 2), Fraction(10), Fraction(1, 10)]


def search(
    negated: sp.Expr, allow_zero: bool, domain: Domain, cells: Sequence[Cell]
) -> Point | None:
    """A point of the domain with ``negated > 0`` (``>= 0`` if allow_zero), or None: none found."""
    value = _Polynomial(negated, domain.symbols)
    conditions = [(_Polynomial(c.polynomial, domain.symbols), c.strict) for c in domain.conditions]
    whole = [s in domain.integers for s in domain.symbols]
    for point in _points(domain, cells):
        if any(w and x.denominator != 1 for w, x in zip(whole, point, strict=True)):
            continue
        found = value(point)
        if not (found > 0 or (allow_zero and found == 0)):
            continue
        if all(v > 0 or (v == 0 and not strict) for v, strict in _values(conditions, point)):
            pairs = zip(domain.symbols, point, strict=True)
            return {s: sp.Rational(x.numerator, x.denominator) for s, x in pairs}
    return None


def _values(conditions, point) -> Iterator[tuple[Fraction, bool]]:
    return ((condition(point), strict) for condition, strict in conditions)


def _points(domain: Domain, cells: Sequence[Cell]) -> Iterator[tuple[Fraction, ...]]:
    for cell in cells:
        parameters = [p.symbol for p in cell.parameters]
        maps = [sp.fraction(sp.together(cell.point[s])) for s in domain.symbols]
        maps = [tuple(_Polynomial(part, parameters) for part in pair) for pair in maps]
        open_ends = [k for k, p in enumerate(cell.parameters) if p.strict]
        for t in _tuples([p.free for p in cell.parameters]):
            if any(t[k] == 0 for k in open_ends):
                continue
            yield tuple(top(t) / bottom(t) for top, bottom in maps)
    if not cells:
        yield from _tuples([True] * len(domain.symbols))


def _tuples(signed: Sequence[bool]) -> Iterator[tuple[Fraction, ...]]:
    """Small values first, then powers of ten from a fixed seed; of both signs where signed."""
    length = len(signed)
    generator = random.Random(0)
    per_axis = next(k for k in range(len(_SMALL), 0, -1) if k**length <= _GRID or k == 2)
    grid = sorted(product(range(per_axis), repeat=length), key=lambda k: (sum(k), k))
    for ranks in islice(grid, _GRID):
        yield tuple(_SMALL[k] for k in ranks)
        if any(signed):
            signs = (generator.choice((1, -1)) if either else 1 for either in signed)
            yield tuple(sign * _SMALL[k] for sign, k in zip(signs, ranks, strict=True))
    for _ in range(_SCALED):
        yield tuple(_scaled(generator, either) for either in signed)


def _scaled(generator: random.Random, signed: bool) -> Fraction:
    if generator.random() < 0.2:
        return Fraction(0)
    sign = generator.choice((1, -1)) if signed else 1
    return sign * generator.randint(1, 9) * Fraction(10) ** generator.randint(-6, 9)


class _Polynomial:
    """A polynomial with rational coefficients as a function of Fractions."""

    def __init__(self, expression: sp.Expr, symbols: Sequence[sp.Symbol]) -> None:
        if not symbols:
            self.terms = [(_fraction(sp.sympify(expression)), ())]
            return
        self.terms = [
            (_fraction(c), tuple((k, e) for k, e in enumerate(exponents) if e))
            for exponents, c in sp.Poly(expression, *symbols, domain="QQ").terms()
        ]

    def __call__(self, point: Sequence[Fraction]) -> Fraction:
        total = Fraction(0)
        for c, powers in self.terms:
            for k, e in powers:
                c = c * point[k] ** e
            total += c
        return total


def _fraction(value: sp.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))
