"""Route (a): polynomials on the nonnegative orthant.

Where no coefficient is negative the polynomial is nonnegative: that is the whole proof (for a
parameter of either sign: where it has even powers only besides). Where
signs are mixed the orthant is cut (t = 0 or t >= 1 for integers; 0 < t <= 1 as well for reals;
t_i <= t_j or t_i >= t_j), each piece is mapped back onto the orthant, and the signs are read
again, a bounded number of times. With one variable left, real roots decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import comb

import sympy as sp

_MAX_CUTS = 200
_MAX_DEPTH = 8

Terms = dict[tuple[int, ...], sp.Rational]  # exponents of the parameters: coefficient


@dataclass(frozen=True)
class Parameter:
    """A coordinate t >= 0 (t > 0 if strict; any t if free), over integers or reals."""

    symbol: sp.Symbol
    integer: bool
    strict: bool
    free: bool = False


def obvious(polynomial: sp.Expr, parameters: Sequence[Parameter], strict: bool) -> bool:
    """Whether the signs of the coefficients show ``polynomial >= 0`` (``> 0``)."""
    return _obvious(_terms(polynomial, parameters), parameters, strict)


def prove(polynomial: sp.Expr, parameters: Sequence[Parameter], strict: bool) -> list[str] | None:
    """Steps that prove ``polynomial >= 0`` (``> 0``) on the orthant, or None."""
    terms = _terms(polynomial, parameters)
    return _prove(terms, tuple(parameters), strict, iter(range(_MAX_CUTS)))


def _terms(polynomial: sp.Expr, parameters: Sequence[Parameter]) -> Terms:
    if not parameters:
        return {(): polynomial} if polynomial else {}
    terms = sp.Poly(polynomial, *[p.symbol for p in parameters], domain="QQ").terms()
    return {e: c for e, c in terms if c}


def _obvious(terms: Terms, parameters: Sequence[Parameter], strict: bool) -> bool:
    free = [k for k, p in enumerate(parameters) if p.free]
    if any(c < 0 or any(e[k] % 2 for k in free) for e, c in terms.items()):
        return False
    return not strict or any(
        all(p.strict or not e for p, e in zip(parameters, exponents, strict=True))
        for exponents in terms
    )


def _prove(
    terms: Terms,
    parameters: tuple[Parameter, ...],
    strict: bool,
    budget: Iterator[int],
    depth: int = 0,
) -> list[str] | None:
    if _obvious(terms, parameters, strict):
        return [f"{_text(terms, parameters, strict)}: no coefficient is negative."]
    if _obvious(terms, parameters, False):
        return None  # strict, and it vanishes where the parameters that may be 0 are
    used = [k for k in range(len(parameters)) if any(e[k] for e in terms)]
    if len(used) <= 1:
        return _prove_univariate(terms, parameters, used, strict)
    if depth == _MAX_DEPTH or next(budget, None) is None:
        return None
    steps = []
    for name, piece, after in _cut(terms, parameters):
        proof = _prove(piece, after, strict, budget, depth + 1)
        if proof is None:
            return None
        steps += [f"Case {name} (on it, {name.split()[0]} counts from 0 again):", *proof]
    return steps


def _prove_univariate(
    terms: Terms, parameters: tuple[Parameter, ...], used: list[int], strict: bool
) -> list[str] | None:
    if not used:
        return None
    p = parameters[used[0]]
    polynomial = _expression(terms, parameters)
    lower = None if p.free else (sp.S.Zero, p.strict)
    try:
        point = violation(polynomial, p.symbol, lower, None, integer=p.integer, strict=strict)
    except ValueError:
        return None
    if point is not None:
        return None
    kind = "integer" if p.integer else "real"
    return [f"{_text(terms, parameters, strict)} for every {kind} {p.symbol}: roots isolated."]


def _text(terms: Terms, parameters: Sequence[Parameter], strict: bool) -> str:
    return f"{_expression(terms, parameters)} {'>' if strict else '>='} 0"


def _expression(terms: Terms, parameters: Sequence[Parameter]) -> sp.Expr:
    symbols = [p.symbol for p in parameters]
    return sp.Add(
        *[
            c * sp.Mul(*[s**e for s, e in zip(symbols, exponents, strict=True)])
            for exponents, c in terms.items()
        ]
    )


Cut = tuple[str, Terms, tuple[Parameter, ...]]


def _cut(terms: Terms, parameters: tuple[Parameter, ...]) -> list[Cut]:
    """Pieces that cover the orthant, chosen by the negative term of highest degree.

    First of all a parameter that may be of either sign is cut at 0. After that,
    in a term such as ``-t_1 t_2`` the two are ordered; in ``-t_1^2`` the parameter is cut at 1;
    a negative constant cuts the first parameter in use.
    """
    for k, p in enumerate(parameters):
        if p.free and any(e[k] for e in terms):
            one_sided = _with(parameters, k, replace(p, free=False))
            mirrored = {e: -c if e[k] % 2 else c for e, c in terms.items()}
            return [
                (f"{p.symbol} >= 0", terms, one_sided),
                (f"-{p.symbol} >= 0", mirrored, one_sided),
            ]
    exponents = max((e for e, c in terms.items() if c < 0), key=lambda e: (sum(e), e))
    involved = [k for k, e in enumerate(exponents) if e]
    if len(involved) > 1:
        a, b = involved[:2]
        return [_order(terms, parameters, a, b), _order(terms, parameters, b, a)]
    k = (
        involved[0]
        if involved
        else next(j for j in range(len(parameters)) if any(e[j] for e in terms))
    )
    p = parameters[k]
    shifted = _with(parameters, k, replace(p, strict=False))
    pieces: list[Cut] = [(f"{p.symbol} >= 1", _shift(terms, k), shifted)]
    if not p.integer:
        pieces.append((f"{p.symbol} in (0, 1]", _invert(terms, k), shifted))
    if not p.strict:
        pieces.append((f"{p.symbol} = 0", {e: c for e, c in terms.items() if not e[k]}, parameters))
    return pieces


def _order(terms: Terms, parameters: tuple[Parameter, ...], small: int, large: int) -> Cut:
    """The piece t_large >= t_small, with t_large = t_small + t."""
    p, q = parameters[large], parameters[small]
    weak = replace(p, strict=False, integer=p.integer and q.integer)
    name = f"{p.symbol} >= {q.symbol}"
    return name, _shift(terms, large, small), _with(parameters, large, weak)


def _with(parameters: tuple[Parameter, ...], k: int, p: Parameter) -> tuple[Parameter, ...]:
    return (*parameters[:k], p, *parameters[k + 1 :])


def _shift(terms: Terms, k: int, by: int | None = None) -> Terms:
    """``t_k -> t_k + 1``, or ``t_k -> t_k + t_by``."""
    result: Terms = {}
    for exponents, c in terms.items():
        for i in range(exponents[k] + 1):
            moved = list(exponents)
            moved[k] -= i
            if by is not None:
                moved[by] += i
            key = tuple(moved)
            result[key] = result.get(key, 0) + c * comb(exponents[k], i)
    return {e: c for e, c in result.items() if c}


def _invert(terms: Terms, k: int) -> Terms:
    """``t_k -> 1/(1 + t_k)``, times the positive (1 + t_k)^degree."""
    degree = max(e[k] for e in terms)
    reversed_ = {(*e[:k], degree - e[k], *e[k + 1 :]): c for e, c in terms.items()}
    return _shift(reversed_, k)


# One variable: sign conditions decided completely, by isolating the real roots.


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
        # No end of the domain is among an irrational root's neighbours: it is inside if they are.
        whole = sp.Poly(sp.expand(polynomial), x, domain="QQ")
        for a, b in isolated:
            if a != b and (inside(a) or inside(b)) and whole.count_roots(a, b):
                raise ValueError(f"{polynomial} = 0 at an irrational point from {a} to {b}")
    return None


def _separated(polynomial: sp.Poly) -> list[tuple[sp.Rational, sp.Rational]]:
    """Isolating intervals of the distinct real roots, at positive distance from each other.

    A rational root is its own interval.
    """
    factors = [factor for factor, _ in polynomial.factor_list()[1] if factor.degree()]
    exact = [-f.coeff_monomial(1) / f.LC() for f in factors if f.degree() == 1]
    width = sp.Rational(1, 4)
    while True:
        found = [(root, root) for root in exact]
        for factor in factors:
            if factor.degree() > 1:
                found += [interval for interval, _ in factor.intervals(eps=width)]
        found.sort()
        if all(a[1] < b[0] for a, b in pairwise(found)):
            return found
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
