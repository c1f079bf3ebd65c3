"""The standard normal distribution function and its quantiles, enclosed.

Phi(x) = 1/2 + phi(0) sum_n (-1)^n x^(2n+1)/(2^n n! (2n+1)), in rational numbers; past n = x^2/2 the
terms fall, so that the first one left out bounds the rest (Leibniz).
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from proofs_check.enclosures import enclose

_SMALL = Fraction(1, 10**15)
_DENSITY = enclose(1 / sp.sqrt(2 * sp.pi))  # phi(0)


def distribution(x: sp.Rational) -> tuple[sp.Rational, sp.Rational]:
    """(lower, upper) bounds of Phi(x) for a rational x, some 1e-15 apart for |x| <= 5.

    Raises ValueError for |x| > 5, where the series cancels.
    """
    x = Fraction(int(x.p), int(x.q))
    if abs(x) > 5:
        raise ValueError(f"|x| must be at most 5, got {x}")
    total, power, n = Fraction(0), x, 0  # power = (-1)^n x^(2n+1)/(2^n n!)
    while n <= x**2 / 2 or abs(power) > _SMALL:
        total += power / (2 * n + 1)
        n += 1
        power = _short(power * -(x**2) / (2 * n))
    # each shortening moves a term, and all later ones, by at most 1e-30 of 5^(2n)/(2^n n!) <= 3e5
    rest = abs(power) + Fraction(n * n, 10**20)
    ends = [
        Fraction(density) * sum_
        for density in (_DENSITY.low, _DENSITY.high)
        for sum_ in (total - rest, total + rest)
    ]
    return tuple(_rational(Fraction(1, 2) + end) for end in (min(ends), max(ends)))


def quantile(p: sp.Rational) -> tuple[sp.Rational, sp.Rational]:
    """(lower, upper) bounds of Phi^-1(p), some 1e-9 apart, by bisection between proved signs.

    Raises ValueError unless Phi(-5) < p < Phi(5).
    """
    low, high = sp.Integer(-5), sp.Integer(5)
    if not distribution(low)[1] < p < distribution(high)[0]:
        raise ValueError(f"p must lie between Phi(-5) and Phi(5), got {p}")
    while high - low > sp.Rational(1, 10**9):
        middle = (low + high) / 2
        below, above = distribution(middle)
        if above <= p:
            low = middle
        elif below >= p:
            high = middle
        else:  # both bounds of Phi(middle) are that near to p, and phi > 1e-6 here
            near = (above - below) * 10**6
            return middle - near, middle + near
    return low, high


def _short(x: Fraction) -> Fraction:
    """x to 30 digits after the point: exact powers of a long fraction grow without end."""
    return Fraction(round(x * 10**30), 10**30)


def _rational(x: Fraction) -> sp.Rational:
    return sp.Rational(x.numerator, x.denominator)
