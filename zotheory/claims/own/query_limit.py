"""How well B loss values of a linear loss can align an estimate with its gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp

from proofs_check import queries
from proofs_check.gaussian import Derivation
from proofs_check.queries import VALUES, D
from proofs_check.results import Enclosed
from zotheory.checks.exact import Counterexample, conjuncts, exact
from zotheory.checks.searched import searched
from zotheory.search import Point, Problem
from zotheory.search.queries import query_limit
from zotheory.vocabulary import Claim, Kind, Statement
from zotheory.witness import inputs

ANY = sp.Symbol("sup E cos^2")
SCALE_FREE = sp.Symbol("sup E cos^2 of scale-free estimates")
SIGNED = sp.Symbol("sup E cos")
FORWARD = sp.Symbol("E cos^2 of orthonormal forward differences")
LEARNED = (VALUES - 1) / D
DOMAIN = (sp.Ge(VALUES, 2, evaluate=False), sp.Le(VALUES, D, evaluate=False))


def _limits(_: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    return {
        ANY: queries.unrestricted(),
        SCALE_FREE: queries.scale_free(),
        SIGNED: queries.signed(),
        FORWARD: queries.orthonormal_forward(),
    }


def _problem(statement: Statement) -> Problem:
    """Strategies that know the norm against the limit for any, the others against their own."""
    limits = {relation.lhs: relation.rhs for relation in conjuncts(statement.formula)}

    def limit(point: Point) -> float:
        at = {VALUES: point["B"], D: point["d"]}
        if not all(condition.subs(at) for condition in statement.domain):
            return math.nan
        knows = point["knows"] or SCALE_FREE not in limits
        return float(limits[ANY if knows else SCALE_FREE].subs(at))

    return query_limit(limit)


def _exact_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
k = B - 1  # inner products learned; their share c of ||g||^2 has the law Beta(k/2, (d - k)/2)
mean, square = k / d, k * (k + 2) / (d * (d + 2))
print("claimed", (B - 1) / d)
# ||g|| is known, so c is: along the projection, but across the span with probability 1 - c
print("actual", square + (1 - 2 * mean + square) / (d - k))
rng = np.random.default_rng(0)
g = rng.standard_normal((200_000, d))
g /= np.linalg.norm(g, axis=1, keepdims=True)
c = np.sum(g[:, :k] ** 2, axis=1)
print("simulated", np.mean(np.where(rng.random(len(c)) < 1 - c, g[:, k] ** 2, c)))
print("the larger of both", np.mean(np.maximum(c, (1 - c) / (d - k))))
"""


CLAIMS = (
    Claim(
        id="own.query_limit",
        where="ours",
        statement=Statement(
            "With B loss values of a linear loss (2 <= B <= d), no estimator whose directions do "
            "not depend on g in advance has E cos^2 above (B-1)/d, averaged over a uniformly "
            "random direction of g; orthonormal forward differences reach it.",
            sp.And(sp.Le(ANY, LEARNED), sp.Eq(FORWARD, LEARNED)),
            DOMAIN,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_limits, _exact_witness), searched(_problem)),
        correction=Statement(
            "None has E cos^2 above B/d; none whose direction stays the same when the loss is "
            "scaled or shifted has E cos^2 above (B-1)/d, for any 2 <= B <= d; and none has E cos, "
            "with its sign, above Gamma(B/2) Gamma(d/2) / (Gamma((B-1)/2) Gamma((d+1)/2)). "
            "Orthonormal forward differences reach the last two. Whoever knows ||g|| knows when "
            "the projection on the directions is short and may point across them: up to "
            "E max(c, (1-c)/(d-B+1)), c ~ Beta((B-1)/2, (d-B+1)/2), in E cos^2. With one loss "
            "value every vector has 1/d; a known constant term counts as one more loss value.",
            sp.And(
                sp.Le(ANY, VALUES / D),
                sp.Le(SCALE_FREE, LEARNED),
                sp.Eq(FORWARD, LEARNED),
                sp.Eq(
                    SIGNED,
                    sp.gamma(VALUES / 2)
                    * sp.gamma(D / 2)
                    / (sp.gamma((VALUES - 1) / 2) * sp.gamma((D + 1) / 2)),
                ),
            ),
            DOMAIN,
        ),
    ),
)
