"""Search evidence: an adversarial search for a counterexample before an inequality is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from zotheory.arguments import function
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, refuted
from zotheory.search import Outcome, Problem, search
from zotheory.vocabulary import Check, Evidence, Kind, Statement, Verdict


def searched(
    problem: Callable[[Statement], Problem],
    witness: Callable[[Statement, dict[str, Any]], str] | None = None,
    share: float = 1.0,
) -> Check:
    """A check that searches for a violation of the statement's inequality.

    A counterexample that the high-precision recheck confirms refutes. None found within the
    budget's evaluations (times `share`) confirms, with the largest ratio reached.

    Args:
        problem: the inequality with the statement's own bound.
        witness: writes a numpy-only snippet for a counterexample's point.
        share: of the budget's evaluations, for problems that are dear to evaluate.

    Raises ValueError for `problem` or `witness` that is no function.
    """
    problem = function("problem", problem)
    witness = witness and function("witness", witness)

    def judge(statement: Statement, context: Context) -> Evidence:
        context.tell(f"{context.claim}  searching for a counterexample")
        attacked = problem(statement)
        seed = int.from_bytes(sha256(f"{context.seed}/{context.claim}".encode()).digest()[:4])
        evaluations = max(60, int(context.budget.evaluations * share))
        outcome = search(attacked, seed, evaluations)
        if outcome.found:
            failed = Counterexample(outcome.point, claimed=outcome.rhs, actual=outcome.lhs)
            snippet = (lambda s, f: witness(s, dict(f.inputs))) if witness else None
            return refuted(
                statement, failed, f"{attacked.name}: actual <= claimed", (), snippet, Kind.SEARCH
            )
        return _none_found(outcome, context)

    return Check(Kind.SEARCH, judge)


def _none_found(outcome: Outcome, context: Context) -> Evidence:
    told = {k: v for k, v in asdict(outcome).items() if k != "found"}
    return Evidence(
        Kind.SEARCH,
        Verdict.CONFIRMED,
        f"no counterexample in {outcome.evaluations:,} evaluations; "
        f"the largest ratio actual/claimed reached is {outcome.ratio:.6g}",
        {"evaluations": outcome.evaluations, "largest ratio": outcome.ratio},
        {**told, "seed": context.seed},
    )
