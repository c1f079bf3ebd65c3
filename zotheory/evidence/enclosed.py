"""Exact evidence on real numbers at named points: rigorous enclosures against what is claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from proofs_check.enclosures import Value, compare, enclose
from proofs_check.results import Undecided, Violated
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, refuted
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict


@dataclass(frozen=True)
class Case:
    """One point at which the formula is judged.

    Attributes:
        inputs: the point, in names and numbers.
        values: what the formula's symbols are there: exact expressions (see
            `proofs_check.enclosures`), or pairs of them that the value lies between.
        steps: how the values come about.
        notes: further numbers worth telling, by name.
    """

    inputs: Mapping[str, Any]
    values: Mapping[sp.Symbol, Value]
    steps: tuple[str, ...] = ()
    notes: Mapping[str, sp.Expr] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """The point in a line of text."""
        return ", ".join(f"{name} = {value}" for name, value in self.inputs.items())


def enclosed(
    cases: Callable[[Statement], Sequence[Case]],
    witness: Callable[[Statement, Counterexample], str] | None = None,
) -> Check:
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
        numbers = {case.at: _numbers(case, statement) for case in points}
        lines = [f"{at}: {_line(told)}" for at, told in numbers.items()]
        steps = list(dict.fromkeys(step for case in points for step in case.steps)) + lines
        undecided = []
        for case in points:
            for relation in relations:
                result = compare(relation, case.values)
                if isinstance(result, Violated):
                    failed = Counterexample(case.inputs, claimed=result.rhs, actual=result.lhs)
                    found = refuted(statement, failed, relation, steps, witness)
                    told = {**found.numbers, "points": numbers}
                    return Evidence(
                        Kind.EXACT, Verdict.REFUTED, found.summary, told, found.certificate
                    )
                if isinstance(result, Undecided):
                    undecided.append(f"at {case.at}: {result.reason}")
        if undecided:
            return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "; ".join(undecided), numbers)
        more = f", and at {len(points) - 1} more" if len(points) > 1 else ""
        return Evidence(
            Kind.EXACT, Verdict.PROVED, f"enclosed at {lines[0]}{more}", numbers, {"steps": steps}
        )

    return Check(Kind.EXACT, judge)


def _numbers(case: Case, statement: Statement) -> dict[str, float]:
    """What is known at the point beyond its inputs: the formula's quantities, and the notes."""
    named = {
        str(symbol): enclose(symbol, case.values).middle
        for symbol in sorted(statement.formula.free_symbols & set(case.values), key=str)
        if str(symbol) not in case.inputs
    }
    return {**named, **{name: enclose(e, case.values).middle for name, e in case.notes.items()}}


def _line(told: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.9g}" for name, value in told.items())
