"""Statements of existence: an inequality that is claimed to hold somewhere in a domain.

A failing point refutes a statement about all points, and says nothing about one that asks for a
single point. Such a statement is refuted by a proof that the inequality holds nowhere, and proved
by a point at which it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from proofs_check.domain import sides
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.results import Proved, Violated
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, exact, refuted
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict, written

SOMEWHERE = "somewhere"  # in a statement's setting: at one point of the domain, not at all


def exact_somewhere(
    derive: Callable[[Statement], Mapping[sp.Expr, Derivation]],
    witness: Callable[[Statement, Counterexample], str] | None = None,
) -> Check:
    """`exact`, for a statement that says `SOMEWHERE` as one of existence (one inequality)."""
    everywhere = exact(derive, witness)

    def judge(statement: Statement, context: Context) -> Evidence:
        if not statement.setting.get(SOMEWHERE):
            return everywhere.judge(statement, context)
        context.tell(f"{context.claim}  deriving")
        (relation,) = conjuncts(statement.formula)
        derived = {k: v for k, v in derive(statement).items() if relation.has(k)}
        steps = [step for derivation in derived.values() for step in derivation.steps]
        values = {k: v.value for k, v in derived.items()}
        left, right = (side.xreplace(values) for side in (relation.lhs, relation.rhs))
        lesser, greater, strict = sides(type(relation)(left, right, evaluate=False))
        nowhere = decide(greater, lesser, statement.domain, strict=not strict)
        if isinstance(nowhere, Violated):
            at = {str(symbol): value for symbol, value in nowhere.point.items()}
            told = f"at {', '.join(f'{name} = {value}' for name, value in at.items())}"
            summary = f"it holds {told}: {nowhere.rhs} against {nowhere.lhs}"
            return Evidence(Kind.EXACT, Verdict.PROVED, summary, {}, {"steps": [*steps, summary]})
        everywhere_too = decide(lesser, greater, statement.domain, strict=strict)
        if not isinstance(nowhere, Proved) or not isinstance(everywhere_too, Violated):
            reason = "neither a point at which it holds nor a proof that there is none"
            return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, reason)
        point = everywhere_too.point
        failed = Counterexample(
            {str(symbol): value for symbol, value in sorted(point.items(), key=str)},
            claimed=right.subs(point),
            actual=left.subs(point),
        )
        told = [*steps, f"{written(relation)} holds nowhere in the domain:", *nowhere.steps]
        return refuted(statement, failed, relation, told, witness)

    return Check(Kind.EXACT, judge)
