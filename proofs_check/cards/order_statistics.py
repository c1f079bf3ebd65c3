"""Moments of the selected draws of greedy and GV: order statistics of M standard normals.

On a linear loss the candidates' losses are ordered as y_i = <G, Z_i>/||G||, iid N(0, 1), and what
is across G is independent of the y_i. A selected direction v = sum_i w_i Z_i, with weights that
depend on the order of the y_i only, has the part A = sum_i w_i y_i along G and iid N(0, spread)
entries across it, spread = sum_i w_i^2. A card needs E A^2, E A^4, the spread and, for the cosine,
the law of A^2. The integrals over t are of the kind that :mod:`proofs_check.enclosures` encloses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy as sp
from sympy.ntheory.multinomial import multinomial_coefficients

from proofs_check.cards.ratio import C, arcsine_transform, cosine_of_arcsine, first_two_moments

T = sp.Symbol("t", real=True)
PHI = sp.exp(-(T**2) / 2) / sp.sqrt(2 * sp.pi)
BELOW, ABOVE = sp.erfc(-T / sp.sqrt(2)) / 2, sp.erfc(T / sp.sqrt(2)) / 2  # Phi(t), 1 - Phi(t)
_ARCSINE = sp.asin(1 / (1 + C))
# P(x exceeded by k normals), x ~ N(0, 1/c): orthants of k normals with correlation 1/(1 + c)
# (Sheppard's formula for two, inclusion and exclusion for three).
_ORTHANTS = (
    sp.S.One,
    sp.Rational(1, 2),
    sp.Rational(1, 4) + _ARCSINE / (2 * sp.pi),
    sp.Rational(1, 8) + 3 * _ARCSINE / (4 * sp.pi),
)


@dataclass(frozen=True)
class Selection:
    """The law of a selected direction, as far as it is known exactly.

    first, second, fourth: E A, E A^2, E A^4. spread: sum of the squared weights. beta: the
    parameter of `arcsine_transform` for A^2 / spread where that is its law, else None. density:
    of A, if A is one order statistic. steps: how they come about.
    """

    first: sp.Expr
    second: sp.Expr
    fourth: sp.Expr
    spread: sp.Expr
    steps: tuple[str, ...]
    beta: sp.Expr | None = None
    density: sp.Expr | None = None

    def cos2(self, d: sp.Expr) -> sp.Expr | None:
        """E[A^2 / (A^2 + spread chi2_(d-1))]: E cos^2(G, v) in d dimensions.

        With one integral of an elementary function where A^2 has an arcsine law, of an
        exponential integral for one order statistic; None otherwise.
        """
        if self.beta is not None:
            return cosine_of_arcsine(self.beta, d)
        if self.density is None:
            return None
        # int_1^oo (t^2/2) e^(-(c-1) t^2/2) c^(-(d-1)/2) dc, at A^2 = t^2.
        half = T**2 / 2
        given = half * sp.exp(half) * sp.expint((d - 1) / sp.S(2), half)
        return sp.Integral(given * self.density, (T, -sp.oo, sp.oo))


@cache
def minimum(candidates: int) -> Selection:
    """The least of M standard normals (greedy): spread 1, density M (1 - Phi)^(M-1) phi.

    F(c) = E exp(-(c-1) y^2/2) = M c^(-1/2) P(M - 1 normals exceed x), x ~ N(0, 1/c).
    """
    step = (
        f"A = least of {candidates} normals, density {candidates} (1 - Phi)^{candidates - 1} phi."
    )
    density = candidates * ABOVE ** (candidates - 1) * PHI
    first, second, fourth = (sp.Integral(T**p * density, (T, -sp.oo, sp.oo)) for p in (1, 2, 4))
    if candidates <= len(_ORTHANTS):
        return _closed(first, candidates * _ORTHANTS[candidates - 1] / sp.sqrt(C), sp.S.One, step)
    return Selection(first, second, fourth, sp.S.One, (step,), density=density)


def size_of_minimum(candidates: int) -> sp.Expr:
    """E|Y| of the least Y of M standard normals: -E Y + 2 int_0^oo P(Y > t) dt."""
    beyond = sp.Integral(ABOVE**candidates, (T, 0, sp.oo))
    return -minimum(candidates).first + 2 * beyond


@cache
def split(candidates: int, best: int) -> Selection:
    """Mean of the ``best`` least minus mean of the others of M standard normals (GV)."""
    spread = sp.Rational(1, best) + sp.Rational(1, candidates - best)
    first, second, fourth = (
        sp.Integral(_weighted_moment(p, candidates, best), (T, -sp.oo, sp.oo)) for p in (1, 2, 4)
    )
    if (candidates, best) == (2, 1):
        step = "A = -|y_1 - y_2|, A^2/2 ~ chi2_1."
        return _closed(first, 1 / sp.sqrt(C), spread, step)
    if (candidates, best) == (4, 2):
        step = (
            "A is the least of the six contrasts +-(y_1 + y_2 - y_3 - y_4)/2, ...: three of them "
            "are orthonormal, |A| is the largest of three independent |N(0, 1)|, of density "
            "3 (2 Phi - 1)^2 phi on the line; F(c) = 3 c^(-1/2) E(2 Phi(x) - 1)^2, x ~ N(0, 1/c)."
        )
        square = 4 * _ORTHANTS[2] - 4 * _ORTHANTS[1] + 1
        return _closed(first, 3 * sp.expand(square) / sp.sqrt(C), spread, step)
    step = (
        f"Given y_({best}) = t, the {best - 1} lower and {candidates - best} higher values are iid "
        "normals truncated at t. E A, E A^2 and E A^4 are integrals over t."
    )
    return Selection(first, second, fourth, spread, (step,))


def _closed(first: sp.Expr, transform: sp.Expr, spread: sp.Expr, step: str) -> Selection:
    """The selection with mean `first` and transform F(c) of A^2/spread, of the arcsine form."""
    beta = sp.expand(transform * sp.sqrt(C)).coeff(_ARCSINE)
    if sp.expand(arcsine_transform(beta) - transform) != 0:
        raise ArithmeticError(f"{transform} is no arcsine transform")
    second, fourth = first_two_moments(transform)
    found = (
        step,
        f"F(c) = E exp(-(c-1) A^2/(2 spread)) = {transform}.",
        f"E A^2 = -2 spread F'(1) = {spread * second}, E A^4 = {spread**2 * fourth}.",
    )
    return Selection(first, spread * second, spread**2 * fourth, spread, found, beta=beta)


def _weighted_moment(p: int, candidates: int, k: int) -> sp.Expr:
    """E[A^p | y_(k) = t] times the density of y_(k) at t, a polynomial in t, phi and Phi.

    The density is ways * Phi^(k-1) (1 - Phi)^(M-k) phi. A normal truncated to x < t has the mean
    l = -phi/Phi, one truncated to x > t the mean phi/(1 - Phi), and their moments are linear in
    it; those of the sums have degree at most k - 1 and M - k, so that nothing is divided.
    """
    rest = candidates - k
    ways = sp.factorial(candidates) / (sp.factorial(k - 1) * sp.factorial(rest))
    below, above = sp.symbols("below above")
    low, high = _sum_moments(below, k - 1, p), _sum_moments(above, rest, p)
    terms = (
        multinomial_coefficients(3, p)[a, b, c]
        * (T / k) ** a
        * low[b]
        / sp.Integer(k) ** b
        * high[c]
        / sp.Integer(-rest) ** c
        for a, b, c in multinomial_coefficients(3, p)
    )
    moment = sp.Poly(sp.expand(sp.Add(*terms)), below, above)
    return (
        ways
        * PHI
        * sp.Add(
            *[
                coefficient * (-PHI) ** a * BELOW ** (k - 1 - a) * PHI**b * ABOVE ** (rest - b)
                for (a, b), coefficient in moment.terms()
            ]
        )
    )


def _sum_moments(mean: sp.Expr, terms: int, order: int) -> list[sp.Expr]:
    """E S^0, ..., E S^order of a sum of iid normals truncated at t, each of the given mean.

    By parts: E x^j = (j-1) E x^(j-2) + t^(j-1) mean, on either side of t.
    """
    single = [sp.S.One, mean]
    for j in range(2, order + 1):
        single.append((j - 1) * single[j - 2] + T ** (j - 1) * mean)
    total = [sp.S.One] + [sp.S.Zero] * order
    for _ in range(terms):
        total = [
            sp.expand(sum(sp.binomial(p, j) * single[j] * total[p - j] for j in range(p + 1)))
            for p in range(order + 1)
        ]
    return total
