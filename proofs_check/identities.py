"""Identities: ``lhs = rhs`` for all values, decided twice."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, product
from math import prod

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import cells
from proofs_check.domain import Domain, clear, evaluate
from proofs_check.results import Proved, Result, RoutesDisagree, Undecided, Violated

_MAX_POINTS = 3000
_SIMPLE = tuple(map(sp.Rational, ("1/2", "0", "1", "2", "-1/2", "1/3", "3", "-1", "1/10", "10")))


def identity(
    lhs: sp.Expr | int, rhs: sp.Expr | int, conditions: Iterable[Relational] = ()
) -> Result:
    """Whether two rational functions are equal at every point where they are defined.

    Routes: the difference in lowest terms is 0; and the numerator of the difference vanishes at
    every point of a grid with (degree + 1) values per variable, which no other polynomial of these
    degrees does (degrees are read off the unexpanded expression). A ``Violated`` carries a point
    that satisfies ``conditions`` and the symbols' assumptions; if only points outside are found,
    the result is Undecided. Other than rational functions: simplification proves, and a simple
    point where the difference is not 0 to 30 digits refutes.
    """
    lhs, rhs = sp.sympify(lhs), sp.sympify(rhs)
    difference = lhs - rhs
    symbols = sorted(difference.free_symbols, key=lambda s: s.name)
    if not difference.is_rational_function(*symbols):
        if sp.simplify(difference) == 0:
            return Proved((f"{lhs} - ({rhs}) simplifies to 0.",), "simplification")
        return _differs(lhs, rhs, Domain.of(conditions, symbols))
    zero = sp.cancel(sp.together(difference)) == 0
    grid = _zero_on_grid(difference, symbols)
    if grid is not None and grid[0] != zero:
        raise RoutesDisagree(f"{lhs} = {rhs}: expansion says {zero}, evaluation {grid}")
    if zero:
        steps = [f"{lhs} - ({rhs}) = 0 in lowest terms."]
        if grid is not None:
            steps.append(f"The difference is 0 at {grid[1]} exact points, degree + 1 per variable.")
        return Proved(tuple(steps), "expansion" + (" + evaluation" if grid else ""))
    return _counterexample(lhs, rhs, conditions)


def _differs(lhs: sp.Expr, rhs: sp.Expr, domain: Domain) -> Result:
    """A simple point of the domain where two real functions differ, or Undecided."""
    for values in islice(product(_SIMPLE, repeat=len(domain.symbols)), _MAX_POINTS):
        point = dict(zip(domain.symbols, values, strict=True))
        if not domain.contains(point):
            continue
        sides = lhs.subs(point), rhs.subs(point)
        gap = (sides[0] - sides[1]).evalf(30)
        if gap.is_Float and gap.is_finite and abs(gap) > 1e-20:
            return Violated(point, *sides)
    return Undecided(f"{lhs - rhs} does not simplify to 0, and no point tells it from 0")


def _counterexample(lhs: sp.Expr, rhs: sp.Expr, conditions: Iterable[Relational]) -> Result:
    domain = Domain.of(conditions, (lhs, rhs))
    numerator, _ = clear(lhs - rhs)
    cover = cells.cells(domain) or []
    for sign in (1, -1):
        point = cells.search(sign * numerator, False, domain, cover)
        if point is None:
            continue
        try:
            sides = evaluate(lhs, point), evaluate(rhs, point)
        except ZeroDivisionError:
            continue
        if sides[0] != sides[1] and domain.contains(point):
            return Violated(point, *sides)
    return Undecided("the sides differ as functions, but at no point of the domain that was tried")


def _zero_on_grid(difference: sp.Expr, symbols: list[sp.Symbol]) -> tuple[bool, int] | None:
    """(whether it vanishes on a sufficient grid, the grid's size); None if that is too large."""
    tops = [degrees(difference, s)[0] for s in symbols]
    size = prod(d + 1 for d in tops)
    if size > _MAX_POINTS:
        return None
    # A denominator of degree e vanishes for at most e values of a variable when the others are
    # fixed, not for whole grids in general: shift the grid until it is defined everywhere.
    for start in (2, 101, 1009, 10007):
        axes = [range(start + 7 * k, start + 7 * k + d + 1) for k, d in enumerate(tops)]
        try:
            values = [
                evaluate(difference, dict(zip(symbols, map(sp.Integer, at), strict=True)))
                for at in product(*axes)
            ]
        except ZeroDivisionError:
            continue
        return not any(values), size
    return None


def degrees(expression: sp.Expr, x: sp.Symbol) -> tuple[int, int]:
    """Upper bounds on the degrees in x of numerator and denominator, without expanding."""
    if not expression.has(x):
        return 0, 0
    if expression == x:
        return 1, 0
    if isinstance(expression, sp.Pow):
        top, bottom = degrees(expression.base, x)
        power = int(expression.exp)
        return (power * top, power * bottom) if power >= 0 else (-power * bottom, -power * top)
    parts = [degrees(arg, x) for arg in expression.args]
    bottom = sum(b for _, b in parts)
    if isinstance(expression, sp.Mul):
        return sum(t for t, _ in parts), bottom
    if isinstance(expression, sp.Add):
        return max(t + bottom - b for t, b in parts), bottom
    raise ValueError(f"not a rational function: {expression}")
