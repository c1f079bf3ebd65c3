"""Decide ``lhs <= rhs`` at every point of a domain: a proof or a violation, never a grid.

Routes to a proof, all of which are tried and reported:

- *substitution*: the domain as images of the nonnegative orthant, where no coefficient is
  negative (:mod:`proofs_check.cells`); a single variable by isolating real roots;
- *combination*: the difference as a nonnegative combination of products of the conditions
  (:mod:`proofs_check.inequalities`);
- *z3*: no real (or integer) point of the domain violates it (:mod:`proofs_check.smt`).

A violation is confirmed by evaluating the original sides and conditions in exact arithmetic.
A proof together with a violation raises :class:`RoutesDisagree`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations_with_replacement

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import cells, orthant, smt
from proofs_check.cells import Cell
from proofs_check.domain import (
    Condition,
    Domain,
    clear,
    condition,
    evaluate,
    integer_polynomial,
    sides,
)
from proofs_check.results import (
    Point,
    Proved,
    Result,
    RoutesDisagree,
    Undecided,
    Undefined,
    Violated,
)

_FEW = 4  # symbols of a domain with symbols for functions that is still cut into cells
_SIMPLE = ("0", "1", "2", "3", "1/2", "10", "1/10", "100", "1/100", "1000", "1/1000")

__all__ = ["Proved", "Result", "RoutesDisagree", "Undecided", "Violated", "decide"]


def decide(
    lhs: sp.Expr | int,
    rhs: sp.Expr | int,
    conditions: Iterable[Relational] = (),
    *,
    strict: bool = False,
) -> Result:
    """Does ``lhs <= rhs`` (``<`` if strict) hold wherever the conditions do?

    Sides and conditions: rational functions with rational coefficients. The symbols' own
    assumptions (positive, nonnegative, integer) are conditions too; other symbols are real.
    ``Undecided`` also if no point of the domain is found (the statement could be vacuous) or if a
    denominator, as written, may vanish (``Undefined``, where a point at which it does is found).
    Raises ValueError for other expressions, RoutesDisagree for a defect.
    """
    lhs, rhs = sp.sympify(lhs), sp.sympify(rhs)
    domain = Domain.of(conditions, (lhs, rhs))
    difference, more = clear(rhs - lhs)
    denominators = list(dict.fromkeys([*poles(lhs, rhs), *more]))
    cover = cells.cells(domain) or []
    if a_point(domain, cover) is None:
        return Undecided("no point of the domain was found: the statement may be vacuous")
    proofs, suggestion = _proofs(difference, strict, domain, cover)
    suggestions = (
        lambda: cells.search(-difference, strict, domain, cover),
        lambda: _by_roots(difference, strict, domain),
        lambda: suggestion,
    )
    found = (_confirm(lhs, rhs, strict, domain, suggest()) for suggest in suggestions)
    violation = next((v for v in found if v), None)
    if violation and proofs and not denominators:
        raise RoutesDisagree(f"{lhs} against {rhs}: {proofs} but {violation}")
    if violation:
        return _simplified(lhs, rhs, strict, domain, violation)
    if undefined := _vanishing(denominators, domain, cover):
        return undefined
    if not proofs:
        return Undecided("no route found a proof, and no violation was found")
    opening = f"{rhs} - ({lhs}) has the sign of {difference}."
    return Proved((opening, *(s for steps in proofs.values() for s in steps)), " + ".join(proofs))


def poles(*expressions: sp.Expr) -> list[sp.Expr]:
    """The polynomials whose zeros the expressions divide by, as they are written.

    Factors that are not 0 by the assumptions of their symbols are left out.
    """
    found = []
    for power in (e for side in expressions for e in side.atoms(sp.Pow)):
        if not (power.exp.is_Integer and power.exp < 0):
            continue
        numerator = sp.numer(sp.cancel(sp.together(power.base)))
        factors = [factor for factor, _ in sp.factor_list(numerator)[1]] or [numerator]
        found += [f for f in factors if not (f.is_positive or f.is_negative or f.is_nonzero)]
    return list(dict.fromkeys(found))


def proofs(
    relation: Relational, conditions: Iterable[Relational], more: Iterable[sp.Symbol] = ()
) -> dict[str, tuple[str, ...]]:
    """{route: steps} that prove an inequality wherever the conditions hold and it is defined."""
    lesser, greater, strict = sides(relation)
    domain = Domain.of(conditions, (lesser, greater, *more))
    few = len(domain.symbols) <= _FEW and len(domain.conditions) <= 2 * _FEW
    cover = (cells.cells(domain) or []) if few else []
    return _proofs(clear(greater - lesser)[0], strict, domain, cover)[0]


def empty(domain: Domain) -> bool:
    """Whether it is proved that the domain has no point."""
    return bool(domain.conditions) and smt.witness(domain) is True


def defined(expressions: Iterable[sp.Expr], domain: Domain) -> Undecided | None:
    """None if the rational functions are defined at every point of the domain, else why not."""
    return _vanishing(poles(*expressions), domain, cells.cells(domain) or [])


def _vanishing(
    polynomials: Iterable[sp.Expr], domain: Domain, cover: list[Cell]
) -> Undecided | None:
    """None if none of the polynomials vanishes in the domain."""
    for p in map(integer_polynomial, polynomials):
        if any(_proofs(q, True, domain, cover)[0] for q in (p, -p, sp.expand(p**2))):
            continue
        zero = smt.refute(domain, [Condition(p, False), Condition(sp.expand(-p), False)])
        if isinstance(zero, dict) and domain.contains(zero) and evaluate(p, zero) == 0:
            return Undefined(f"a side divides by {p}, which is 0", zero)
        return Undecided(f"the denominator {p} may vanish")
    return None


def _proofs(
    difference: sp.Expr, strict: bool, domain: Domain, cover: list[Cell]
) -> tuple[dict[str, tuple[str, ...]], Point | None]:
    """({route: steps} that prove ``difference >= 0`` (``> 0``), z3's violating point if any)."""
    found = {"substitution": cells.prove(difference, cover, strict) if cover else None}
    if found["substitution"] is None:
        found["combination"] = prove(difference, domain, strict)
    answer = smt.refute(domain, [condition(-difference, not strict)]) if domain.symbols else False
    if answer is True:
        found["z3"] = ("z3: no point of the domain violates it (unsat).",)
    proofs = {route: steps for route, steps in found.items() if steps is not None}
    return proofs, answer if isinstance(answer, dict) else None


def _by_roots(difference: sp.Expr, strict: bool, domain: Domain) -> Point | None:
    """One variable with constant bounds: the complete decision."""
    if len(domain.symbols) != 1:
        return None
    (x,) = domain.symbols
    ends: dict[int, orthant.Bound] = {1: None, -1: None}
    for c in domain.conditions:
        if sp.degree(c.polynomial, x) != 1:
            return None
        slope, constant = sp.Poly(c.polynomial, x).all_coeffs()
        side, end = sp.sign(slope), (-constant / slope, c.strict)
        known = ends[side]
        ends[side] = end if known is None else max(known, end, key=lambda e: (side * e[0], e[1]))
    try:
        point = orthant.violation(
            difference, x, ends[1], ends[-1], integer=x in domain.integers, strict=strict
        )
    except ValueError:
        return None
    return None if point is None else {x: point}


def _confirm(
    lhs: sp.Expr, rhs: sp.Expr, strict: bool, domain: Domain, point: Point | None
) -> Violated | None:
    """The violation with both sides evaluated exactly, or None if the point does not violate."""
    if point is None or not domain.contains(point):
        return None
    try:
        left, right = evaluate(lhs, point), evaluate(rhs, point)
    except ZeroDivisionError:
        return None
    violated = left >= right if strict else left > right
    return Violated(point, left, right) if violated else None


def _simplified(
    lhs: sp.Expr, rhs: sp.Expr, strict: bool, domain: Domain, violation: Violated
) -> Violated:
    """The violation with as many coordinates as possible replaced by simple numbers."""
    for symbol in sorted(violation.point, key=lambda s: s.name):
        for value in map(sp.Rational, _SIMPLE):
            if _size(value) < _size(violation.point[symbol]):
                point = {**violation.point, symbol: value}
                violation = _confirm(lhs, rhs, strict, domain, point) or violation
    return violation


def _size(value: sp.Rational) -> int:
    return abs(value.p) + value.q


def a_point(domain: Domain, cover: list[Cell]) -> Point | None:
    """A point of the domain, if one is found."""
    if not domain.symbols:
        return {} if domain.contains({}) else None
    point = cells.search(sp.S.One, False, domain, cover)
    seen = smt.witness(domain) if point is None else point
    return seen if isinstance(seen, dict) and domain.contains(seen) else None


# Route (d): the conclusion as a nonnegative combination of products of the conditions.
#
# If ``P = sum_a c_a prod_k g_k^(a_k)`` with all ``c_a >= 0`` (Handelman; Farkas when the products
# are the conditions themselves) and every ``g_k >= 0`` on the domain, then ``P >= 0`` there. The c
# come out of exact linear programming; the identity is then verified by multiplying out, so
# nothing rests on the solver. Squares of variables count as conditions too.


_MAX_PRODUCTS = 400


def prove(polynomial: sp.Expr, domain: Domain, strict: bool) -> tuple[str, ...] | None:
    """Steps that prove ``polynomial >= 0`` (``> 0``) on the domain, or None."""
    if not domain.symbols:
        return None
    target = sp.Poly(polynomial, *domain.symbols, domain="QQ")
    for degree in range(1, max(target.total_degree(), 2) + 1):
        found = _products(domain, degree)
        if len(found) > _MAX_PRODUCTS:
            return None
        polynomials = [p for _, p, _ in found]
        marks = [mark for _, _, mark in found] if strict else None
        weights = smt.combination(polynomials, target, marks)
        if weights is None:
            continue
        used = [(w, *entry) for w, entry in zip(weights, found, strict=True) if w]
        total = sum((p * w for w, _, p, _ in used), start=target * 0)
        positive = not strict or any(mark for *_, mark in used)
        if total != target or not positive or any(w < 0 for w, *_ in used):
            raise AssertionError(f"the combination does not multiply out to {polynomial}")
        text = " + ".join(f"{w} * {name}" for w, name, _, _ in used) or "0"
        return (f"{polynomial} = {text}, every product {'>= 0, one > 0' if strict else '>= 0'}.",)
    return None


def _products(domain: Domain, degree: int) -> list[tuple[str, sp.Poly, bool]]:
    """(text, product, strictly positive) for products of up to ``degree`` conditions."""
    generators = domain.symbols
    one = sp.Poly(1, *generators, domain="QQ")
    conditions = [
        (f"({c.polynomial})", sp.Poly(c.polynomial, *generators, domain="QQ"), c.strict)
        for c in domain.conditions
    ]
    squares = [(f"({s})^2", sp.Poly(s**2, *generators, domain="QQ"), False) for s in generators]
    found = [("1", one, True)]
    for size in range(1, degree + 1):
        for parts in combinations_with_replacement(conditions, size):
            product = one
            for _, p, _ in parts:
                product = product * p
            found.append((" * ".join(t for t, _, _ in parts), product, all(m for *_, m in parts)))
    return found + (squares if degree > 1 else [])
