"""What Algorithm 1 of TeZO converges to when its factors are drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import G_NORM2, M, N, R
from zotheory.checks.exact import exact
from zotheory.checks.measured import Measurement, measured
from zotheory.context import Context
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import FrozenDescent
from zotheory.sampling.trained_descent import TrainedDescent
from zotheory.statistics import Bernstein, decide_within
from zotheory.vocabulary import Claim, Kind, Statement

FLOOR = sp.Symbol("E lim f(W_T) / f(W_0)")
DOMAIN = (*(sp.Ge(size, 1, evaluate=False) for size in (M, N, R)), sp.Le(R, M * N, evaluate=False))


def _floor(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = descent.frozen_floor()
    steps = (
        "f(W) = ||grad f(W)||^2 / 2: the same share of f(W_0) is left",
        "E_tau ||G_(t+1)||^2 >= ||G_t||^2 + (eta/r) ||h||^2 ((eta/r) tr C - 2), h_s = <G_t, u_s "
        "v_s^T>, and tr C is unbounded: no eta contracts for all factors",
    )
    return {FLOOR: Derivation(sp.cancel(found.value / G_NORM2), (*found.steps, *steps))}


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """After so many steps that next to nothing is left within the span."""
    runs = (
        (TrainedDescent(2, 2, 1, steps=20), 0.07, 24, 50),
        (FrozenDescent(3, 4, 2, steps=400), 0.03, 100, 64),
        (FrozenDescent(1, 1, 1, steps=50), 0.03, 100, 64),
    )
    measurements = []
    for run, tolerance, shard_size, shards in runs:
        target = float(statement.formula.rhs.subs({M: run.m, N: run.n, R: run.r}))
        decide = partial(
            decide_within, method=Bernstein(), target=target, tolerance=tolerance, scale=1.0
        )
        code = "tezo" if isinstance(run, TrainedDescent) else "reduced"
        at = f"m={run.m} n={run.n} r={run.r} T={run.steps} ({code})"
        measurements.append(Measurement(at, run, decide, shard_size, shards))
    return measurements


def _statement(says: str, span: sp.Expr, *domain: sp.Basic) -> Statement:
    """`span`: the dimension of what the factors reach."""
    return Statement(says, sp.Eq(FLOOR, 1 - span / (M * N)), (*DOMAIN, *domain))


CLAIMS = (
    Claim(
        id="own.tezo_floor",
        where="ours, for tezo.thm2",
        statement=_statement(
            "On f = ||W - W*||^2/2, Algorithm 1 with its factors drawn once converges to a floor "
            "whose mean over factors is (1 - r/(mn)) f(W_0), for r <= mn, with step sizes that "
            "contract on the span of the drawn factors: eta < 2r/(tr C + 2 lambda_max(C)), "
            "C_st = (u_s . u_t)(v_s . v_t). No step size chosen before the factors is one for all "
            "of them.",
            R,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_floor), measured(_measure)),
        mutant=_statement(
            "The same with the dimension r (m + n - r) of the matrices of rank r in place of r.",
            R * (M + N - R),
            sp.Le(R, sp.Min(M, N)),
        ),
    ),
)
