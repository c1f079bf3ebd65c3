"""Cells: a domain as images of the nonnegative orthant.

A condition that is linear in x bounds x by the other variables; eliminating one variable after
the other, ``x = L + t``, ``x = U - t`` or ``x = L + (U - L)/(1 + t)`` with t >= 0, covers the
domain by cells, rational maps from the orthant. Incomparable bounds are told apart by cases.
Cells may be larger than the domain: what is proved on them is proved on it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice, product

import sympy as sp

from proofs_check import orthant
from proofs_check.domain import Condition, Domain, condition
from proofs_check.orthant import Parameter
from proofs_check.results import Point

_MAX_CASES = 16  # case distinctions between incomparable bounds

Bound = tuple[sp.Expr, bool]  # with whether it is strict
Bounds = list[Bound]


@dataclass(frozen=True)
class Cell:
    """``point`` gives each variable as a rational function of the parameters."""

    point: dict[sp.Symbol, sp.Expr]
    parameters: tuple[Parameter, ...] = ()

    def pull(self, expression: sp.Expr) -> sp.Expr:
        """The expression as a function of the parameters."""
        return sp.cancel(sp.together(expression.subs(self.point, simultaneous=True)))

    def numerator(self, expression: sp.Expr) -> sp.Expr | None:
        """A polynomial with the sign of the expression on the cell; None if it is not clear."""
        numerator, denominator = sp.fraction(self.pull(expression))
        for sign in (1, -1):
            if orthant.obvious(sp.expand(sign * denominator), self.parameters, strict=True):
                return sp.expand(sign * numerator)
        return None

    def nonnegative(self, expression: sp.Expr, strict: bool = False) -> bool:
        """Whether the signs of coefficients show ``expression >= 0`` (``> 0``) on the cell."""
        numerator = self.numerator(expression)
        return numerator is not None and orthant.obvious(numerator, self.parameters, strict)

    def __str__(self) -> str:
        return ", ".join(f"{s} = {e}" for s, e in self.point.items())


def cells(domain: Domain) -> list[Cell] | None:
    """Cells that cover the domain, or None if its conditions are not linear one by one."""
    for cases in (0, _MAX_CASES):
        found = _Elimination(domain, cases).cover(frozenset(domain.symbols), domain.conditions)
        if found is not None:
            return found
    return None


def prove(polynomial: sp.Expr, cover: list[Cell], strict: bool) -> tuple[str, ...] | None:
    """Steps that prove ``polynomial >= 0`` (``> 0``) on all cells, or None."""
    steps: list[str] = []
    for cell in cover:
        numerator = cell.numerator(polynomial)
        proof = numerator is not None and orthant.prove(numerator, cell.parameters, strict)
        if not proof:
            return None
        steps += [f"Substitute {cell or 'nothing'}.", *proof]
    return tuple(steps)


class _Elimination:
    """Eliminates the variables one by one; ``cases`` case distinctions are allowed in all."""

    def __init__(self, domain: Domain, cases: int) -> None:
        self.integers = domain.integers
        self.cases = cases
        self.numbers = count(1)

    def cover(
        self, variables: frozenset[sp.Symbol], conditions: tuple[Condition, ...]
    ) -> list[Cell] | None:
        if not variables:
            constant_holds = all(c.holds({}) for c in conditions)
            return [Cell({})] if constant_holds else []
        involved = {v: [c for c in conditions if c.polynomial.has(v)] for v in variables}
        for x in sorted(variables, key=lambda v: (len(involved[v]), v.name)):
            if any(sp.degree(c.polynomial, x) > 1 for c in involved[x]):
                continue
            others = tuple(c for c in conditions if c not in involved[x])
            found = self._eliminate(x, involved[x], variables - {x}, others)
            if found is not None:
                return found
        return None

    def _eliminate(
        self,
        x: sp.Symbol,
        bounding: list[Condition],
        variables: frozenset[sp.Symbol],
        others: tuple[Condition, ...],
    ) -> list[Cell] | None:
        rest = self.cover(variables, others)
        if rest is None:
            return None
        bounds: dict[bool, list[tuple[sp.Expr, bool]]] = {True: [], False: []}
        for c in bounding:
            slope, constant = sp.Poly(c.polynomial, x).all_coeffs()
            rising = all(cell.nonnegative(slope, True) for cell in rest)
            if not rising and not all(cell.nonnegative(-slope, True) for cell in rest):
                return None
            bounds[rising].append((sp.cancel(-constant / slope), c.strict))
        for side, sign in ((True, 1), (False, -1)):
            bounds[side] = tightest = _tightest(bounds[side], sign, rest)
            if len(tightest) > 1:
                return self._cases(x, bounding, variables, others, tightest)
        lower, upper = (next(iter(bounds[side]), None) for side in (True, False))
        if lower and upper:
            gap = upper[0] - lower[0]
            if not all(cell.nonnegative(gap) for cell in rest):
                shrunk = (*others, condition(gap, False))
                if shrunk[-1] in others:
                    return None
                return self._eliminate(x, bounding, variables, shrunk)
        return [piece for cell in rest for piece in self._extend(cell, x, lower, upper)]

    def _cases(
        self,
        x: sp.Symbol,
        bounding: list[Condition],
        variables: frozenset[sp.Symbol],
        others: tuple[Condition, ...],
        tightest: Bounds,
    ) -> list[Cell] | None:
        """Distinguish which of the first two bounds is the larger."""
        if self.cases == 0:
            return None
        self.cases -= 1
        (a, _), (b, _) = tightest[:2]
        found = []
        for difference in (a - b, b - a):
            case = (*others, condition(difference, False))
            piece = (
                self._eliminate(x, bounding, variables, case) if case[-1] not in others else None
            )
            if piece is None:
                return None
            found += piece
        return found

    def _extend(
        self, cell: Cell, x: sp.Symbol, lower: Bound | None, upper: Bound | None
    ) -> Iterator[Cell]:
        """The cell with x added, between its bounds (functions of the cell's variables)."""
        t = sp.Symbol(f"t{next(self.numbers)}", real=True)
        end = lower or upper
        whole = x in self.integers and (end is None or self._integral(cell.pull(end[0]), cell))
        parameter = Parameter(t, whole, bool(end and end[1]))

        def at(value: sp.Expr, *parameters: Parameter) -> Cell:
            return Cell({**cell.point, x: sp.cancel(value)}, (*cell.parameters, *parameters))

        if lower and upper:
            low, high = cell.pull(lower[0]), cell.pull(upper[0])
            # t in [0, oo) covers (L, U]; the end L is a cell of its own.
            yield at(low + (high - low) / (1 + t), Parameter(t, False, upper[1]))
            if not lower[1]:
                yield at(low)
        elif lower:
            yield at(cell.pull(lower[0]) + t, parameter)
        elif upper:
            yield at(cell.pull(upper[0]) - t, parameter)
        else:
            yield at(t, Parameter(t, whole, strict=False, free=True))

    @staticmethod
    def _integral(value: sp.Expr, cell: Cell) -> bool:
        """Whether the value is an integer polynomial in integer parameters."""
        symbols = [p.symbol for p in cell.parameters if p.integer]
        if not value.free_symbols <= set(symbols) or not value.is_polynomial(*symbols):
            return False
        coefficients = sp.Poly(value, *symbols).coeffs() if symbols else [value]
        return all(c.is_Integer for c in coefficients)


def _tightest(
    bounds: list[tuple[sp.Expr, bool]], sign: int, rest: list[Cell]
) -> list[tuple[sp.Expr, bool]]:
    """The bounds that no other bound implies on every cell; sign +1 for lower, -1 for upper."""
    kept = list(dict.fromkeys(bounds))
    for weaker in list(kept):
        for other in kept:
            strict = weaker[1] and not other[1]
            gap = sign * (other[0] - weaker[0])
            if other is not weaker and all(cell.nonnegative(gap, strict) for cell in rest):
                kept.remove(weaker)
                break
    return kept


# The search for a violation: small grids, extreme ratios, seeded random scales; exact throughout.
#
# Points are generated in the orthant coordinates of the domain's cells, where t = 0 is a point of
# the boundary (tight conditions are where violations hide), t = 1, 2, 3 are small grids and t =
# 10^k are asymptotic directions; and, for domains without cells, in the variables themselves.


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
    for point in points(domain, cells):
        if any(w and x.denominator != 1 for w, x in zip(whole, point, strict=True)):
            continue
        found = value(point)
        if not (found > 0 or (allow_zero and found == 0)):
            continue
        if all(v > 0 or (v == 0 and not strict) for v, strict in _values(conditions, point)):
            pairs = zip(domain.symbols, point, strict=True)
            return {s: sp.Rational(x.numerator, x.denominator) for s, x in pairs}
    return None


def _values(
    conditions: Sequence[tuple[_Polynomial, bool]], point: Sequence[Fraction]
) -> Iterator[tuple[Fraction, bool]]:
    return ((condition(point), strict) for condition, strict in conditions)


def points(domain: Domain, cells: Sequence[Cell]) -> Iterator[tuple[Fraction, ...]]:
    """Points to try, in the order of the domain's symbols; they need not lie in it."""
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
            self.terms: list[tuple[Fraction, tuple[tuple[int, int], ...]]] = [
                (_fraction(sp.sympify(expression)), ())
            ]
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
