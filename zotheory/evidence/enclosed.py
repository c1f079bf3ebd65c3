"""Exact evidence on real numbers at named points: rigorous enclosures against what is claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sympy.core.relational import Relational

from proofs_check import enclosures
from proofs_check.results import Proved, Violated
from zotheory.context import Context
from zotheory.evidence.compared import Case, Comparison, Quantity, Witness, together
from zotheory.evidence.exact import conjuncts
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict


def enclosed(cases: Callable[[Statement], Sequence[Case]], witness: Witness | None = None) -> Check:
    """A check of a formula about real numbers at finitely many points, which are all its domain.

    A relation that fails at one point refutes the statement; it is proved if all hold at all
    points. Both are decided by intervals that provably contain the numbers. `witness` writes a
    numpy-only snippet that prints the claimed and the actual number of a counterexample.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  enclosing")
        relations = conjuncts(statement.formula)
        points = cases(statement)
        if not points:
            raise ValueError("a check encloses at least one point")
        at_points = {case.at: _numbers(case, statement) for case in points}
        numbers: dict[str, Any] = dict(at_points)
        lines = [f"{at}: {_line(told)}" for at, told in at_points.items()]
        steps = list(dict.fromkeys(step for case in points for step in case.steps)) + lines
        comparisons = [_compared(relation, case) for case in points for relation in relations]
        found = together(statement, comparisons, Verdict.PROVED)
        if found.verdict is Verdict.REFUTED:
            actual, claimed = (side.value for side in found.telling.sides)
            numbers = {"claimed": claimed, "actual": actual, "points": at_points}
        return found.evidence(Kind.EXACT, numbers, {"steps": steps}, witness)

    return Check(Kind.EXACT, judge)


def _compared(relation: Relational, case: Case) -> Comparison:
    """Both sides together, so that what they share is not taken to vary twice."""
    result = enclosures.compare(relation, case.values)
    a, b = (enclosures.enclose(side, case.values) for side in (relation.lhs, relation.rhs))
    if isinstance(result, Violated):
        left, right = Quantity(result.lhs, a.low, a.high), Quantity(result.rhs, b.low, b.high)
        return Comparison(relation, case, (left, right), Verdict.REFUTED)
    verdict = Verdict.PROVED if isinstance(result, Proved) else Verdict.INCONCLUSIVE
    left, right = Quantity(a.middle, a.low, a.high), Quantity(b.middle, b.low, b.high)
    return Comparison(relation, case, (left, right), verdict)


def _numbers(case: Case, statement: Statement) -> dict[str, float]:
    """What is known at the point beyond its inputs: the formula's quantities, and the notes."""
    symbols = {s for relation in conjuncts(statement.formula) for s in relation.free_symbols}
    named = {
        str(symbol): enclosures.enclose(symbol, case.values).middle
        for symbol in sorted(symbols & set(case.values), key=str)
        if str(symbol) not in case.inputs
    }
    return {
        **named,
        **{name: enclosures.enclose(e, case.values).middle for name, e in case.notes.items()},
    }


def _line(told: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.9g}" for name, value in told.items())
