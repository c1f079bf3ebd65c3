"""Counted evidence: what instruments read off an implementation, against what is claimed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, refuted
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written


@dataclass(frozen=True)
class Count:
    """One run of an implementation and what the instruments read.

    Attributes:
        inputs: what was run, in names and numbers.
        values: the numbers that stand for symbols of the formula: sizes, and quantities counted.
        notes: further numbers worth telling.
        tolerance: how far the sides of an equation may lie apart, for numbers with rounding
            errors; 0 for counts.
    """

    inputs: Mapping[str, Any]
    values: Mapping[sp.Expr, float | sp.Expr]
    notes: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0

    @property
    def at(self) -> str:
        """The inputs in a line of text."""
        return ", ".join(f"{name} = {value}" for name, value in self.inputs.items())


def counted(
    plan: Callable[[Statement, Context], Iterable[Count]],
    witness: Callable[[Statement, Counterexample], str] | None = None,
) -> Check:
    """A check that compares the formula with every count that `plan` yields.

    One relation that fails at one count refutes the statement (the first such count is the
    counterexample); if all hold at all counts, it is confirmed at these. All counts are listed.
    `witness` writes a numpy-only snippet that prints the claimed and the actual number. A count
    that leaves a symbol of the formula open raises ValueError.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        relations = conjuncts(statement.formula)
        counts: list[Count] = []
        failures: list[tuple[Relational, Count]] = []
        context.tell(f"{context.claim}  counting")
        for count in plan(statement, context):
            context.tell(f"{context.claim}  counted at {count.at}")
            counts.append(count)
            failures += [(r, count) for r in relations if not _holds(r, count)]
        if not counts:
            raise ValueError("a plan yields at least one count")
        if failures:
            return _refuted(statement, counts, *failures[0], witness)
        return _confirmed(statement, counts)

    return Check(Kind.COUNTED, judge)


def _number(side: sp.Expr, count: Count) -> sp.Expr:
    values = {key: sp.sympify(value) for key, value in count.values.items()}
    found = sp.sympify(side).subs(values)
    if not found.is_number:
        left = ", ".join(sorted(map(str, found.free_symbols)))
        raise ValueError(f"the count at {count.at} says nothing of {left}")
    return found


def _holds(relation: Relational, count: Count) -> bool:
    lhs, rhs = (_number(side, count) for side in (relation.lhs, relation.rhs))
    if isinstance(relation, sp.Eq):
        return bool(abs(lhs - rhs) <= count.tolerance)
    return bool(relation.func(lhs, rhs))


def _refuted(
    statement: Statement,
    counts: list[Count],
    relation: Relational,
    count: Count,
    witness: Callable[[Statement, Counterexample], str] | None,
) -> Evidence:
    lhs, rhs = (_number(side, count) for side in (relation.lhs, relation.rhs))
    failed = Counterexample(count.inputs, claimed=rhs, actual=lhs)
    found = refuted(statement, failed, relation, witness=witness, kind=Kind.COUNTED)
    numbers = {**found.numbers, "counts": {c.at: _told(c) for c in counts}}
    return Evidence(Kind.COUNTED, Verdict.REFUTED, found.summary, numbers, found.certificate)


def _confirmed(statement: Statement, counts: list[Count]) -> Evidence:
    numbers = {count.at: _told(count) for count in counts}
    lines = [f"{at}: {_line(told)}" for at, told in numbers.items()]
    more = f", and at {len(counts) - 1} more" if len(counts) > 1 else ""
    certificate = {"relation": written(statement.formula), "counts": lines}
    tolerances = {count.tolerance for count in counts if count.tolerance}
    if tolerances:
        certificate["tolerance"] = f"up to {max(tolerances):.3g}"
    return Evidence(Kind.COUNTED, Verdict.CONFIRMED, lines[0] + more, numbers, certificate)


def _told(count: Count) -> dict[str, Any]:
    """What was counted and noted, without what the inputs say already."""
    values = {str(key): value for key, value in count.values.items()}
    return {k: v for k, v in {**values, **count.notes}.items() if k not in count.inputs}


def _line(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in told.items())


def _short(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
