"""Whether a relation between real expressions holds on a domain: for anybody's statement.

:mod:`proofs_check.inequalities` and :mod:`proofs_check.identities` decide rational functions. Here
stands what has to be so before and around them: a formula is defined on its whole domain, functions
that are not rational are enclosed or abstracted, and a counterexample in contractions of fixed
tensors comes with tensors. What is beyond all this is ``Undecided``, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import sympy as sp
from sympy.core.relational import Relational

from proofs_check import inequalities, realised, values
from proofs_check.abstraction import Abstraction, doubt
from proofs_check.covering import covered, enumerated
from proofs_check.domain import Domain
from proofs_check.identities import identity
from proofs_check.question import Question
from proofs_check.results import Point, Proved, Result, Undecided, Undefined, Violated
from proofs_check.sampling import a_point, counterexample
from proofs_check.values import Unknown

_LARGEST_FORMULA = 80  # operations of what is simplified


def decide(relation: Relational, conditions: Iterable[sp.Basic] = ()) -> Result:
    """Whether the relation holds at every point at which the conditions do.

    ``=``, ``<=``, ``<``, ``>=`` or ``>`` between real expressions. ``Undefined`` names a point of
    the domain at which a side has no value. The sides of a ``Violated`` are the relation's.
    Raises ValueError for a symbol without a stated domain, and where the domain is empty.
    """
    question = Question.of(relation, conditions)
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


def _sampled(question: Question, found: Result) -> Result:
    """What was left open, unless a point refutes it or the domain is finite."""
    seen = counterexample(question)
    if isinstance(seen, Violated | Undefined):
        return seen
    try:
        return enumerated(question) or found
    except Unknown:
        return found


# Rational functions.


def _rational(question: Question) -> Result:
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
    lesser, greater = (relation.lhs, relation.rhs)[:: 1 if rising else -1]
    strict = isinstance(relation, sp.Lt | sp.Gt)
    found = inequalities.decide(lesser, greater, conditions, strict=strict)
    if isinstance(found, Violated) and not rising:
        return replace(found, lhs=found.rhs, rhs=found.lhs)
    return found


def _both_ways(question: Question, conditions: Sequence[sp.Basic]) -> Result:
    """An equation that holds on its domain only, as two inequalities."""
    lhs, rhs = question.sides
    below, above = (
        _inequality(kind(lhs, rhs, evaluate=False), conditions) for kind in (sp.Le, sp.Ge)
    )
    if isinstance(below, Proved) and isinstance(above, Proved):
        return Proved(below.steps + above.steps, f"<= by {below.route}; >= by {above.route}")
    return above if isinstance(below, Proved) else below


# Other functions.


def _other(question: Question) -> Result:
    """By abstraction; then by samples, which refute; then by looking at every point or box."""
    known = Abstraction(question.symbols, _assured(question))
    reason = ""
    try:
        for relation in (*question.domain, *realised.facts(question.contractions)):
            known.restrict(relation)
        lhs, rhs = (known(side) for side in question.sides)
        found = None if known.doubts else _abstract(question.relation, lhs, rhs, known.conditions)
    except values.Undefined as error:
        point = a_point(question)
        return Undecided(str(error)) if point is None else Undefined(str(error), point)
    except Unknown as error:
        found, reason = None, str(error)
    seen = counterexample(question)
    if isinstance(seen, Violated | Undefined):
        return seen
    if a_point(question) is None:
        return Undecided("no point of the domain was found: the statement may be vacuous")
    if found:
        return found
    if (whole := covered(question)) is not None:
        return whole
    if known.doubts:
        return doubt(known)
    if isinstance(question.relation, sp.Eq) and not reason:
        return _simplified(question)
    return Undecided(reason or "neither proved nor violated at any point that was tried")


def _assured(question: Question) -> Callable[[Relational, list[sp.Basic]], bool]:
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


def _simplified(question: Question) -> Result:
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


# Contractions.


def _realised(question: Question, found: Result) -> Result:
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
