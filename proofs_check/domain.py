"""Domains: the points at which a list of inequalities between rational functions holds.

Every condition is brought to the form ``p >= 0`` or ``p > 0`` with an integer polynomial p. What
the symbols themselves assume counts as well: signs, and ``integer=True``, which makes the symbol
run over integers. A symbol that neither assumes to be real nor is bounded has no domain: an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sympy as sp
from sympy.core.relational import Relational

from proofs_check.results import Point


@dataclass(frozen=True)
class Condition:
    """``polynomial >= 0``, or ``> 0`` if strict; the polynomial has integer coefficients."""

    polynomial: sp.Expr
    strict: bool

    def holds(self, point: Point) -> bool:
        value = evaluate(self.polynomial, point)
        return value > 0 if self.strict else value >= 0

    def __str__(self) -> str:
        return f"{self.polynomial} {'>' if self.strict else '>='} 0"


@dataclass(frozen=True)
class Domain:
    """The points at which all ``conditions`` hold, over ``symbols`` (integers or reals)."""

    symbols: tuple[sp.Symbol, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, conditions: Iterable[Relational], expressions: Iterable[sp.Expr] = ()) -> Domain:
        """The domain of the given relations and of the assumptions of all symbols involved.

        ``<=, <, >=, >`` and ``==`` between rational functions with rational coefficients, ``And``
        of them, and ``a <= Min(b, c)``, ``a >= Max(b, c)``. Raises ValueError for anything else
        and for a relation that SymPy finds false.
        """
        relations = list(flatten(conditions))
        free = {s for e in (*relations, *expressions) for s in sp.sympify(e).free_symbols}
        symbols = tuple(sorted(free, key=lambda s: s.name))
        if len({s.name for s in symbols}) < len(symbols):
            raise ValueError(f"two different symbols share a name: {[s.name for s in symbols]}")
        stated(symbols, relations)
        found = [c for s in symbols for c in _assumed(s)]
        for relation in relations:
            found += _conditions(relation)
        return cls(symbols, tuple(dict.fromkeys(found)))

    @property
    def integers(self) -> frozenset[sp.Symbol]:
        return frozenset(s for s in self.symbols if s.is_integer)

    def contains(self, point: Point) -> bool:
        """Whether the point (a value for every symbol) lies in the domain; exact."""
        if not all(admits(s, point[s]) for s in self.symbols):
            return False
        return all(c.holds(point) for c in self.conditions)


def admits(symbol: sp.Symbol, value: sp.Rational) -> bool:
    """Whether the number is one that the symbol's assumptions allow."""
    return all(
        getattr(value, f"is_{name}") is wanted for name, wanted in symbol.assumptions0.items()
    )


def stated(symbols: Iterable[sp.Symbol], relations: Iterable[Relational]) -> None:
    """Raise ValueError for a symbol of which nobody has said what it runs over."""
    bounded = {s for r in relations for s in _bounded(r)}
    for s in symbols:
        if not isinstance(s, sp.Symbol) or s.is_real is False:
            raise ValueError(f"symbol {s} is not real")
        if not s.is_real and s not in bounded:
            raise ValueError(
                f"symbol {s} has no stated domain: give it assumptions, as sp.Symbol({s.name!r}, "
                "real=True) has (or positive, integer, ...), or bound it in the statement's domain"
            )


def _bounded(relation: Relational) -> set[sp.Symbol]:
    """The symbols that one side of an inequality consists of, up to a factor and a summand."""
    if not isinstance(relation, sp.Le | sp.Lt | sp.Ge | sp.Gt | sp.Eq):
        return set()
    return {
        s
        for side in (relation.lhs, relation.rhs)
        for s in side.free_symbols
        if side.free_symbols == {s} and side.is_polynomial(s) and sp.degree(side, s) == 1
    }


def _assumed(s: sp.Symbol) -> list[Condition]:
    """What a symbol's assumptions say of its sign."""
    if s.is_positive:
        return [Condition(s - 1, False) if s.is_integer else Condition(s, True)]
    if s.is_negative:
        return [Condition(-s - 1, False) if s.is_integer else Condition(-s, True)]
    found = [Condition(s, False)] if s.is_nonnegative else []
    found += [Condition(-s, False)] if s.is_nonpositive else []
    if s.is_nonzero:
        found.append(Condition(s**2 - 1, False) if s.is_integer else Condition(s**2, True))
    return found


def sides(relation: Relational) -> tuple[sp.Expr, sp.Expr, bool]:
    """(lesser side, greater side, strict) of an inequality."""
    if isinstance(relation, sp.Le | sp.Lt | sp.Ge | sp.Gt):
        return relation.lts, relation.gts, isinstance(relation, sp.Lt | sp.Gt)
    raise ValueError(f"not an inequality: {relation}")


def clear(difference: sp.Expr) -> tuple[sp.Expr, list[sp.Expr]]:
    """(p, factors) such that ``difference`` has the sign of p wherever no factor vanishes.

    p is an integer polynomial; the factors are those of the denominator that are not positive by
    the assumptions of their symbols. Raises ValueError unless rational with rational coefficients.
    """
    numerator, denominator = sp.fraction(sp.cancel(sp.together(difference)))
    symbols = sorted(difference.free_symbols, key=lambda s: s.name)
    for part in (numerator, denominator):
        if not part.is_polynomial(*symbols) or not _rational_coefficients(part, symbols):
            raise ValueError(f"not a rational function with rational coefficients: {difference}")
    content, factors = sp.factor_list(denominator)
    numerator = numerator * sp.sign(content)
    unsure = []
    for factor, power in factors:
        if factor.is_positive or (-factor).is_positive:
            numerator = numerator * (1 if factor.is_positive else (-1) ** power)
            continue
        unsure.append(factor)
        numerator = numerator * factor ** (power % 2)
    return integer_polynomial(numerator), unsure


def integer_polynomial(expression: sp.Expr) -> sp.Expr:
    """A positive multiple of a rational polynomial, expanded, with coprime integer coefficients."""
    expression = sp.expand(expression)
    if expression.is_number:
        return sp.sign(expression)
    _, polynomial = sp.Poly(expression, domain="QQ").clear_denoms(convert=True)
    return polynomial.primitive()[1].as_expr()


def condition(difference: sp.Expr, strict: bool) -> Condition:
    """``difference >= 0`` (``> 0``) as a condition; over integers ``p > 0`` becomes ``p >= 1``."""
    polynomial, _ = clear(difference)
    if strict and polynomial.free_symbols and all(s.is_integer for s in polynomial.free_symbols):
        return Condition(integer_polynomial(polynomial - 1), False)
    return Condition(polynomial, strict)


def evaluate(expression: sp.Expr, point: Point) -> sp.Rational:
    """The exact value at a point; raises ZeroDivisionError where it is undefined."""
    value = sp.sympify(expression).subs(point)
    if value.has(sp.zoo, sp.nan, sp.oo):
        raise ZeroDivisionError(f"{expression} is undefined at {point}")
    if not value.is_Rational:
        raise ValueError(f"{expression} is not a rational number at {point}: {value}")
    return value


def flatten(relations: Iterable[sp.Basic]) -> Iterator[Relational]:
    """The relations, conjunctions taken apart and what is true left out.

    Raises ValueError for a false one and for what is no relation.
    """
    for relation in relations:
        if relation == sp.true:
            continue
        if relation == sp.false:
            raise ValueError("a condition is false: the domain is empty")
        if isinstance(relation, sp.And):
            yield from flatten(relation.args)
        elif isinstance(relation, Relational):
            yield relation
        else:
            raise ValueError(f"not a relation: {relation!r}")


def _conditions(relation: Relational) -> list[Condition]:
    if isinstance(relation, sp.Eq):
        difference = relation.lhs - relation.rhs
        return [*_nonzero(difference), condition(difference, False), condition(-difference, False)]
    lesser, greater, strict = sides(relation)
    lessers = lesser.args if isinstance(lesser, sp.Max) else (lesser,)
    greaters = greater.args if isinstance(greater, sp.Min) else (greater,)
    differences = [g - a for a in lessers for g in greaters]
    return [c for d in differences for c in (*_nonzero(d), condition(d, strict))]


def _nonzero(difference: sp.Expr) -> list[Condition]:
    """A condition does not hold where its denominator vanishes: the square of that is > 0."""
    return [Condition(sp.expand(factor**2), True) for factor in clear(difference)[1]]


def _rational_coefficients(expression: sp.Expr, symbols: list[sp.Symbol]) -> bool:
    if not symbols:
        return bool(expression.is_Rational)
    return all(c.is_Rational for c in sp.Poly(expression, *symbols).coeffs())
