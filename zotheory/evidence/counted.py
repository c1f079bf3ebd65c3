"""Counted evidence: what instruments read off an implementation, against what is claimed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zotheory.context import Context
from zotheory.evidence.compared import Case, Witness, compare
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written


def counted(
    plan: Callable[[Statement, Context], Iterable[Case]], witness: Witness | None = None
) -> Check:
    """A check that compares the formula with every count that `plan` yields.

    A case is one run of an implementation: what was run, and what the instruments read. One
    relation that fails at one count refutes the statement (the first such count is the
    counterexample); if all hold at all counts, it is confirmed at these. All counts are listed.
    `witness` writes a numpy-only snippet that prints the claimed and the actual number. A count
    that leaves a symbol of the formula open raises ValueError.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  counting")
        counts: list[Case] = []
        for count in plan(statement, context):
            context.tell(f"{context.claim}  counted at {count.at}")
            counts.append(count)
        found = compare(statement, counts, context.alpha)
        told = {count.at: count.told for count in counts}
        if found.verdict is Verdict.REFUTED:
            actual, claimed = (side.value for side in found.telling.sides)
            numbers = {"claimed": claimed, "actual": actual, "counts": told}
            return found.evidence(Kind.COUNTED, numbers, {}, witness)
        lines = [f"{at}: {_line(values)}" for at, values in told.items()]
        certificate = {"relation": written(statement.formula), "counts": lines}
        if tolerance := max(count.tolerance for count in counts):
            certificate["tolerance"] = f"up to {tolerance:.3g}"
        return found.evidence(Kind.COUNTED, told, certificate)

    return Check(Kind.COUNTED, judge)


def _line(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in told.items())


def _short(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
