"""Real numbers, given as expressions, enclosed by intervals; comparisons that intervals decide.

An expression may hold rational numbers, pi, e, Euler's constant, roots, powers, exp, log, Abs,
integrals of :mod:`proofs_check.normal_integrals`, and symbols, whose values are such expressions
or are known to lie between two of them. What comes out is proved: every operation is rounded
outwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.normal_integrals import IV, Interval, enclose_integral
from proofs_check.results import Proved, Result, Undecided, Violated

Value = sp.Expr | int | tuple[sp.Expr, sp.Expr]  # a number, or what it lies between
Values = Mapping[sp.Symbol, Value]

_CONSTANTS = {sp.pi: "pi", sp.E: "e", sp.EulerGamma: "euler"}
_FUNCTIONS = {sp.exp: "exp", sp.log: "log"}
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


def _interval(expression: sp.Expr, values: Values) -> Interval:
    if expression.is_Rational:
        return IV.mpf(int(expression.p)) / int(expression.q)
    if expression in _CONSTANTS:
        return IV.convert(getattr(IV, _CONSTANTS[expression]))
    if expression in values:
        return _of_symbol(expression, values)
    if isinstance(expression, sp.Integral):
        return enclose_integral(expression)
    parts = [_interval(part, values) for part in expression.args]
    if expression.is_Add:
        return sum(parts, IV.mpf(0))
    if expression.is_Mul:
        product = IV.mpf(1)
        for part in parts:
            product *= part
        return product
    if expression.is_Pow:
        return _power(expression, *parts)
    if isinstance(expression, sp.Abs):
        return abs(parts[0])
    if expression.func in _FUNCTIONS:
        if expression.func is sp.log and not parts[0].a > 0:
            raise ValueError(f"{expression} is undefined on {parts[0]}")
        return getattr(IV, _FUNCTIONS[expression.func])(parts[0])
    raise ValueError(f"no enclosure for {expression}")


def _of_symbol(symbol: sp.Symbol, values: Values) -> Interval:
    value = values[symbol]
    if not isinstance(value, tuple):
        return _interval(sp.sympify(value), values)
    lower, upper = (_interval(sp.sympify(end), values) for end in value)
    if not lower.a <= upper.b:
        raise ValueError(f"{symbol} lies between nothing: {value}")
    return IV.mpf([lower.a, upper.b])


def _power(expression: sp.Expr, base: Interval, exponent: Interval) -> Interval:
    power = expression.exp
    if power.is_Integer:
        if power < 0 and base.a <= 0 <= base.b:
            raise ValueError(f"{expression} may divide by 0")
        return base ** int(power)
    if not base.a > 0:
        raise ValueError(f"{expression} is a root or power of what may not be positive")
    return IV.sqrt(base) if power == sp.Rational(1, 2) else IV.exp(exponent * IV.log(base))


def _outwards(end: Interval, direction: int) -> float:
    """A float that is safely on the outer side of the end."""
    value = float(end.mid)
    return value + direction * (abs(value) * 2.0**-52 + 5e-324)
