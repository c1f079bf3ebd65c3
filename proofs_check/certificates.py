"""Route (d): the conclusion as a nonnegative combination of products of the conditions.

If ``P = sum_a c_a prod_k g_k^(a_k)`` with all ``c_a >= 0`` (Handelman; Farkas when the products are
the conditions themselves) and every ``g_k >= 0`` on the domain, then ``P >= 0`` there. The c come
out of exact linear programming; the identity is then verified by multiplying out, so nothing
rests on the solver. Squares of variables count as conditions too.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import sympy as sp

from proofs_check import smt
from proofs_check.domain import Domain

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
