"""Lemma 1: how many samples make S_k close to the identity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil

import sympy as sp

from proofs_check.covariance import DELTA, D, below_the_rank, least_constant, share_of_dimension
from zotheory.checks.exact import Counterexample, refuted
from zotheory.checks.measured import Measurement, measured
from zotheory.claims.prior import snippets
from zotheory.context import Context
from zotheory.sampling.selection import CovarianceFails
from zotheory.statistics import ClopperPearson, decide_at_most
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Statement, Verdict

FAILURE, SAMPLES = sp.Symbol("P(||S_k - I|| > eps)"), sp.Symbol("k")
EPS, C = sp.symbols("eps C", positive=True)
DOMAIN = (
    sp.Ge(D, 1, evaluate=False),
    sp.Lt(EPS, 1, evaluate=False),
    sp.Lt(DELTA, 1, evaluate=False),
)
HALF = sp.Rational(1, 2)
TRIED = 100  # the C at which the statement is measured; no check may depend on it otherwise


def _size(statement: Statement, constant: int, d: int) -> int:
    """ceil(k) at eps = delta = 1/2."""
    at = {C: constant, D: d, EPS: HALF, DELTA: HALF}
    return ceil(statement.where[SAMPLES].subs(at))


def _judge(statement: Statement, context: Context) -> Evidence:
    """Is there a C, the same for every d? k/C times eps^2 is kappa(d, delta)."""
    context.tell(f"{context.claim}  deriving")
    kappa = sp.simplify(statement.where[SAMPLES] * EPS**2 / C)
    share = share_of_dimension(kappa)
    step = f"eps^2 k/(C d) -> {share} as d -> oo"
    if share == 0:
        return _no_constant(statement, (step, "so k < d in the end, for every C and eps"))
    found = least_constant(kappa)
    if found is None:
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "the union bound gives no constant")
    return Evidence(
        Kind.EXACT,
        Verdict.PROVED,
        f"C = {found.value} does, for all d >= 1, 0 < eps < 1, 0 < delta < 1",
        {"C": found.value},
        {"steps": [step, *found.steps, "necessary: k >= d", *below_the_rank()]},
    )


def _no_constant(statement: Statement, steps: tuple[str, ...]) -> Evidence:
    """The first power of 2 that is a dimension above k, at C = 1 (every C has one)."""
    d = 1
    while _size(statement, 1, d) >= d:
        d *= 2
    point = {"C": 1, "eps": HALF, "delta": HALF, "d": d, "k": _size(statement, 1, d)}
    failed = Counterexample(point, claimed=HALF, actual=sp.S.One)
    steps = (*steps, *below_the_rank())
    return refuted(statement, failed, statement.formula, steps, snippets.covariance)


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """How often it fails with a generous C, at a small and at a larger dimension."""
    measurements = []
    for d in (4, 256):
        k = _size(statement, TRIED, d)
        decide = partial(decide_at_most, method=ClopperPearson(), bound=0.5)
        sampler = CovarianceFails(d, k, float(HALF))
        at = f"C={TRIED} eps=1/2 delta=1/2 d={d} k={k}"
        measurements.append(Measurement(at, sampler, decide, 8, 32, first_look=8))
    return measurements


def _statement(says: str, size: sp.Expr) -> Statement:
    return Statement(says, sp.Le(FAILURE, DELTA), DOMAIN, {SAMPLES: size})


CLAIMS = (
    Claim(
        id="prior.lemma1",
        where="Lemma 1",
        statement=_statement(
            "There is a constant C, the same for every d, such that k = C eps^-2 log(d/delta) "
            "samples give ||S_k - I_d|| <= eps with probability at least 1 - delta.",
            C * sp.log(D / DELTA) / EPS**2,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _judge), measured(_measure)),
        correction=_statement(
            "k = C eps^-2 (d + log(1/delta)) samples do, for 0 < eps, delta < 1 and every d, with "
            "C = 93 (Vershynin 2018, Theorem 4.6.1, without a constant); fewer than d never do: "
            "S_k has rank at most k. The summands' norm and variance in the matrix Bernstein bound "
            "are of order d, not 1.",
            C * (D + sp.log(1 / DELTA)) / EPS**2,
        ),
    ),
)
