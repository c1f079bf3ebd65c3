"""Functions that are not rational, as symbols of which only polynomial conditions are known.

``sqrt(a)`` becomes s with s >= 0 and s^2 = a, ``exp(a)`` becomes e with e > 0, e >= 1 + a and
e (1 - a) <= 1, ``floor(a)`` an integer k with k <= a < k + 1, and so on. Every condition holds at
every point where the function is defined, so that a relation that follows from them is proved; one
that does not is not refuted. Where a function may be undefined, that is written down, and nothing
is assumed of its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import reduce

import sympy as sp

from proofs_check import values
from proofs_check.results import Undecided

Assured = Callable[[sp.Basic, list[sp.Basic]], bool]
"""Whether a relation follows from conditions."""


class Abstraction:
    """Rational expressions in place of others, with conditions on the symbols they bring.

    Attributes:
        conditions: relations that the symbols satisfy, those of the domain first.
        doubts: (expression, requirement) where the requirement was not shown to hold everywhere.
    """

    def __init__(self, symbols: Iterable[sp.Symbol], assured: Assured) -> None:
        self.conditions: list[sp.Basic] = []
        self.doubts: list[tuple[sp.Expr, sp.Basic]] = []
        self._names = {s.name for s in symbols}
        self._assured = assured
        self._known: dict[sp.Expr, sp.Expr] = {}
        self._restricting = False

    def restrict(self, relation: sp.Basic) -> None:
        """Take a relation of the domain; where it is undefined it does not hold."""
        self._restricting = True
        lesser, greater = (self(side) for side in (relation.lhs, relation.rhs))
        self._restricting = False
        self.conditions.append(relation.func(lesser, greater, evaluate=False))

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """The expression with symbols in place of all that is not rational.

        Raises Unknown for what is no real expression.
        """
        if expression in self._known:
            return self._known[expression]
        found = self._replaced(expression)
        self._known[expression] = found
        return found

    def _replaced(self, expression: sp.Expr) -> sp.Expr:
        if expression.is_Rational or expression.is_Symbol:
            return expression
        if not isinstance(expression, sp.Expr):
            raise values.Unknown(f"{expression} is no number")
        if not expression.free_symbols:
            return self._constant(expression)
        if isinstance(expression, sp.Piecewise):
            raise values.Unknown(f"no rule for {expression}")
        if not expression.args or expression.has(sp.I, sp.zoo, sp.nan, sp.oo):
            raise values.Unknown(f"{expression} is no real number")
        parts = [self(part) for part in expression.args]
        if expression.is_Add or expression.is_Mul:
            return expression.func(*parts)
        rule = next((r for kind, r in _RULES.items() if isinstance(expression, kind)), None)
        if rule is None:
            raise values.Unknown(f"no rule for {expression}")
        return rule(self, expression, *parts)

    def _constant(self, expression: sp.Expr) -> sp.Expr:
        """A number that is not rational lies between two that are."""
        number = values.value(expression, {})
        if isinstance(number, Fraction):
            return sp.Rational(number.numerator, number.denominator)
        low, high = values.ends(number)
        if isinstance(low, float) or isinstance(high, float):
            raise values.Unknown(f"{expression} is not bounded")
        grain = 10**24
        s = self.symbol(real=True)
        self.conditions += [
            sp.Ge(s, sp.Rational(low * grain // 1, grain), evaluate=False),
            sp.Le(s, sp.Rational(-(-high * grain // 1), grain), evaluate=False),
        ]
        return s

    def symbol(self, **assumptions: bool) -> sp.Symbol:
        """A symbol of a new name."""
        k = next(k for k in range(len(self._names) + 1) if f"x_{k}" not in self._names)
        self._names.add(f"x_{k}")
        return sp.Symbol(f"x_{k}", **assumptions)

    def require(self, expression: sp.Expr, *alternatives: sp.Basic) -> bool:
        """Whether the expression is defined everywhere: just where the last relation holds.

        Each of the relations implies it. Where the domain is being restricted it holds there.
        """
        if self._restricting:
            self.conditions.append(alternatives[-1])
            return True
        return self.sure(expression, *alternatives)

    def sure(self, expression: sp.Expr, *alternatives: sp.Basic) -> bool:
        """Whether a rule for the expression applies everywhere; if not, that is a doubt."""
        if any(self.follows(relation) for relation in alternatives):
            return True
        self.doubts.append((expression, alternatives[-1]))
        return False

    def follows(self, relation: sp.Basic) -> bool:
        """Whether the relation was shown to hold everywhere."""
        return relation == sp.true or self._assured(relation, self.conditions)

    def know(self, *relations: sp.Basic) -> None:
        """Conditions on the symbols that stand for functions."""
        self.conditions += [r for r in relations if r != sp.true]


def _le(a: sp.Expr, b: sp.Expr) -> sp.Basic:
    return sp.Le(a, b, evaluate=False)


def _lt(a: sp.Expr, b: sp.Expr) -> sp.Basic:
    return sp.Lt(a, b, evaluate=False)


def _nonzero(a: sp.Expr) -> tuple[sp.Basic, ...]:
    return _lt(0, a), _lt(a, 0), _lt(0, a**2)


def _power(known: Abstraction, expression: sp.Pow, base: sp.Expr, power: sp.Expr) -> sp.Expr:
    if power.is_Integer:
        if power < 0 and not known.require(expression, *_nonzero(base)):
            return known.symbol(real=True)
        return base**power
    if power.is_Rational:
        need = _lt(0, base) if power < 0 else _le(0, base)
        if not known.require(expression, need):
            return known.symbol(real=True)
        s = known.symbol(positive=True) if power < 0 else known.symbol(nonnegative=True)
        known.know(sp.Eq(s ** int(power.q), base, evaluate=False))
        return s ** int(power.p)
    return _symbolic_power(known, expression, base, power)


def _symbolic_power(
    known: Abstraction, expression: sp.Pow, base: sp.Expr, power: sp.Expr
) -> sp.Expr:
    if not known.sure(expression, _lt(0, base)):
        return known.symbol(real=True)
    p = known.symbol(positive=True)
    low, high = (expression.base - 1, expression.exp)
    if low.is_nonnegative and high.is_nonnegative:
        known.know(_le(1, p))
        if high.is_integer:  # Bernoulli
            known.know(_le(1 + power * (base - 1), p))
    return p


def _exp(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
    e = known.symbol(positive=True)
    known.know(_le(1 + a, e), _le(e * (1 - a), 1))
    return e


def _log(known: Abstraction, expression: sp.Expr, a: sp.Expr, *base: sp.Expr) -> sp.Expr:
    if base:
        raise values.Unknown(f"no rule for {expression}")
    s = known.symbol(real=True)
    if known.require(expression, _lt(0, a)):
        known.know(_le(s, a - 1), _le(a - 1, a * s))
    return s


def _abs(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
    s = known.symbol(nonnegative=True)
    known.know(sp.Eq(s**2, a**2, evaluate=False), _le(a, s), _le(-a, s))
    return s


def _sign(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
    s = known.symbol(integer=True)
    known.know(_le(s, 1), _le(-1, s), _le(0, s * a), sp.Eq(a * (1 - s**2), 0, evaluate=False))
    return s


def _extreme(sign: int) -> Callable:
    def rule(known: Abstraction, expression: sp.Expr, *parts: sp.Expr) -> sp.Expr:
        s = known.symbol(real=True)
        known.know(*(_le(0, sign * (s - part)) for part in parts))
        product = reduce(lambda x, part: x * (s - part), parts, sp.S.One)
        known.know(sp.Eq(product, 0, evaluate=False))
        return s

    return rule


def _floor(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
    k = known.symbol(integer=True)
    known.know(_le(k, a), _lt(a, k + 1))
    return k


def _ceiling(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
    k = known.symbol(integer=True)
    known.know(_le(a, k), _lt(k - 1, a))
    return k


def _mod(known: Abstraction, expression: sp.Expr, a: sp.Expr, b: sp.Expr) -> sp.Expr:
    if not known.require(expression, *_nonzero(b)):
        return known.symbol(real=True)
    rest, k = known.symbol(real=True), known.symbol(integer=True)
    known.know(sp.Eq(a, b * k + rest, evaluate=False))
    if known.follows(_lt(0, b)):
        known.know(_le(0, rest), _lt(rest, b))
    return rest


def _factorial(known: Abstraction, expression: sp.Expr, n: sp.Expr) -> sp.Expr:
    if not expression.args[0].is_integer:
        known.doubts.append((expression, _le(0, n)))
        return known.symbol(real=True)
    if not known.require(expression, _le(0, n)):
        return known.symbol(real=True)
    s = known.symbol(integer=True, positive=True)
    known.know(_le(n, s))
    return s


def _gamma(known: Abstraction, expression: sp.Expr, x: sp.Expr) -> sp.Expr:
    if not known.sure(expression, _lt(0, x)):
        return known.symbol(real=True)
    return known.symbol(positive=True)


def _binomial(known: Abstraction, expression: sp.Expr, n: sp.Expr, k: sp.Expr) -> sp.Expr:
    if not all(part.is_integer for part in expression.args):
        known.doubts.append((expression, _le(0, n)))
        return known.symbol(real=True)
    if not (known.sure(expression, _le(0, n)) and known.sure(expression, _le(0, k))):
        return known.symbol(real=True)
    return known.symbol(integer=True, nonnegative=True)


def _between(low: int, high: int) -> Callable:
    """A function that is defined everywhere and has values from `low` to `high`."""

    def rule(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
        s = known.symbol(real=True)
        known.know(_le(s, high), _le(low, s))
        return s

    return rule


def _arc(low: int, high: int) -> Callable:
    """asin or acos: defined from -1 to 1."""

    def rule(known: Abstraction, expression: sp.Expr, a: sp.Expr) -> sp.Expr:
        s = known.symbol(real=True)
        if known.require(expression, _le(a**2, 1)):
            known.know(_le(s, high), _le(low, s))
        return s

    return rule


_RULES: dict[type, Callable[..., sp.Expr]] = {
    sp.exp: _exp,
    sp.Pow: _power,
    sp.log: _log,
    sp.Abs: _abs,
    sp.sign: _sign,
    sp.Max: _extreme(1),
    sp.Min: _extreme(-1),
    sp.floor: _floor,
    sp.ceiling: _ceiling,
    sp.Mod: _mod,
    sp.factorial: _factorial,
    sp.gamma: _gamma,
    sp.binomial: _binomial,
    sp.sin: _between(-1, 1),
    sp.cos: _between(-1, 1),
    sp.tanh: _between(-1, 1),
    sp.erf: _between(-1, 1),
    sp.erfc: _between(0, 2),
    sp.atan: _between(-2, 2),
    sp.asin: _arc(-2, 2),
    sp.acos: _arc(0, 4),
}


def doubt(known: Abstraction) -> Undecided:
    """That the first requirement in doubt was not shown."""
    expression, requirement = known.doubts[0]
    return Undecided(f"{expression} may be undefined: {requirement} was not shown everywhere")
