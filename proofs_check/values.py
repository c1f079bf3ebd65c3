"""What a real expression is worth where its symbols have values: exactly, or in an interval.

Rational numbers stay exact; everything else becomes an interval that provably contains the value.
Nothing is decided by a number that was only rounded. Where the expression has no real value
(division by 0, log of what is not positive, an even root of a negative number, a pole) and where no
rule covers it, two different errors say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from math import comb, factorial, floor
from typing import Any

import sympy as sp
from mpmath.ctx_iv import MPIntervalContext
from mpmath.libmp import fnan, mpf_sign, to_float
from mpmath.libmp.libmpi import mpi_atan
from sympy.core.relational import Relational

Interval = Any  # mpmath's interval number
Number = Fraction | Interval

IV = MPIntervalContext()
IV.prec = 160

_LARGEST = 10_000  # bits of an exact power; factorials of at most as many
_CONSTANTS = {sp.pi: "pi", sp.E: "e", sp.EulerGamma: "euler"}


class Undefined(ValueError):
    """The expression has no real value there."""


class Unknown(ValueError):
    """No rule gives the value, or the interval is too wide to say whether there is one."""


def value(expression: sp.Expr, at: Mapping[sp.Symbol, Number]) -> Number:
    """The value, or an interval that contains it for all values in the intervals of `at`.

    Raises Undefined where it certainly has none, Unknown where that cannot be said.
    """
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    if expression in at:
        return at[expression]
    if expression in _CONSTANTS:
        return IV.convert(getattr(IV, _CONSTANTS[expression]))
    if expression.is_Float:
        raise Unknown(
            f"{expression} is a floating-point number, not an exact one: write it as sp.Rational"
        )
    if expression.is_Symbol:
        raise Unknown(f"{expression} has no value")
    if isinstance(expression, sp.Piecewise):
        return _piecewise(expression, at)
    rule = next((r for kind, r in _RULES.items() if isinstance(expression, kind)), None)
    if rule is None:
        raise Unknown(f"no rule for {expression}")
    return rule(expression, *[value(part, at) for part in expression.args])


def holds(relation: sp.Basic, at: Mapping[sp.Symbol, Number]) -> bool | None:
    """Whether the relation holds for all values in `at` (False: for none; None: not known).

    Raises as :func:`value` does.
    """
    if relation in (sp.true, sp.false):
        return bool(relation)
    if isinstance(relation, sp.And | sp.Or):
        parts = [holds(part, at) for part in relation.args]
        decisive = isinstance(relation, sp.Or)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(relation, sp.Not):
        inner = holds(relation.args[0], at)
        return None if inner is None else not inner
    if not isinstance(relation, Relational):
        raise Unknown(f"{relation} is no relation")
    try:
        sign = signs(_plus(value(relation.lhs, at), -value(relation.rhs, at)))
    except TypeError as error:
        raise Unknown(f"{relation} does not compare numbers") from error
    allowed = _SIGNS[relation.func]
    return True if sign <= allowed else None if sign & allowed else False


def signs(number: Number) -> frozenset[int]:
    """The signs that the number may have: some of -1, 0, 1."""
    if isinstance(number, Fraction):
        return frozenset({(number > 0) - (number < 0)})
    low, high = map(_sign_of_end, number._mpi_)
    return frozenset(s for s in (-1, 0, 1) if low <= s <= high)


def ends(number: Number) -> tuple[Fraction | float, Fraction | float]:
    """Lower and upper end, exact; infinite ends are floats."""
    if isinstance(number, Fraction):
        return number, number
    low, high = number._mpi_
    return _end(low), _end(high)


def _sign_of_end(raw: tuple[int, int, int, int]) -> int:
    if raw == fnan:
        raise Unknown("an interval has no end")
    return mpf_sign(raw)


def _end(raw: tuple[int, int, int, int]) -> Fraction | float:
    sign, mantissa, power, _ = raw
    if abs(power) > _LARGEST:
        raise Unknown("a number is too large, or too close to 0")
    if not mantissa and power:
        found = to_float(raw)
        if found != found:
            raise Unknown("an interval has no end")
        return found
    mantissa = -int(mantissa) if sign else int(mantissa)
    return Fraction(mantissa << power) if power >= 0 else Fraction(mantissa, 1 << -power)


def interval(number: Number) -> Interval:
    """The number as an interval, rounded outwards."""
    if isinstance(number, Fraction):
        return IV.mpf(number.numerator) / number.denominator
    return number


def hull(low: Fraction, high: Fraction) -> Interval:
    """The interval from one number to the other."""
    return IV.mpf([interval(low).a, interval(high).b])


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Intervals of this precision within the block."""
    before, IV.prec = IV.prec, bits
    try:
        yield
    finally:
        IV.prec = before


_SIGNS = {
    sp.Eq: frozenset({0}),
    sp.Ne: frozenset({-1, 1}),
    sp.Le: frozenset({-1, 0}),
    sp.Lt: frozenset({-1}),
    sp.Ge: frozenset({0, 1}),
    sp.Gt: frozenset({1}),
}


def _piecewise(expression: sp.Piecewise, at: Mapping[sp.Symbol, Number]) -> Number:
    for branch, condition in expression.args:
        chosen = holds(condition, at)
        if chosen is None:
            raise Unknown(f"which branch of {expression} it is, is not clear")
        if chosen:
            return value(branch, at)
    raise Undefined(f"{expression} has no branch for this point")


def _sum(_: sp.Expr, *parts: Number) -> Number:
    return reduce(_plus, parts, Fraction(0))


def _plus(a: Number, b: Number) -> Number:
    exact = isinstance(a, Fraction) and isinstance(b, Fraction)
    return a + b if exact else interval(a) + interval(b)


def _product(_: sp.Expr, *parts: Number) -> Number:
    return reduce(_times, parts, Fraction(1))


def _times(a: Number, b: Number) -> Number:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a * b
    if any(isinstance(x, Fraction) and x == 0 for x in (a, b)):
        return Fraction(0)
    return interval(a) * interval(b)


def _power(expression: sp.Pow, base: Number, exponent: Number) -> Number:
    if isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return _whole_power(expression, base, int(exponent))
        return _root(expression, base, exponent)
    low, _ = ends(base)
    if low <= 0:
        raise Unknown(f"{expression}: the base may not be positive")
    return IV.exp(_moderate(expression, interval(exponent) * IV.log(interval(base))))


def _whole_power(expression: sp.Pow, base: Number, exponent: int) -> Number:
    low, high = ends(base)
    if exponent <= 0 and low == high == 0:
        if exponent < 0:
            raise Undefined(f"{expression} divides by 0")
        if not expression.exp.is_Integer:
            raise Unknown(f"{expression} is 0**0, which not everybody reads as 1")
        return Fraction(1)
    if exponent < 0 and low <= 0 <= high:
        raise Unknown(f"{expression} may divide by 0")
    if isinstance(base, Fraction):
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent) <= _LARGEST or abs(base) in (0, 1):
            return base**exponent
        base = interval(base)
    return base**exponent if abs(exponent) < 10**6 else _huge(expression, base, exponent)


def _huge(expression: sp.Pow, base: Interval, exponent: int) -> Interval:
    if ends(base)[0] <= 0:
        raise Unknown(f"{expression} is too large a power")
    return IV.exp(_moderate(expression, IV.mpf(exponent) * IV.log(base)))


def _root(expression: sp.Pow, base: Number, exponent: Fraction) -> Number:
    low, high = ends(base)
    if high < 0:
        raise Undefined(f"{expression} is a root of a negative number")
    if low == high == 0:
        if exponent < 0:
            raise Undefined(f"{expression} divides by 0")
        return Fraction(0)
    if low < 0 or (low == 0 and exponent < 0):
        raise Unknown(f"{expression} may be undefined")
    if isinstance(base, Fraction):
        root = [sp.integer_nthroot(k, exponent.denominator) for k in base.as_integer_ratio()]
        if all(exact for _, exact in root):
            found = Fraction(int(root[0][0]), int(root[1][0]))
            return _whole_power(expression, found, exponent.numerator)
    base = interval(base)
    if exponent == Fraction(1, 2):
        return IV.sqrt(base)
    if low == 0:
        top = IV.exp(_moderate(expression, interval(exponent) * IV.log(base.b)))
        return IV.mpf([0, top.b])
    return IV.exp(_moderate(expression, interval(exponent) * IV.log(base)))


def _exp(expression: sp.Expr, exponent: Number) -> Number:
    if isinstance(exponent, Fraction) and exponent == 0:
        return Fraction(1)
    return IV.exp(_moderate(expression, exponent))


def _moderate(expression: sp.Expr, argument: Number) -> Interval:
    """The argument of a function that takes very long where it is very large."""
    known = interval(argument)
    if not all(isinstance(end, float) or abs(end) < 10**9 for end in ends(known)):
        raise Unknown(f"{expression} is of a very large number")
    return known


def _log(expression: sp.Expr, argument: Number, *base: Number) -> Number:
    if base:
        raise Unknown(f"no rule for {expression}")
    low, high = ends(argument)
    if high <= 0:
        raise Undefined(f"{expression} is the logarithm of {_told(argument)}")
    if low <= 0:
        raise Unknown(f"{expression} may be the logarithm of what is not positive")
    exact = isinstance(argument, Fraction) and argument == 1
    return Fraction(0) if exact else IV.log(interval(argument))


def _abs(_: sp.Expr, x: Number) -> Number:
    return abs(x)


def _sign(expression: sp.Expr, x: Number) -> Number:
    found = signs(x)
    if len(found) > 1:
        return IV.mpf([min(found), max(found)])
    return Fraction(*found)


def _extreme(choose: Callable) -> Callable:
    def rule(_: sp.Expr, *parts: Number) -> Number:
        if all(isinstance(p, Fraction) for p in parts):
            return choose(parts)
        low, high = (choose(getattr(interval(p), end) for p in parts) for end in "ab")
        return IV.mpf([low.a, high.b])

    return rule


def _floor(_: sp.Expr, x: Number) -> Number:
    if any(isinstance(end, float) for end in ends(x)):
        raise Unknown("the integer part of what has no bound")
    low, high = (floor(end) for end in ends(x))
    return Fraction(low) if low == high else IV.mpf([low, high])


def _ceiling(expression: sp.Expr, x: Number) -> Number:
    return -_floor(expression, -x)


def _mod(expression: sp.Expr, a: Number, b: Number) -> Number:
    low, high = ends(b)
    if low == high == 0:
        raise Undefined(f"{expression} divides by 0")
    if low <= 0 <= high:
        raise Unknown(f"{expression} may divide by 0")
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a - b * floor(a / b)
    quotient = _floor(expression, interval(a) / interval(b))
    if not isinstance(quotient, Fraction):
        raise Unknown(f"{expression} wraps round somewhere")
    return _plus(a, -_times(b, quotient))


def _factorial(expression: sp.Expr, n: Number) -> Number:
    if isinstance(n, Fraction) and n.denominator == 1:
        if n < 0:
            raise Undefined(f"{expression} is the factorial of a negative integer")
        if n <= _LARGEST // 10:
            return Fraction(factorial(int(n)))
    raise Unknown(f"{expression} is no factorial of a moderate whole number")


def _gamma(expression: sp.Expr, x: Number) -> Number:
    if isinstance(x, Fraction) and x.denominator == 1:
        if x <= 0:
            raise Undefined(f"{expression} is at a pole")
        if x <= _LARGEST // 10:
            return Fraction(factorial(int(x) - 1))
    if not ends(x)[0] > 0:
        raise Unknown(f"{expression} may be at a pole")
    return IV.gamma(interval(x))


def _binomial(expression: sp.Expr, n: Number, k: Number) -> Number:
    exact = isinstance(n, Fraction) and isinstance(k, Fraction) and k.denominator == 1
    if exact and 0 <= k <= _LARGEST // 10:
        if n.denominator == 1 and n >= 0:
            return Fraction(comb(int(n), int(k)))
        falling = reduce(lambda product, j: product * (n - j), range(int(k)), Fraction(1))
        return falling / factorial(int(k))
    raise Unknown(f"{expression} is no binomial coefficient of a moderate whole number")


def _wave(name: str) -> Callable:
    def rule(expression: sp.Expr, x: Number) -> Number:
        if isinstance(x, Fraction) and x == 0:
            return Fraction(name == "cos")
        if any(isinstance(end, float) for end in ends(x)):
            return IV.mpf([-1, 1])
        return getattr(IV, name)(_moderate(expression, x))

    return rule


def _atan(_: sp.Expr, x: Number) -> Number:
    if isinstance(x, Fraction) and x == 0:
        return x
    return IV.make_mpf(mpi_atan(interval(x)._mpi_, IV.prec))


def _asin(expression: sp.Expr, x: Number) -> Number:
    low, high = ends(x)
    if high < -1 or low > 1:
        raise Undefined(f"{expression} is of a number beyond -1 and 1")
    if low < -1 or high > 1:
        raise Unknown(f"{expression} may be of a number beyond -1 and 1")
    if low == high == 0:
        return Fraction(0)
    return IV.mpf([_asin_of(Fraction(low)).a, _asin_of(Fraction(high)).b])


def _asin_of(x: Fraction) -> Interval:
    """asin x = atan(x / sqrt(1 - x^2)), rising."""
    if abs(x) == 1:
        return int(x) * IV.pi / 2
    argument = interval(x) / IV.sqrt(interval(1 - x**2))
    return IV.make_mpf(mpi_atan(argument._mpi_, IV.prec))


def _acos(expression: sp.Expr, x: Number) -> Number:
    return IV.pi / 2 - interval(_asin(expression, x))


def _told(number: Number) -> str:
    return str(number) if isinstance(number, Fraction) else "what is not positive"


_RULES: dict[type, Callable[..., Number]] = {
    sp.Add: _sum,
    sp.Mul: _product,
    sp.exp: _exp,
    sp.Pow: _power,
    sp.log: _log,
    sp.Abs: _abs,
    sp.sign: _sign,
    sp.Max: _extreme(max),
    sp.Min: _extreme(min),
    sp.floor: _floor,
    sp.ceiling: _ceiling,
    sp.Mod: _mod,
    sp.factorial: _factorial,
    sp.gamma: _gamma,
    sp.binomial: _binomial,
    sp.sin: _wave("sin"),
    sp.cos: _wave("cos"),
    sp.atan: _atan,
    sp.asin: _asin,
    sp.acos: _acos,
}
