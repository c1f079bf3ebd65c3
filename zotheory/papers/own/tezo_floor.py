"""What Algorithm 1 of TeZO converges to when its factors are drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from estimators.zeroth_order import ZerothOrder
from proofs_check.gaussian import Derivation
from proofs_check.matrices import G_NORM2, M, N, R
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.estimates import zeros
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import FrozenDescent
from zotheory.statistics import Bernstein, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement

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


def _measure(_: Statement, __: Context) -> Sequence[Measurement]:
    """After so many steps that next to nothing is left within the span."""
    runs = (
        (TrainedDescent(2, 2, 1, steps=20), 0.07, 24, 50),
        (FrozenDescent(3, 4, 2, steps=400), 0.03, 100, 64),
        (FrozenDescent(1, 1, 1, steps=50), 0.03, 100, 64),
    )
    measurements = []
    for run, tolerance, shard_size, shards in runs:
        decide = partial(decide_within, method=Bernstein(), tolerance=tolerance, scale=1.0)
        code = "tezo" if isinstance(run, TrainedDescent) else "reduced"
        at = f"m={run.m} n={run.n} r={run.r} T={run.steps} ({code})"
        point = {M: run.m, N: run.n, R: run.r}
        measurements.append(Measurement(at, run, decide, shard_size, shards, point=point))
    return measurements


def _statement(says: str, span: sp.Expr, *domain: sp.Basic) -> Statement:
    """`span`: the dimension of what the factors reach."""
    return Statement(says, sp.Eq(FLOOR, 1 - span / (M * N)), (*DOMAIN, *domain))


CLAIMS = (
    Claim(
        id="own.tezo_floor",
        where="ours, for tezo.thm2",
        setting=Setting("a quadratic loss, Algorithm 1 of TeZO with its factors drawn once"),
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


# TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, by the code that trains.


@dataclass(frozen=True)
class TrainedDescent:
    """f(W_T) / f(W_0), capped at 1, after T steps of the recipe `tezo`, whose factors are kept.

    With C_st = (u_s . u_t)(v_s . v_t) of the factors that were drawn, the learning rate is
    1/(tr C + 2 lambda_max(C)), for which the part of the gradient within the span of the u_s v_s^T
    contracts in mean square. W_0 = 0, W* is fixed.
    """

    m: int
    n: int
    r: int
    steps: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        return np.array([self._run(int(rng.integers(SEEDS))) for _ in range(size)])

    def _run(self, seed: int) -> float:
        named = zeros({"W": (self.m, self.n)})
        ((_, weight),) = named
        target = torch.linspace(-1.0, 2.0, self.m * self.n, dtype=torch.float64)
        target = target.view(self.m, self.n)

        def loss() -> Tensor:
            return (weight - target).square().sum() / 2

        options = (("rank", self.r), ("lr", 0.0), ("seed", seed))
        optimizer = Recipe("tezo", options).build(named)
        start = optimizer.step(loss)  # draws the factors and, with the rate 0, moves nothing
        optimizer.param_groups[0]["lr"] = _rate(optimizer, weight)
        for _ in range(self.steps):
            optimizer.step(loss)
        with torch.no_grad():
            return min(1.0, float(loss()) / start)


def _rate(optimizer: ZerothOrder, weight: Tensor) -> float:
    u, v = optimizer.state[weight]["U"], optimizer.state[weight]["V"]
    gram = (u.T @ u) * (v.T @ v)
    return 1 / float(gram.trace() + 2 * torch.linalg.eigvalsh(gram)[-1])
