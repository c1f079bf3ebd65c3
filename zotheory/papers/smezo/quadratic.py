"""A fixed mask on f = (L/2)||theta||^2: how large a step may be, and what the steps reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp
import torch

import estimators
from proofs_check.gaussian import Derivation
from proofs_check.results import Enclosed
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import kept
from zotheory.papers.shared.estimates import AfterOneStep, Estimates, Falls, HalfSquare
from zotheory.papers.shared.kept import ETA, KEPT, D
from zotheory.papers.shared.smoothing import N
from zotheory.statistics import (
    BettingLower,
    Catoni,
    decide_at_least,
    decide_at_most,
    decide_within,
)
from zotheory.vocabulary import Claim, Kind, Setting, Statement

FIFTH = sp.Eq(5 * N, D)

# The largest rate at which the squared gradient on the mask falls.


SMALLEST = sp.Symbol("largest rate with the n smallest weights")
RANDOM = sp.Symbol("largest rate with n weights at random")


def _largest_rates(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The mask's entries see f as a loss of theirs alone: which they are does not matter."""
    found = kept.largest_rate()
    value = found.value.subs(D, N)
    told = (
        "on the mask f is (L/2)||theta_m||^2 and the estimate that of n coordinates, whichever "
        "these are: the factor with n of d = n kept",
    )
    return {SMALLEST: Derivation(value, told + found.steps), RANDOM: Derivation(value, ())}


def _measure_rates(statement: Statement, _: Context) -> Sequence[Measurement]:
    """1000 weights from 1 to 2 on ||w||^2/2; MeZO on a random fifth of them, the others frozen.

    At 2/(n+2) times k the fall of the square is 4 (k - k^2)/(n+2) of what is on the mask.
    """
    weights, n = np.linspace(1.0, 2.0, 1000), 200
    chosen = np.random.default_rng(0).choice(weights, n, replace=False)
    ratio = float(statement.formula.rhs / RANDOM)
    equal = isinstance(statement.formula, sp.Eq)
    smallest = Estimates(Recipe("s_mezo", (("sparsity", 0.8),)), (tuple(weights),), HalfSquare())
    random = Estimates(Recipe("mezo"), (tuple(chosen),), HalfSquare())
    share = float(np.sum(weights[:n] ** 2) / np.sum(weights**2))
    still = partial(decide_at_least, bound=0.0)
    places = (
        (f"{ratio:g} times that rate, the 200 smallest of 1000", smallest, ratio, share, equal),
        ("2/(n+2), 200 of 1000 at random", random, 1.0, 1.0, True),
    )
    measurements = []
    for at, estimates, factor, on_mask, no_more in places:
        rate, unit = 2 * factor / (n + 2), 4 * on_mask / (n + 2)
        second = float(kept.change_square().subs({N: n, ETA: rate, KEPT: on_mask}))
        variance = np.array([second - (unit * (factor - factor**2)) ** 2])
        zero = partial(decide_within, target=np.zeros(1), tolerance=0.1, scale=np.array([unit]))
        decide = partial(zero if no_more else still, method=Catoni(variance))
        sampler = Falls(AfterOneStep((estimates,), (rate,)))
        measurements.append(Measurement(at, sampler, decide, 20, 80))
    return measurements


def _rates_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import itertools

import numpy as np

{inputs(failed.inputs)}
d, rng = 5 * n, np.random.default_rng(0)
theta = rng.standard_normal(d)
x, w = np.polynomial.hermite_e.hermegauss(8)
z = np.array(list(itertools.product(x, repeat=n)))
weight = np.prod(list(itertools.product(w / w.sum(), repeat=n)), axis=1)


def largest_rate(mask):
    # ||theta_m - eta L s z||^2 less ||theta_m||^2 is - 2 eta L s^2 + eta^2 L^2 s^2 ||z||^2,
    # s = <theta_m, z>
    s2 = (z @ theta[mask]) ** 2
    return 2 * (weight @ s2) / (L * (weight @ (s2 * (z**2).sum(axis=1))))


smallest = np.argsort(np.abs(theta))[:n]
random = rng.choice(d, n, replace=False)
print("claimed", 1.05 * largest_rate(random))
print("actual", largest_rate(smallest))
"""


# What is left of the whole squared gradient.


LEFT = sp.Symbol("E||grad f||^2 under the mask over its start, just before MeZO's is a tenth")
AT_10000 = (sp.Eq(D, 10**4), FIFTH)


def _left(_: Statement) -> Mapping[sp.Expr, Enclosed]:
    best = kept.best_factor()
    mezo = sp.factor(best.value.subs(N, D))
    steps = (
        *best.steps,
        f"MeZO's falls by {mezo} at every step, to a tenth after ln(1/10)/ln({mezo}) steps",
        "under a fixed mask the other coordinates stay where they are, at any rate and for any "
        "number of steps: of a start in a uniformly random direction they hold 1 - n/d",
        "the mask's part lies between 0 and n/d, as its factor is below 1 at the best rate",
    )
    return {LEFT: Enclosed(1 - N / D, sp.S.One, steps)}


def _left_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
rng = np.random.default_rng(0)
theta = rng.standard_normal(d)
theta *= np.sqrt(d) / np.linalg.norm(theta)
theta[:n] *= np.sqrt(n) / np.linalg.norm(theta[:n])  # a start with the mean share on the mask
theta[n:] *= np.sqrt(d - n) / np.linalg.norm(theta[n:])
print("claimed", 0.1)
print("actual", np.sum(theta[n:] ** 2) / np.sum(theta**2))  # all that no step can change
steps = int(np.log(0.1) / np.log1p(-1 / (d + 2)))
start = np.sum(theta**2)
for _ in range(steps):
    z = rng.standard_normal(n)
    theta[:n] -= (theta[:n] @ z) * z / (n + 2)
print("a run of", steps, "steps under the mask leaves", np.sum(theta**2) / start)
"""


@dataclass(frozen=True)
class UnderMask:
    """||grad f||^2 after a number of steps of S-MeZO over its start, f = ||w - w*||^2/2.

    The n smallest of d weights are far below the others, and w* is near: the mask stays what it
    is. w - w* has a uniformly random direction.
    """

    d: int
    n: int
    steps: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        return np.array([self._run(rng) for _ in range(size)])

    def _run(self, rng: np.random.Generator) -> float:
        start = torch.full((self.d,), 10.0, dtype=torch.float64)
        start[: self.n] = 0.1
        away = torch.from_numpy(rng.standard_normal(self.d))
        away *= 0.01 / away.norm()
        w = start.clone().requires_grad_(True)
        optimizer = estimators.s_mezo(
            [w],
            lr=1 / (self.n + 2),
            sparsity=1 - self.n / self.d,
            seed=int(rng.integers(SEEDS)),
        )
        for _ in range(self.steps):
            optimizer.step(lambda: (w - start + away).square().sum() / 2)
        gradient = (w - start + away).detach()
        return float(gradient.square().sum() / away.square().sum())


def _measure_left(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At d = 5, n = 1, where MeZO needs 15 steps."""
    d, n = 5, 1
    factor = float(kept.best_factor().value.subs({N: d, D: d}))
    steps = math.ceil(math.log(0.1) / math.log(factor)) - 1
    bound = float(statement.formula.rhs.subs({N: n, D: d}))
    if isinstance(statement.formula, sp.Le):
        decide = partial(decide_at_most, method=BettingLower(), bound=bound)
    else:
        decide = partial(decide_at_least, method=BettingLower(), bound=bound, tolerance=0.25)
    at = f"{steps} steps, the smallest of {d} weights"
    return [Measurement(at, UnderMask(d, n, steps), decide, 2, 80, first_look=20)]


OF_ALL = "for the whole gradient"  # the paper's bound is on the kept part

CLAIMS = (
    Claim(
        id="smezo.larger_rates",
        where="Sec. 1, 3.1, 4.1 ('noise-resistant weights ... enables the use of larger learning "
        "rates')",
        setting=Setting(
            "learning rates for S-MeZO on LLaMA-7B and others",
            judged="f = (L/2)||theta||^2 with exact loss, a fixed mask",
        ),
        statement=Statement(
            "On f = (L/2)||theta||^2 with exact loss and a fixed mask of n = d/5 entries, the "
            "largest constant step at which E of the squared gradient on the mask falls is more "
            "than 5% larger for the n smallest weights than for n entries chosen at random.",
            sp.Gt(SMALLEST, sp.Rational(105, 100) * RANDOM),
            (FIFTH,),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_largest_rates, _rates_witness), measured(_measure_rates)),
        correction=Statement(
            "It is the same, 2/((n+2) L), whichever n entries are on the mask.",
            sp.Eq(SMALLEST, RANDOM),
            (FIFTH,),
        ),
    ),
    Claim(
        id="smezo.thm1.full_gradient",
        where="Theorem 1, Sec. 13 ('ZO can use fewer steps to converge when we only focus on a "
        "sub-network')",
        setting=Setting("any L-smooth loss; Theorem 1 bounds the mask's part of the gradient"),
        statement=Statement(
            "On f = (L/2)||theta||^2, d = 10^4, start in a uniformly random direction, exact loss, "
            "best constant step for each: with a fixed mask of n = d/5 entries E of the FULL "
            "squared gradient falls tenfold in fewer steps than MeZO's.",
            sp.Le(LEFT, sp.Rational(1, 10)),
            AT_10000,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(
            exact(_left, _left_witness).refutes(OF_ALL),
            measured(_measure_left).refutes(OF_ALL),
        ),
        correction=Statement(
            "It never does: four fifths of it, what is not on the mask, stay for any number of "
            "steps.",
            sp.Ge(LEFT, sp.Rational(4, 5)),
            AT_10000,
        ),
    ),
)
