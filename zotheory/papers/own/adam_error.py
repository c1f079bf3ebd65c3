"""The error of TeZO-Adam's second moment at one coordinate, in the stationary regime.

A root mean square is judged as a mean square, which is rational.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import numpy as np
import sympy as sp
import torch

from proofs_check import matrices
from proofs_check.gaussian import Derivation, Index, contraction
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.estimates import zeros
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.second_moment import AccumulatedCoordinate, decay
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement

BETA2 = sp.Symbol("beta2", positive=True)
ERROR = sp.Symbol("lim E(V_T - Vhat_T)_ij^2 / (E(V_T)_ij)^2")
DOMAIN = (sp.Ge(R, 1, evaluate=False), sp.Lt(BETA2, 1))
W_NORM2 = contraction(*(terms.W[t] * terms.W[t] for t in [Index("t", terms.STEPS)]))
CROSS = 2 * (R - 1) / R


def _error(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """From the weights w_t = (1 - beta2) beta2^(T - t) of the moving average, T to infinity."""
    error, separable = (
        matrices.mean(terms.accumulated_square_sum),
        matrices.mean(terms.separable_sum),
    )
    total = (1 - BETA2) * _geometric(BETA2)
    square = (1 - BETA2) ** 2 * _geometric(BETA2**2)
    mean = sp.cancel(separable.value / (M * N)) * total  # the cross terms have mean 0
    value = sp.factor(sp.cancel(error.value / (M * N) / W_NORM2 * square / mean**2))
    steps = (
        *error.steps,
        *separable.steps,
        f"sum_t w_t -> {sp.cancel(total)} and sum_t w_t^2 -> {sp.factor(square)} as T -> oo",
        f"E V_ij -> {sp.cancel(mean)}, kappa = 1 (kappa^4 cancels); the ratio: {value}",
    )
    return {ERROR: Derivation(value, steps)}


def _geometric(q: sp.Expr) -> sp.Expr:
    """sum_(k >= 0) q^k for 0 < q < 1: the S with S = 1 + q S."""
    s = sp.Symbol("S")
    (value,) = sp.solve(sp.Eq(s, 1 + q * s), s)
    return value


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The code that trains at a short memory; a reduced sampler at the paper's beta2."""
    return [
        _measurement(statement, TrainedMoment(32, 32, 8, steps=30, beta2=0.8), 0.25, 10),
        _measurement(statement, AccumulatedCoordinate((48,), 8, steps=600, beta2=0.99), 0.1, 25),
    ]


def _measurement(
    statement: Statement,
    sampler: TrainedMoment | AccumulatedCoordinate,
    tolerance: float,
    shard_size: int,
) -> Measurement:
    trained = isinstance(sampler, TrainedMoment)
    m, n = (sampler.m, sampler.n) if trained else sampler.sizes * 2
    beta2, r = sampler.beta2, sampler.r
    norm2 = float(np.sum(((1 - beta2) * beta2 ** np.arange(sampler.steps)) ** 2))
    weights = decay(sampler.steps, beta2).tolist()
    variance = matrices.at(
        matrices.variance(terms.accumulated_square_sum), m, n, r, known=terms.weighted(weights)
    )
    variance = float(variance) / (m * n * r**2) ** 2
    target = float(statement.formula.rhs.subs({R: r, BETA2: beta2}))
    if trained:
        variance *= norm2**2
    else:  # it measures in units of ||w||
        target /= norm2
    decide = partial(decide_equal, method=Catoni(variance), target=target, tolerance=tolerance)
    at = f"m={m} n={n} r={r} T={sampler.steps} beta2={beta2}"
    return Measurement(at, sampler, decide, shard_size, 64)


def _statement(says: str, memory: sp.Expr) -> Statement:
    """`memory`: what stands beside 2 (r-1)/r."""
    return Statement(says, sp.Eq(ERROR, CROSS * memory), DOMAIN)


CLAIMS = (
    Claim(
        id="own.adam_error",
        where="ours, for tezo.fig8",
        setting=Setting("TeZO-Adam's second moment in the stationary regime, constant kappa"),
        statement=_statement(
            "In the stationary regime the root-mean-square per-coordinate error of TeZO-Adam's "
            "second moment, relative to the mean of V, is "
            "sqrt(2 (r-1)/r) sqrt((1-beta2)/(1+beta2)) (kappa constant).",
            (1 - BETA2) / (1 + BETA2),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_error), measured(_measure)),
        mutant=_statement(
            "It is sqrt(2 (r-1)/r) sqrt(1-beta2).",
            1 - BETA2,
        ),
    ),
)


# TeZO-Adam's separable second moment against the dense one, by the code that trains.


_EPS = 1e-3


@dataclass(frozen=True)
class TrainedMoment:
    """Mean over coordinates of ((V_T - Vhat_T) / r)^2 after T steps of `tezo_adam`, kappa = 1.

    V_T is the dense moving average of the squared estimates, Vhat_T what the optimiser keeps on
    tau. The losses of a step are eps and -eps whatever the weights, so that kappa is 1.
    """

    m: int
    n: int
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        return np.array([self._run(int(rng.integers(SEEDS))) for _ in range(size)])

    def _run(self, seed: int) -> float:
        named = zeros({"W": (self.m, self.n)})
        ((name, weight),) = named
        options = {"rank": self.r, "lr": 0.0, "eps": _EPS, "seed": seed, "betas": (0.9, self.beta2)}
        optimizer = Recipe("tezo_adam", tuple(options.items())).build(named)
        losses = cycle((_EPS, -_EPS))
        dense = torch.zeros(self.m, self.n, dtype=torch.float64)
        for _ in range(self.steps):
            estimate = optimizer.estimate(lambda: next(losses))[name]
            dense.mul_(self.beta2).addcmul_(estimate, estimate, value=1 - self.beta2)
            optimizer.step(lambda: next(losses))
        state = optimizer.state[weight]
        kept = (state["U"].square() * state["v"]) @ state["V"].square().T
        return float(((dense - kept) / self.r).square().mean())
