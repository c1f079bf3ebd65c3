"""Whether a relation between real expressions holds on a domain: for anybody's statement.

:mod:`proofs_check.inequalities` and :mod:`proofs_check.identities` decide rational functions. Here
stands what has to be so before and around them: a formula is defined on its whole domain, functions
that are not rational are enclosed or abstracted, and a counterexample in contractions of fixed
tensors comes with tensors. What is beyond all this is ``Undecided``, with the reason.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice, product
from math import prod
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import cells, inequalities, realised, values
from proofs_check.abstraction import Abstraction, doubt
from proofs_check.contractions import Contraction
from proofs_check.domain import Domain, admits, flatten, stated
from proofs_check.identities import degrees, identity
from proofs_check.results import Point, Proved, Result, Undecided, Undefined, Violated
from proofs_check.values import Number, Unknown

_MOST_POINTS = 1000  # of samples; of a finite domain that is looked through
_MOST_TERMS = 20_000
_HIGHEST_DEGREE = 40
_MOST_BOXES = 1500
_LARGEST_FORMULA = 80  # operations of what is simplified
_SIMPLE = tuple(map(sp.Rational, ("0", "1", "2", "1/2", "-1", "3", "-1/2", "1/3", "10", "-2")))
_LONGEST = 2000  # bits of a number that is written out
_PRECISE = 800  # bits, where 160 leave a sign open

At = dict[sp.Symbol, Number]


def decide(relation: Relational, conditions: Iterable[sp.Basic] = ()) -> Result:
    """Whether the relation holds at every point at which the conditions do.

    ``=``, ``<=``, ``<``, ``>=`` or ``>`` between real expressions. ``Undefined`` names a point of
    the domain at which a side has no value. The sides of a ``Violated`` are the relation's.
    Raises ValueError for a symbol without a stated domain, and where the domain is empty.
    """
    question = _Question.of(relation, conditions)
    unreal = question.unreal()
    if unreal:
        return Undecided(unreal)
    if question.large():
        return _sampled(question, Undecided("its polynomials are too large to multiply out"))
    try:
        found = _rational(question) if question.rational else _other(question)
    except Unknown as error:
        found = Undecided(str(error))
    if not isinstance(found, Violated | Undefined) and question.empty():
        told = ", ".join(map(str, question.domain))
        raise ValueError(f"the domain is empty: no point satisfies {told}")
    if isinstance(found, Violated) and not question.confirmed(found.point):
        found = Undecided("a point that seemed to violate it is not certain to")
    if isinstance(found, Undefined) and not question.admitted(found.point):
        found = Undecided(f"it may be undefined: {found.reason}")
    if isinstance(found, Proved):
        return found
    if question.contractions:
        return _realised(question, found)
    if isinstance(found, Violated | Undefined) or not question.rational:
        return found
    return _sampled(question, found)


@dataclass(frozen=True)
class _Question:
    relation: Relational
    domain: tuple[Relational, ...]
    symbols: tuple[sp.Symbol, ...]

    @classmethod
    def of(cls, relation: Relational, conditions: Iterable[sp.Basic]) -> _Question:
        domain = tuple(part for relation in flatten(conditions) for part in _parts(relation))
        free = set().union(*(e.free_symbols for e in (relation, *domain)))
        for dimensions, _ in realised.tensors(free).values():
            free |= {s for d in dimensions for s in d.free_symbols}
        symbols = tuple(sorted(free, key=lambda s: s.name))
        stated(symbols, domain)
        return cls(relation, domain, symbols)

    @property
    def contractions(self) -> tuple[sp.Symbol, ...]:
        return tuple(s for s in self.symbols if isinstance(s, Contraction))

    @property
    def sides(self) -> tuple[sp.Expr, sp.Expr]:
        return self.relation.lhs, self.relation.rhs

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        return tuple(e for r in (self.relation, *self.domain) for e in (r.lhs, r.rhs))

    @property
    def rational(self) -> bool:
        return all(map(_is_rational, self.expressions))

    def large(self) -> bool:
        """Whether a rational function in it has more terms, multiplied out, than is worth it."""
        for e in filter(_is_rational, self.expressions):
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
        at = _at(point)
        try:
            return all(values.holds(r, at) is True for r in self.domain)
        except ValueError:  # where a condition is undefined it does not hold
            return False

    def truth(self, point: Point) -> bool | None:
        """Whether the relation holds at the point; raises Undefined, Unknown."""
        at = _at(point)
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
        try:
            self.truth(point)
        except values.Undefined as error:
            return str(error)
        return ""

    def violated(self, point: Point, tensors: dict[str, Any] | None = None) -> Violated:
        lhs, rhs = (_number(side, point) for side in self.sides)
        return Violated(point, lhs, rhs, tensors or {})

    def empty(self) -> bool:
        """Whether it is proved that the domain has no point."""
        if not self.domain or not all(_is_rational(e) for r in self.domain for e in (r.lhs, r.rhs)):
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


# Rational functions.


def _rational(question: _Question) -> Result:
    facts = realised.facts(question.contractions)
    conditions = [*question.domain, *facts]
    if isinstance(question.relation, sp.Eq):
        found = identity(*question.sides, conditions)
        if isinstance(found, Proved):
            undefined = inequalities.defined(
                question.sides, Domain.of(conditions, question.symbols)
            )
            return undefined or found
        if isinstance(found, Violated):
            return found
        return _both_ways(question, conditions)
    return _inequality(question.relation, conditions)


def _inequality(relation: Relational, conditions: Sequence[sp.Basic]) -> Result:
    """lhs <= rhs, whichever way round it is written; a violation has the relation's own sides."""
    rising = isinstance(relation, sp.Le | sp.Lt)
    sides = (relation.lhs, relation.rhs)[:: 1 if rising else -1]
    strict = isinstance(relation, sp.Lt | sp.Gt)
    found = inequalities.decide(*sides, conditions, strict=strict)
    if isinstance(found, Violated) and not rising:
        return replace(found, lhs=found.rhs, rhs=found.lhs)
    return found


def _both_ways(question: _Question, conditions: Sequence[sp.Basic]) -> Result:
    """An equation that holds on its domain only, as two inequalities."""
    lhs, rhs = question.sides
    below, above = (
        _inequality(kind(lhs, rhs, evaluate=False), conditions) for kind in (sp.Le, sp.Ge)
    )
    if isinstance(below, Proved) and isinstance(above, Proved):
        return Proved(below.steps + above.steps, f"<= by {below.route}; >= by {above.route}")
    return above if isinstance(below, Proved) else below


# Other functions.


def _other(question: _Question) -> Result:
    """By abstraction; then by samples, which refute; then by looking at every point or box."""
    known = Abstraction(question.symbols, _assured(question))
    reason = ""
    try:
        for relation in (*question.domain, *realised.facts(question.contractions)):
            known.restrict(relation)
        lhs, rhs = (known(side) for side in question.sides)
        found = None if known.doubts else _abstract(question.relation, lhs, rhs, known.conditions)
    except values.Undefined as error:
        point = _a_point(question)
        return Undecided(str(error)) if point is None else Undefined(str(error), point)
    except Unknown as error:
        found, reason = None, str(error)
    seen = _look(question)
    if isinstance(seen, Violated | Undefined):
        return seen
    if _a_point(question) is None:
        return Undecided("no point of the domain was found: the statement may be vacuous")
    if found:
        return found
    if (covered := _covered(question)) is not None:
        return covered
    if known.doubts:
        return doubt(known)
    if isinstance(question.relation, sp.Eq) and not reason:
        return _simplified(question)
    return Undecided(reason or "neither proved nor violated at any point that was tried")


def _assured(question: _Question):
    def assured(relation: Relational, conditions: list[sp.Basic]) -> bool:
        return bool(inequalities.proofs(relation, conditions, question.symbols))

    return assured


def _abstract(
    relation: Relational, lhs: sp.Expr, rhs: sp.Expr, conditions: list[sp.Basic]
) -> Proved | None:
    kinds = (sp.Le, sp.Ge) if isinstance(relation, sp.Eq) else (relation.func,)
    routes: dict[str, tuple[str, ...]] = {}
    for kind in kinds:
        found = inequalities.proofs(kind(lhs, rhs, evaluate=False), conditions)
        if not found:
            return None
        routes |= {f"{route} ({kind.rel_op})": steps for route, steps in found.items()}
    known = "; ".join(map(str, conditions))
    steps = (f"With symbols for functions that are not rational: {lhs} against {rhs}; {known}.",)
    return Proved((*steps, *(s for part in routes.values() for s in part)), "abstraction")


def _simplified(question: _Question) -> Result:
    """An equation whose difference SymPy simplifies to 0; samples have not told it from 0."""
    difference = question.relation.lhs - question.relation.rhs
    if sp.count_ops(difference) > _LARGEST_FORMULA:
        return Undecided(f"{difference} is too long to simplify")
    try:
        zero = sp.simplify(difference) == 0
    except Exception as error:  # SymPy's heuristics may fail in any way; nothing rests on them
        return Undecided(f"{difference} could not be simplified: {type(error).__name__}")
    if zero:
        return Proved((f"{difference} simplifies to 0.",), "simplification")
    return Undecided(f"{difference} does not simplify to 0, and no point tells it from 0")


# Points.


def _sampled(question: _Question, found: Result) -> Result:
    """What was left open, unless a point refutes it or the domain is finite."""
    seen = _look(question)
    if isinstance(seen, Violated | Undefined):
        return seen
    try:
        return _enumerated(question) or found
    except Unknown:
        return found


def _look(question: _Question) -> Result | None:
    """A point of the domain where the relation fails or a side is undefined, if one is met."""
    if question.contractions:
        return None
    undefined = None
    for point in _points(question):
        if not question.admitted(point):
            continue
        try:
            if question.truth(point) is False:
                return question.violated(point)
        except values.Undefined as error:
            undefined = undefined or Undefined(str(error), point)
        except Unknown:
            continue
    return undefined


def _a_point(question: _Question) -> Point | None:
    if not question.contractions:
        found = (p for p in _points(question) if question.admitted(p))
        return next(found, None)
    found = realised.violation(lambda _: True, question.symbols, question.admitted, None)
    return found and found[0]


def _points(question: _Question) -> Iterator[Point]:
    """Simple numbers, the domain's ends and what is near them; points of its cells; at random."""
    symbols = question.symbols
    if not symbols:
        yield {}
        return
    axes = [_axis(s, _bounds(s, question.domain)) for s in symbols]
    depth = next(k for k in range(30, 0, -1) if k ** len(symbols) <= _MOST_POINTS or k == 2)
    ranks = product(*(range(min(depth, len(axis))) for axis in axes))
    for at in islice(sorted(ranks, key=lambda k: (sum(k), k)), _MOST_POINTS):
        yield {s: axis[k] for s, axis, k in zip(symbols, axes, at, strict=True)}
    if all(_is_rational(e) for r in question.domain for e in (r.lhs, r.rhs)):
        domain = Domain.of(question.domain, symbols)
        for at in islice(cells.points(domain, cells.cells(domain) or []), _MOST_POINTS // 2):
            numbers = (sp.Rational(x.numerator, x.denominator) for x in at)
            yield dict(zip(domain.symbols, numbers, strict=True))
    generator = random.Random(0)
    for _ in range(_MOST_POINTS // 2):
        yield {s: generator.choice(axis) for s, axis in zip(symbols, axes, strict=True)}


def _axis(s: sp.Symbol, bounds: tuple[sp.Rational | None, sp.Rational | None]) -> list[sp.Rational]:
    low, high = bounds
    near = (0, 1, sp.Rational(1, 10), sp.Rational(1, 1000))
    inside = [x for x in _SIMPLE if (low is None or x >= low) and (high is None or x <= high)]
    found = inside[:3]
    found += [low + x for x in near] if low is not None else []
    found += [high - x for x in near] if high is not None else []
    if low is not None and high is not None:
        found += [low + (high - low) * sp.Rational(k, 8) for k in (4, 2, 6, 1, 7, 3, 5)]
    found += [*_SIMPLE, *map(sp.Rational, ("5", "-3", "7", "100", "-10", "1/10", "1000", "1/1000"))]
    if s.is_integer:
        found = [sp.floor(x) for x in found] + [sp.Integer(k) for k in range(4, 21)]
        if low is not None:
            found = [sp.ceiling(low) + k for k in range(6)] + found
    return [x for x in dict.fromkeys(found) if admits(s, x)] or [sp.S.Zero]


def _bounds(
    s: sp.Symbol, domain: Iterable[Relational]
) -> tuple[sp.Rational | None, sp.Rational | None]:
    """Rational numbers that the symbol lies between by its assumptions or one relation each."""
    lows = [sp.S.One if s.is_integer else sp.S.Zero] if s.is_positive else []
    lows += [sp.S.Zero] if s.is_nonnegative else []
    highs = [sp.S.NegativeOne if s.is_integer else sp.S.Zero] if s.is_negative else []
    highs += [sp.S.Zero] if s.is_nonpositive else []
    for relation in domain:
        for side, other, flip in (
            (relation.lhs, relation.rhs, False),
            (relation.rhs, relation.lhs, True),
        ):
            if side != s or other.free_symbols:
                continue
            try:
                end = values.value(other, {})
                low, high = values.ends(end)
            except ValueError:
                continue
            upper = isinstance(relation, sp.Le | sp.Lt) is not flip
            if isinstance(relation, sp.Eq) or not upper:
                lows.append(_outer(low, -1))
            if isinstance(relation, sp.Eq) or upper:
                highs.append(_outer(high, 1))
    return max(lows, default=None), min(highs, default=None)


def _outer(end: Fraction, direction: int) -> sp.Rational:
    """A rational of moderate size on the outer side."""
    if end.denominator < 10**9:
        return sp.Rational(end.numerator, end.denominator)
    grain = 10**12
    below = end * grain // 1
    return sp.Rational(below + (direction > 0), grain)


# Every point, or every box.


def _covered(question: _Question) -> Result | None:
    return _enumerated(question) or _subdivided(question)


def _enumerated(question: _Question) -> Result | None:
    """A domain of few integer points, looked through."""
    if question.contractions or not all(s.is_integer for s in question.symbols):
        return None
    axes, size = [], 1
    for s in question.symbols:
        low, high = _bounds(s, question.domain)
        if low is None or high is None:
            return None
        axes.append(range(int(sp.ceiling(low)), int(sp.floor(high)) + 1))
        size *= len(axes[-1])
        if size > _MOST_POINTS:
            return None
    count = 0
    for at in product(*axes):
        point = {s: sp.Integer(k) for s, k in zip(question.symbols, at, strict=True)}
        if not all(admits(s, x) for s, x in point.items()):
            continue
        try:
            inside = all(_decided(values.holds(r, _at(point))) for r in question.domain)
        except values.Undefined:
            continue
        if not inside:
            continue
        try:
            if not _decided(question.truth(point)):
                return question.violated(point)
        except values.Undefined as error:
            return Undefined(str(error), point)
        count += 1
    if not count:
        return None
    return Proved((f"it holds at each of the {count} points of the domain.",), "enumeration")


def _decided(truth: bool | None) -> bool:
    if truth is None:
        raise Unknown("a relation is too close to call at a point of the domain")
    return truth


def _subdivided(question: _Question) -> Result | None:
    """An inequality on a bounded domain, by intervals on boxes that cover it."""
    if question.contractions or isinstance(question.relation, sp.Eq) or not question.symbols:
        return _constant(question)
    bounds = [_bounds(s, question.domain) for s in question.symbols]
    if any(None in pair for pair in bounds):
        return None
    waiting, boxes = [tuple(bounds)], 0
    while waiting:
        box = waiting.pop()
        boxes += 1
        if boxes > _MOST_BOXES:
            return None
        at = {s: _range(s, *pair) for s, pair in zip(question.symbols, box, strict=True)}
        if None in at.values() or _outside(question.domain, at):
            continue
        try:
            if values.holds(question.relation, at):
                continue
        except ValueError:
            pass
        halves = _halved(question.symbols, box)
        if not halves:
            return None
        waiting += halves
    step = f"{question.relation} holds on each of the {boxes} boxes that cover the domain."
    return Proved((step,), "interval subdivision")


def _constant(question: _Question) -> Result | None:
    """A relation without symbols is decided by the interval of either side."""
    if question.symbols or isinstance(question.relation, sp.Eq):
        return None
    if not _decided(question.truth({})):
        return question.violated({})
    return Proved((f"{question.relation} by intervals.",), "enclosure")


def _range(s: sp.Symbol, low: sp.Rational, high: sp.Rational) -> Number | None:
    if s.is_integer:
        low, high = sp.ceiling(low), sp.floor(high)
    if low > high:
        return None
    if low == high:
        return _fraction(low)
    return values.hull(_fraction(low), _fraction(high))


def _outside(domain: Iterable[Relational], at: At) -> bool:
    for relation in domain:
        try:
            if values.holds(relation, at) is False:
                return True
        except values.Undefined:
            return True
        except Unknown:
            continue
    return False


def _halved(symbols: Sequence[sp.Symbol], box: tuple) -> list[tuple]:
    """The box cut at the middle of its longest side; nothing if it has become too small."""
    k = max(range(len(box)), key=lambda i: box[i][1] - box[i][0])
    low, high = box[k]
    if high - low < sp.Rational(1, 10**6):
        return []
    middle = (low + high) / 2
    if symbols[k].is_integer:
        middle = sp.floor(middle)
        pieces = ((low, middle), (middle + 1, high))
    else:
        pieces = ((low, middle), (middle, high))
    return [(*box[:k], piece, *box[k + 1 :]) for piece in pieces]


# Contractions.


def _realised(question: _Question, found: Result) -> Result:
    """What was found with tensors that attain it; without them the statement is not refuted."""

    def fails(point: Point) -> bool:
        try:
            return question.truth(point) is False
        except ValueError:
            return False

    def undefined(point: Point) -> bool:
        try:
            question.truth(point)
        except values.Undefined:
            return True
        except Unknown:
            return False
        return False

    suggestion = found.point if isinstance(found, Violated | Undefined) else None
    search = partial(
        realised.violation,
        symbols=question.symbols,
        admitted=question.admitted,
        suggestion=suggestion,
    )
    if attained := search(fails):
        return question.violated(*attained)
    may_be_undefined = not question.rational or isinstance(found, Undefined)
    if may_be_undefined and (attained := search(undefined)):
        point, tensors = attained
        return Undefined(question.why_undefined(point), point, tensors)
    if isinstance(found, Violated | Undefined):
        at = ", ".join(f"{s} = {x}" for s, x in found.point.items())
        return Undecided(
            f"as free numbers the contractions violate it at {at}, but no tensors were found that "
            "attain such a point"
        )
    return found


# Numbers.


def _at(point: Point) -> At:
    return {s: _fraction(x) for s, x in point.items()}


def _fraction(value: sp.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _number(side: sp.Expr, point: Point) -> sp.Expr:
    """A side's value: exact where it is rational, else as SymPy writes it or to 15 digits."""
    found = values.value(side, _at(point))
    if isinstance(found, Fraction):
        exact = sp.Rational(found.numerator, found.denominator)
        return exact if found.numerator.bit_length() < _LONGEST else sp.Float(exact, 15)
    if sp.count_ops(side) <= 6 and not _is_rational(side):
        exact = side.subs(point)
        if exact.is_real and not exact.is_Rational:
            return exact
    return sp.Float(found.mid._mpi_[0], 15)


def _is_rational(expression: Any) -> bool:
    """Whether it is made of symbols and rational numbers by sums, products and whole powers."""
    if not isinstance(expression, sp.Expr):
        return False
    if expression.is_Pow:
        return bool(expression.exp.is_Integer) and _is_rational(expression.base)
    if expression.is_Add or expression.is_Mul:
        return all(map(_is_rational, expression.args))
    return bool(expression.is_Rational or expression.is_Symbol)
