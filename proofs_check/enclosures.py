"""Real numbers, given as expressions, enclosed by intervals; comparisons that intervals decide.

An expression may hold what :mod:`proofs_check.values` has rules for, integrals of this module, and
symbols, whose values are such expressions or are known to lie between two of them. What comes out
is proved: every operation is rounded outwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import comb, factorial
from typing import Any, TypeAlias

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.results import Proved, Result, Undecided, Violated
from proofs_check.values import IV, Interval, Number, interval, value

Value: TypeAlias = sp.Expr | int | tuple[sp.Expr, sp.Expr]  # a number, or what it lies between
Values = Mapping[sp.Symbol, Value]

_SIGNS = {sp.Eq: "0", sp.Le: "-0", sp.Lt: "-", sp.Ge: "0+", sp.Gt: "+"}


@dataclass(frozen=True)
class Enclosure:
    """low <= the number <= high."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The number, to within half the width."""
        return (self.low + self.high) / 2

    def __str__(self) -> str:
        if self.high - self.low <= 1e-9 * abs(self.middle):
            return f"{self.middle:.9g}"
        return f"in [{self.low:.9g}, {self.high:.9g}]"


def enclose(expression: sp.Expr, values: Values | None = None) -> Enclosure:
    """Bounds for an expression, rounded outwards; `values` says what its symbols are.

    A pair is what a symbol lies between; its ends may be infinite, and so may the bounds then.

    Raises ValueError for an expression that no rule covers, and where a function is undefined
    somewhere in the intervals.
    """
    found = _interval(sp.sympify(expression), values or {})
    return Enclosure(_outwards(found.a, -1), _outwards(found.b, 1))


def compare(relation: Relational, values: Values | None = None) -> Result:
    """Whether a relation between two such expressions holds.

    Decided where the enclosure of the difference of the sides says on which side of 0 it lies;
    that the sides are equal is found by simplification, where no integral is involved. A
    ``Violated`` has the two sides' values, to about 15 digits, as lhs and rhs.
    """
    values = values or {}
    difference = _interval(relation.lhs - relation.rhs, values)
    lhs, rhs = (enclose(side, values) for side in (relation.lhs, relation.rhs))
    if difference.a > 0 or difference.b < 0:
        sign = "+" if difference.a > 0 else "-"
        step = f"{relation.lhs}: {lhs}; {relation.rhs}: {rhs}."
    elif _simplifies_to_zero(relation.lhs - relation.rhs, values):
        sign, step = "0", f"{relation.lhs} - ({relation.rhs}) simplifies to 0."
    else:
        return Undecided(f"{relation.lhs}: {lhs} and {relation.rhs}: {rhs} overlap")
    if sign in _SIGNS[relation.func]:
        return Proved((step,), "enclosure" if sign != "0" else "simplification")
    return Violated({}, *(sp.Float(side.middle, 15) for side in (lhs, rhs)))


def _simplifies_to_zero(difference: sp.Expr, values: Values) -> bool:
    known = {symbol: value for symbol, value in values.items() if not isinstance(value, tuple)}
    for _ in known:  # values may hold symbols in turn
        difference = difference.xreplace({s: sp.sympify(v) for s, v in known.items()})
    if difference.free_symbols or difference.has(sp.Integral):
        return False
    return sp.simplify(difference) == 0


def _interval(expression: sp.Expr, known: Values) -> Interval:
    integrals = {i: sp.Dummy(real=True) for i in expression.atoms(sp.Integral)}
    at = {dummy: enclose_integral(i) for i, dummy in integrals.items()}
    reduced = expression.xreplace(integrals)
    for symbol in reduced.free_symbols - set(at):
        if symbol not in known:
            raise ValueError(f"no enclosure for {symbol}")
        at[symbol] = _of_symbol(symbol, known)
    return interval(value(reduced, at))


def _of_symbol(symbol: sp.Symbol, known: Values) -> Number:
    given = known[symbol]
    if not isinstance(given, tuple):
        return _interval(sp.sympify(given), known)
    lower, upper = (_end(sp.sympify(end), known) for end in given)
    if not lower.a <= upper.b:
        raise ValueError(f"{symbol} lies between nothing: {given}")
    return IV.mpf([lower.a, upper.b])


def _end(expression: sp.Expr, known: Values) -> Interval:
    if expression.is_infinite and expression.is_extended_real:
        return IV.inf if expression.is_extended_positive else -IV.inf
    return _interval(expression, known)


def _outwards(end: Interval, direction: int) -> float:
    """A float that is safely on the outer side of the end."""
    value = float(end.mid)
    if end.mid == 0:
        return 0.0
    return value + direction * (abs(value) * 2.0**-52 + 5e-324)


# Rigorous enclosures of integrals of polynomials in t, phi(t) and Q(t) = 1 - Phi(t).
#
# phi is the standard normal density, Phi its distribution function. Over the whole line: the
# trapezoidal rule, whose error for a function f that is analytic in the strip |Im z| < a, decays
# there, and has int |f(x + iy)| dx <= M for every |y| < a, is at most 2 M / (e^(2 pi a/h) - 1)
# (Trefethen and Weideman 2014, "The exponentially convergent trapezoidal rule", Theorem 5.1). With
#
#     |phi(x + iy)| = phi(x) e^(y^2/2),   |Q(x + iy)| <= 1 + |y| e^(y^2/2)/sqrt(2 pi)
#
# every term c t^p phi^a Q^b with a >= 1 has such an M. Over the half line t > 0, for powers of Q:
# the trapezoidal rule with its corrections at 0 up to f^(2m-1) (Euler and Maclaurin), whose error
# is at most 2 zeta(2m) (h/(2 pi))^(2m) int |f^(2m)|. All arithmetic is mpmath's interval
# arithmetic, rounded outwards.


_PER_UNIT = 16  # nodes per unit of t in the table
_REACH = 12  # integrals over the line are summed over |t| <= 12
_STRIDE = 2  # h = 1/8 on the line, 1/16 on the half line
_STRIPS = (1, 2)  # a: the bound holds for each, the narrow one serves high powers of Q
_CORRECTIONS = 5  # m

Terms = dict[tuple[int, int, int], Any]  # {(p, a, b): c} is the sum of c t^p phi^a Q^b
_DENSITY, _ABOVE = sp.symbols("phi Q", positive=True)


@cache
def enclose_integral(integral: sp.Integral) -> Interval:
    """An interval that contains the integral.

    Over (-oo, oo): a polynomial in t, exp(-t^2/2) and erfc(t/sqrt(2)), each term with at least one
    exponential. Over (0, oo): a power of erfc(t/sqrt(2)) times a number. Raises
    ValueError for anything else.
    """
    ((variable, lower, upper),) = integral.limits
    terms = _terms(integral.function, variable)
    if (lower, upper) == (-sp.oo, sp.oo) and all(a for _, a, _ in terms):
        return _line(terms)
    if (lower, upper) == (0, sp.oo) and len(terms) == 1:
        (((p, a, power), coefficient),) = terms.items()
        if p == a == 0 < power:
            return _rational(coefficient) * _half_line(power)
    raise ValueError(f"no rigorous rule for {integral}")


def _terms(integrand: sp.Expr, t: sp.Symbol) -> Terms:
    """{(p, a, b): c} with the integrand the sum of c t^p phi^a Q^b."""
    found = integrand.replace(
        lambda e: isinstance(e, sp.exp), lambda e: _power_of_density(e, t)
    ).replace(sp.erfc(t / sp.sqrt(2)), 2 * _ABOVE)
    try:
        polynomial = sp.Poly(sp.expand(found), t, _DENSITY, _ABOVE)
    except sp.PolynomialError as error:
        raise ValueError(f"{integrand} is no polynomial in t, phi and Q") from error
    terms = {powers: sp.simplify(c) for powers, c in polynomial.terms()}
    if not all(c.is_Rational for c in terms.values()):
        raise ValueError(f"{integrand} has coefficients that are not rational")
    return terms


def _power_of_density(exponential: sp.Expr, t: sp.Symbol) -> sp.Expr:
    """exp(-a t^2/2) = (sqrt(2 pi) phi)^a."""
    power = sp.cancel(-2 * exponential.args[0] / t**2)
    if not (power.is_Integer and power > 0):
        raise ValueError(f"{exponential} is no power of the normal density")
    return (sp.sqrt(2 * sp.pi) * _DENSITY) ** power


def _line(terms: Terms) -> Interval:
    coefficients = {powers: _rational(c) for powers, c in terms.items()}
    total = IV.mpf(0)
    for j in range(-_REACH * _PER_UNIT, _REACH * _PER_UNIT + 1, _STRIDE):
        t, density, above = _at(j)
        powers = [_powers(x, max(p[i] for p in terms)) for i, x in enumerate((t, density, above))]
        for (p, a, b), c in coefficients.items():
            total += c * powers[0][p] * powers[1][a] * powers[2][b]
    step = IV.mpf(_STRIDE) / _PER_UNIT
    error = sum((_error(abs(coefficients[p]), *p, step) for p in terms), IV.mpf(0))
    return step * total + IV.mpf([-1, 1]) * error


def _error(size: Interval, p: int, a: int, b: int, step: Interval) -> Interval:
    """What the rule and the truncation may be wrong by on c t^p phi^a Q^b, |c| = size."""
    root = IV.sqrt(2 * IV.pi)
    size = size * root ** (1 - a)  # phi^a <= phi / sqrt(2 pi)^(a-1)
    rule = min((_rule(size, p, a, b, step, strip) for strip in _STRIPS), key=lambda e: e.b)
    # int_T^oo t^p phi <= T^(p-1) phi(T) / (1 - (p-1)/T^2), and t^p phi decreases beyond T
    reach = IV.mpf(_REACH)
    density = IV.exp(-(reach**2) / 2) / root
    tail = reach ** (p - 1) * density / (1 - IV.mpf(max(p - 1, 0)) / reach**2)
    return rule + 2 * size * tail


def _rule(size: Interval, p: int, a: int, b: int, step: Interval, strip: int) -> Interval:
    """What the rule may be wrong by, from the function's size in a strip of this half width."""
    growth = IV.exp(IV.mpf(strip) ** 2 / 2)
    # E(|X| + strip)^p, with E|X|^j <= E X^(2j) = (2j-1)!! or 1
    moments = (
        comb(p, j) * strip ** (p - j) * factorial(2 * j) // (2**j * factorial(j))
        for j in range(p + 1)
    )
    wide = growth**a * (1 + strip * growth / IV.sqrt(2 * IV.pi)) ** b
    return 2 * size * wide * sum(moments) / (IV.exp(2 * IV.pi * strip / step) - 1)


def _half_line(power: int) -> Interval:
    """int_0^oo Q^power dt."""
    step = IV.mpf(1) / _PER_UNIT
    values = [_at(j)[2] ** power for j in range(_REACH * _PER_UNIT + 1)]
    total = step * (sum(values, IV.mpf(0)) - values[0] / 2)
    terms: Terms = {(0, 0, power): 1}
    for order in range(1, 2 * _CORRECTIONS + 1):
        terms = _derivative(terms)
        if order % 2:
            weight = _rational(sp.bernoulli(order + 1) / sp.factorial(order + 1))
            total += weight * step ** (order + 1) * _at_zero(terms)
    rule = 4 * (step / (2 * IV.pi)) ** (2 * _CORRECTIONS) * _size(terms)  # zeta <= 2
    tail = IV.exp(-(IV.mpf(_REACH) ** 2) / 2)  # sum or integral: at most int_T^oo Q <= phi(T)
    return total + IV.mpf([-1, 1]) * (rule + 2 * tail)


def _derivative(terms: Terms) -> Terms:
    """d/dt, with phi' = -t phi and Q' = -phi."""
    found: Terms = {}
    for (p, a, b), c in terms.items():
        parts = {(p - 1, a, b): c * p, (p + 1, a, b): -c * a, (p, a + 1, b - 1): -c * b}
        for powers, part in parts.items():
            if part:
                found[powers] = found.get(powers, 0) + part
    return found


def _at_zero(terms: Terms) -> Interval:
    density = 1 / IV.sqrt(2 * IV.pi)
    values = (c * density**a / IV.mpf(2) ** b for (p, a, b), c in terms.items() if p == 0)
    return sum(values, IV.mpf(0))


def _size(terms: Terms) -> Interval:
    """A bound on int_0^oo of the absolute values of the terms, every a >= 1; there Q <= 1/2.

    int_0^oo t^p phi^a <= E|X|^p / (2 sqrt(2 pi)^(a-1)), E|X|^p <= E X^(2p) = (2p-1)!! or 1.
    """
    root = IV.sqrt(2 * IV.pi)
    return sum(
        (
            abs(c) * (factorial(2 * p) // (2**p * factorial(p))) * root ** (1 - a) / IV.mpf(2) ** b
            for (p, a, b), c in terms.items()
        ),
        IV.mpf(0),
    )


@cache
def _at(j: int) -> tuple[Interval, Interval, Interval]:
    """t, phi(t) and Q(t) at t = j / _PER_UNIT.

    Phi(t) - 1/2 = phi(t) sum_n t^(2n+1)/(2n+1)!!, positive terms whose ratio t^2/(2n+3) falls.
    """
    if j < 0:
        t, density, below = _at(-j)
        return -t, density, 1 - below
    t = IV.mpf(j) / _PER_UNIT
    density = IV.exp(-(t**2) / 2) / IV.sqrt(2 * IV.pi)
    square, term, total, n = t**2, t, IV.mpf(0), 0
    while (ratio := square / (2 * n + 3)).b > 0.5 or term.b > 2.0**-IV.prec:
        total, term, n = total + term, term * ratio, n + 1
    rest = IV.mpf([0, (2 * term).b])  # a geometric series of ratio at most 1/2
    return t, density, IV.mpf(1) / 2 - density * (total + rest)


def _powers(x: Interval, highest: int) -> list[Interval]:
    found = [IV.mpf(1)]
    for _ in range(highest):
        found.append(found[-1] * x)
    return found


def _rational(value: sp.Rational) -> Interval:
    return IV.mpf(int(value.p)) / int(value.q)
