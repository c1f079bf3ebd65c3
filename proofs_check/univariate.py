"""One variable: sign conditions decided completely, by isolating the real roots."""

from __future__ import annotations

from itertools import pairwise

import sympy as sp

Bound = tuple[sp.Rational, bool] | None  # (value, strict), None for none


def violation(
    polynomial: sp.Expr, x: sp.Symbol, lower: Bound, upper: Bound, *, integer: bool, strict: bool
) -> sp.Rational | None:
    """A point of the interval with ``polynomial < 0`` (``<= 0`` if strict), or None: there is none.

    A complete decision. Between two neighbouring roots of the polynomial the sign is constant, so
    reals need one sample per gap (and the roots, for the strict question); a violating gap that
    holds an integer of the interval holds the first integer after its left root, or after the
    interval's lower end. An irrational root cannot be returned: the strict question raises
    ValueError if it is the only violation.
    """
    ends = [bound[0] for bound in (lower, upper) if bound is not None]
    product = sp.Poly(sp.expand(polynomial) * sp.prod(x - e for e in ends), x, domain="QQ")
    if product.is_zero:
        product = sp.Poly(sp.prod(x - e for e in ends), x, domain="QQ")
    isolated = _separated(product)
    candidates = _integers(isolated, ends) if integer else _samples(isolated)

    def inside(point: sp.Rational) -> bool:
        above = lower is None or point > lower[0] or (point == lower[0] and not lower[1])
        below = upper is None or point < upper[0] or (point == upper[0] and not upper[1])
        return above and below

    for point in sorted(set(candidates), key=lambda p: (abs(p), p)):
        value = sp.expand(polynomial).subs(x, point)
        if inside(point) and (value < 0 or (strict and value == 0)):
            return point
    if strict and not integer:
        _reject_irrational_roots(sp.expand(polynomial), x, inside)
    return None


def _separated(polynomial: sp.Poly) -> list[tuple[sp.Rational, sp.Rational]]:
    """Isolating intervals of the distinct real roots, at positive distance from each other."""
    if polynomial.degree() < 1:
        return []
    roots = polynomial.sqf_part()
    width = sp.Rational(1, 4)
    while True:
        intervals = [interval for interval, _ in roots.intervals(eps=width)]
        if all(a[1] < b[0] for a, b in pairwise(intervals)):
            return intervals
        width /= 16


def _samples(isolated: list[tuple[sp.Rational, sp.Rational]]) -> list[sp.Rational]:
    if not isolated:
        return [sp.S.Zero]
    gaps = [(a[1] + b[0]) / 2 for a, b in pairwise(isolated)]
    rational = [a for a, b in isolated if a == b]
    return [isolated[0][0] - 1, *gaps, isolated[-1][1] + 1, *rational]


def _integers(
    isolated: list[tuple[sp.Rational, sp.Rational]], ends: list[sp.Rational]
) -> list[sp.Integer]:
    # The first integer after a root in [a, b] is at least floor(a) and at most floor(b) + 1.
    found = [sp.S.Zero] if not isolated else [sp.floor(isolated[0][0]) - 1]
    for a, b in isolated:
        found += [sp.Integer(k) for k in range(sp.floor(a), sp.floor(b) + 2)]
    return found + [e for end in ends for e in (sp.floor(end), sp.ceiling(end), sp.floor(end) + 1)]


def _reject_irrational_roots(polynomial: sp.Expr, x: sp.Symbol, inside) -> None:
    for a, b in _separated(sp.Poly(polynomial, x, domain="QQ")):
        if a != b and (inside(a) or inside(b)):
            raise ValueError(f"{polynomial} = 0 at an irrational point between {a} and {b}")
