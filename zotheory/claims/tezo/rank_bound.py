"""Eq. 6: the rank of a layer's gradient against the rank of the later weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import sympy as sp

from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.checks.exact import Counterexample, conjuncts, refuted
from zotheory.checks.measured import Measurement, measured
from zotheory.checks.searched import searched
from zotheory.context import Context
from zotheory.sampling.rank_bound import LinearNetworkRanks
from zotheory.search import Problem, search
from zotheory.search.relu_rank import relu_rank, relu_rank_snippet
from zotheory.statistics import ClopperPearson, decide_equal
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Statement, Verdict

GRADIENT, PRODUCT, LEAST = sp.symbols(
    "gradient_rank product_rank min_rank", integer=True, nonnegative=True
)
PATTERNS, MASKED = sp.symbols("patterns masked_rank_sum", integer=True, nonnegative=True)
LINEAR_FACTS = (sp.Le(GRADIENT, PRODUCT), sp.Le(PRODUCT, LEAST))
FACTORISATION = (
    "X_L = P (W_l X + b) + const with P the product of the later weights: df = <D, P dW X> = "
    "<P^T D X^T, dW>, so df/dW_l = P^T (D X^T)",
    "rank(AB) <= min(rank A, rank B): the columns of AB are in the column space of A, its rows in "
    "the row space of B; hence rank(df/dW_l) <= rank P, and rank P <= rank of each of its factors",
)


def _exact_linear(statement: Statement, context: Context) -> Evidence:
    """Prove the relations from the factorisation; where that fails, look for exact networks."""
    relations = conjuncts(statement.formula)
    found = [follows(LINEAR_FACTS, relation) for relation in relations]
    if all(isinstance(result, Proved) for result in found):
        steps = [*FACTORISATION, *(step for result in found for step in result.steps)]
        return Evidence(Kind.EXACT, Verdict.PROVED, "from df/dW_l = P^T M", {}, {"steps": steps})
    return _violating_network(statement, context)


def _violating_network(statement: Statement, context: Context) -> Evidence:
    """An integer network whose ranks, computed over the rationals, violate the statement."""
    for relation in conjuncts(statement.formula):
        if relation.lhs != GRADIENT:
            continue
        outcome = search(relu_rank(relation.rhs, "linear"), context.seed, 2_000)
        if outcome.found:
            failed = Counterexample(outcome.point, claimed=outcome.rhs, actual=outcome.lhs)
            witness = partial(_witness, activation="linear", bound=relation.rhs)
            return refuted(statement, failed, relation, FACTORISATION, witness)
    return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "neither derived nor violated")


def _witness(statement: Statement, failed: Counterexample, activation: str, bound: sp.Expr) -> str:
    return relu_rank_snippet(bound, dict(failed.inputs), activation)


def _problem(statement: Statement) -> Problem:
    return relu_rank(_search_bound(statement))


def _search_bound(statement: Statement) -> sp.Expr:
    """The least of all bounds that the formula puts on the gradient's rank."""
    return reduce(sp.Min, (relation.rhs for relation in conjuncts(statement.formula)))


def _searched_witness(statement: Statement, point: dict[str, Any]) -> str:
    return relu_rank_snippet(_search_bound(statement), point)


def _measure_linear(statement: Statement, _: Context) -> Sequence[Measurement]:
    slack = int((relation_bound(statement) - PRODUCT).subs(PRODUCT, 0))
    decide = partial(decide_equal, method=ClopperPearson(), target=0.0, tolerance=0.02, scale=1.0)
    sampler = LinearNetworkRanks(slack)
    return [Measurement("random low-rank networks", sampler, decide, 50, 64)]


def relation_bound(statement: Statement) -> sp.Expr:
    """What the statement says bounds the gradient's rank."""
    return next(r.rhs for r in conjuncts(statement.formula) if r.lhs == GRADIENT)


def _chain(*bounds: sp.Expr) -> sp.Basic:
    """gradient_rank <= first bound <= second bound."""
    return sp.And(*(sp.Le(a, b) for a, b in zip((GRADIENT, *bounds), bounds, strict=False)))


CLAIMS = (
    Claim(
        id="tezo.eq6.linear",
        where="Eq. 6",
        statement=Statement(
            "For a deep linear network, rank(df/dW_l) <= rank(product of the later weights) <= the "
            "least of their ranks, for any batch.",
            _chain(PRODUCT, LEAST),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _exact_linear), measured(_measure_linear)),
        mutant=Statement(
            "The same with rank(product of the later weights) - 1 in the middle.",
            _chain(PRODUCT - 1, LEAST),
        ),
    ),
    Claim(
        id="tezo.eq6.relu",
        where="Eq. 6",
        statement=Statement(
            "The same for a network with ReLU between the layers, for any batch.",
            _chain(PRODUCT, LEAST),
        ),
        needs=(Kind.SEARCH,),
        checks=(searched(_problem, _searched_witness, share=0.1),),
        correction=Statement(
            "With ReLU, rank(df/dW_l) is at most the sum, over the batch's distinct activation "
            "patterns (layers l and later), of the rank of the masked product of the later "
            "weights, and at most (number of patterns) x (least rank).",
            sp.And(sp.Le(GRADIENT, MASKED), sp.Le(GRADIENT, PATTERNS * LEAST)),
        ),
    ),
)
