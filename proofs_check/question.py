"""Whether a relation between real expressions holds on a domain: the question, asked at points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import inequalities, realised, values
from proofs_check.contractions import Contraction
from proofs_check.domain import Domain, admits, flatten, stated
from proofs_check.identities import degrees
from proofs_check.results import Point, Violated
from proofs_check.values import Number

_MOST_TERMS = 20_000
_HIGHEST_DEGREE = 40
_LONGEST = 2000  # bits of a number that is written out
_PRECISE = 800  # bits, where 160 leave a sign open

At = dict[sp.Symbol, Number]


@dataclass(frozen=True)
class Question:
    """A relation, the conditions on its symbols, and the symbols; `of` splits the conditions."""

    relation: Relational
    domain: tuple[Relational, ...]
    symbols: tuple[sp.Symbol, ...]

    @classmethod
    def of(cls, relation: Relational, conditions: Iterable[sp.Basic]) -> Question:
        """Raises ValueError for a symbol without a stated domain."""
        domain = tuple(part for relation in flatten(conditions) for part in _parts(relation))
        free = set().union(*(e.free_symbols for e in (relation, *domain)))
        for dimensions, _ in realised.tensors(free).values():
            free |= {s for d in dimensions for s in d.free_symbols}
        symbols = tuple(sorted(free, key=lambda s: s.name))
        stated(symbols, domain)
        return cls(relation, domain, symbols)

    @property
    def contractions(self) -> tuple[sp.Symbol, ...]:
        """Those symbols that are contractions of fixed tensors."""
        return tuple(s for s in self.symbols if isinstance(s, Contraction))

    @property
    def sides(self) -> tuple[sp.Expr, sp.Expr]:
        """The relation's left and right."""
        return self.relation.lhs, self.relation.rhs

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """All sides, the conditions' too."""
        return tuple(e for r in (self.relation, *self.domain) for e in (r.lhs, r.rhs))

    @property
    def rational(self) -> bool:
        """Whether all are rational functions with rational coefficients."""
        return all(map(is_rational, self.expressions))

    def large(self) -> bool:
        """Whether a rational function in it has more terms, multiplied out, than is worth it."""
        for e in filter(is_rational, self.expressions):
            tops = [max(degrees(e, s)) for s in e.free_symbols]
            if max(tops, default=0) > _HIGHEST_DEGREE or prod(d + 1 for d in tops) > _MOST_TERMS:
                return True
        return False

    def unreal(self) -> str:
        """Why the relation is none between exact real numbers; "" if it is."""
        for expression in self.expressions:
            if not isinstance(expression, sp.Expr):
                return f"{expression} is no number"
            if expression.has(sp.Float):
                number = next(iter(expression.atoms(sp.Float)))
                return f"{number} is a floating-point number, not an exact one: use sp.Rational"
            for what in (sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
                if expression.has(what):
                    return f"{expression} is not a real number everywhere: it has {what}"
        return ""

    def admitted(self, point: Point) -> bool:
        """Whether the point certainly lies in the domain."""
        if not all(admits(s, point[s]) for s in self.symbols if s in point):
            return False
        at = at_point(point)
        try:
            return all(values.holds(r, at) is True for r in self.domain)
        except ValueError:  # where a condition is undefined it does not hold
            return False

    def truth(self, point: Point) -> bool | None:
        """Whether the relation holds at the point; raises Undefined, Unknown."""
        at = at_point(point)
        found = values.holds(self.relation, at)
        if found is None:
            with values.precision(_PRECISE):
                found = values.holds(self.relation, at)
        return found

    def confirmed(self, point: Point) -> bool:
        """Whether the point certainly lies in the domain and the relation fails there."""
        try:
            return self.admitted(point) and self.truth(point) is False
        except ValueError:
            return False

    def why_undefined(self, point: Point) -> str:
        """Which function has no value at the point; "" if all have one."""
        try:
            self.truth(point)
        except values.Undefined as error:
            return str(error)
        return ""

    def violated(self, point: Point, tensors: dict[str, Any] | None = None) -> Violated:
        """The violation at the point, both sides evaluated."""
        lhs, rhs = (_number(side, point) for side in self.sides)
        return Violated(point, lhs, rhs, tensors or {})

    def empty(self) -> bool:
        """Whether it is proved that the domain has no point."""
        if not self.domain or not all(is_rational(e) for r in self.domain for e in (r.lhs, r.rhs)):
            return False
        return inequalities.empty(Domain.of(self.domain, self.symbols))


def _parts(relation: Relational) -> list[Relational]:
    """a <= Min(b, c) and a >= Max(b, c) as two; a != b as an inequality between squares."""
    if isinstance(relation, sp.Ne):
        return [sp.Gt((relation.lhs - relation.rhs) ** 2, 0, evaluate=False)]
    if isinstance(relation, sp.Eq):
        return [relation]
    strict = isinstance(relation, sp.Lt | sp.Gt)
    lessers = relation.lts.args if isinstance(relation.lts, sp.Max) else (relation.lts,)
    greaters = relation.gts.args if isinstance(relation.gts, sp.Min) else (relation.gts,)
    kind = sp.Lt if strict else sp.Le
    return [kind(a, b, evaluate=False) for a in lessers for b in greaters]


# Numbers.


def at_point(point: Point) -> At:
    """A point's numbers as fractions."""
    return {s: fraction(x) for s, x in point.items()}


def fraction(value: sp.Rational) -> Fraction:
    """The same number."""
    return Fraction(int(value.p), int(value.q))


def _number(side: sp.Expr, point: Point) -> sp.Expr:
    """A side's value: exact where it is rational, else as SymPy writes it or to 15 digits."""
    found = values.value(side, at_point(point))
    if isinstance(found, Fraction):
        exact = sp.Rational(found.numerator, found.denominator)
        return exact if found.numerator.bit_length() < _LONGEST else sp.Float(exact, 15)
    if sp.count_ops(side) <= 6 and not is_rational(side):
        exact = side.subs(point)
        if exact.is_real and not exact.is_Rational:
            return exact
    return sp.Float(found.mid._mpi_[0], 15)


def is_rational(expression: Any) -> bool:
    """Whether it is made of symbols and rational numbers by sums, products and whole powers."""
    if not isinstance(expression, sp.Expr):
        return False
    if expression.is_Pow:
        return bool(expression.exp.is_Integer) and is_rational(expression.base)
    if expression.is_Add or expression.is_Mul:
        return all(map(is_rational, expression.args))
    return bool(expression.is_Rational or expression.is_Symbol)
