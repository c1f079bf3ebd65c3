"""MeZO-GV and MeZO-Greedy at M = 2 have the law of MeZO: by symmetry, and as whole trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
import torch

from proofs_check.gaussian import (
    Derivation,
    Fixed,
    Gaussian,
    Index,
    TensorSum,
    contraction,
    derive,
)
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe, estimate
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior import selection
from zotheory.papers.prior.printed_steps import Method, Trajectories, uneven
from zotheory.papers.prior.two_candidates import evenness, guides
from zotheory.papers.shared.estimates import zeros
from zotheory.papers.shared.two_sample import one_law
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

RATE, EPS2 = sp.Symbol("MeZO's learning rate / eta"), sp.Symbol("(MeZO's perturbation / eps)^2")
SUB_RATE = sp.Symbol("SubZero's learning rate / eta")
SUB_EPS2 = sp.Symbol("(SubZero's perturbation / eps)^2")
FEW, MANY = 0.125, 0.02  # how far means of features may lie apart, by few samples and by many
SHARDS = 64


# MeZO-GV: v is +-(z_1 - z_2), and the estimate is even in v.


def _same_law(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The factors of learning rate and perturbation at which MeZO's update has the same law."""
    candidates = statement.setting["M"]
    (*others, weights) = guides(candidates, candidates // 2)
    if others:
        raise ArithmeticError(f"at M = {candidates} the losses choose between {len(others) + 1} v")
    dense = _scale(weights, "z_i are independent N(0, I)", "")
    within = _scale(weights, "z_i = U X_i V^T with one U, V and independent Gaussian X_i", "j")
    return {
        RATE: dense,
        EPS2: dense,
        SUB_RATE: within,
        SUB_EPS2: within,
    }


def _scale(weights: Sequence[sp.Rational], drawn: str, columns: str) -> Derivation:
    """c^2 with v ~ c z: v is linear in Gaussian arrays, E <v, h>^2 = c^2 ||h||^2 for every h.

    columns: names of further indices of the arrays, "" for vectors.
    """
    draws = [Gaussian(f"z{i}") for i in range(1, len(weights) + 1)]
    size, direction = sp.Symbol("n", integer=True, positive=True), Fixed("h")

    def along(row: str) -> TensorSum:
        at = tuple(Index(f"{row}{name}", size) for name in ("i", *columns))
        return direction[at] * sum(w * z[at] for w, z in zip(weights, draws, strict=True))

    square = derive(along("p"), along("q"))
    at = tuple(Index(name, size) for name in ("i", *columns))
    scale2 = sp.cancel(square.value / contraction(direction[at], direction[at]))
    scale = sp.sqrt(scale2)
    steps = (
        f"v = +-({' + '.join(f'({w}) z_{i}' for i, w in enumerate(weights, 1))}), whichever loss "
        f"is the lower one, ties included; {drawn}",
        *evenness(),
        *square.steps,
        f"so the sign is of no account, and v is Gaussian with E <v, h>^2 = {square.value}: "
        f"{scale} z in law, whatever the minibatches of the candidates and of the differences",
        f"eta [L(theta + eps {scale} z) - L(theta - eps {scale} z)]/(2 eps) {scale} z is MeZO's "
        f"update with learning rate {scale2} eta and perturbation {scale} eps",
        "this holds given theta_t and the batch, at every step: the trajectories have one law",
    )
    return Derivation(scale2, steps)


ETA, NOISE = 0.25, 0.6
FRAMES = (3, 2, 2, 2)  # SubZero on a 3 x 2 matrix: rank 2, frames renewed every second step
STARTS = {(): (0.3, -0.2), FRAMES: (0.3, -0.2, 0.1, 0.4, 0.2, -0.5)}


def _measure_law(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Whole trajectories: Algorithms 1 and 2 as printed, and the code that trains.

    The latter draws half as many normals at M = 2, so that it would be no test of what is printed.
    """
    claimed = {relation.lhs: float(relation.rhs) for relation in statement.formula.args}
    candidates, measurements = statement.setting["M"], []
    for frames, rate, eps2 in (((), RATE, EPS2), (FRAMES, SUB_RATE, SUB_EPS2)):
        runs = [
            Trajectories(method, ETA * scale, uneven, STARTS[frames], 3, frames)
            for method, scale in (
                (Method("guided", NOISE, candidates), 1.0),
                (Method("mezo", NOISE * claimed[eps2] ** 0.5), claimed[rate]),
            )
        ]
        name = "SubZero" if frames else "MeZO"
        measurements.append(one_law(f"{name}-GV and {name}, T=3", *runs, MANY, 2_000, SHARDS))
    guided = Trained(Recipe("mezo_gv", (("candidates", candidates), ("eps", NOISE))), ETA)
    eps = NOISE * claimed[EPS2] ** 0.5
    plain = Trained(Recipe("mezo", (("eps", eps),)), ETA * claimed[RATE])
    return [*measurements, one_law("the code that trains, T=1", guided, plain, FEW, 45, SHARDS)]


@dataclass(frozen=True)
class Trained:
    """theta_1 by a recipe's own estimate of `uneven`.

    recipe: of `estimators`; rate: the learning rate.
    """

    recipe: Recipe
    rate: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent updates, shape (size, d)."""
        start = np.array(STARTS[()])
        ((_, weight),) = named = zeros({"w": start.shape})
        weight.data.copy_(torch.from_numpy(start))
        optimizer, rows = self.recipe.build(named), np.empty((size, len(start)))
        batches = rng.choice([-1.0, 1.0], (size, 1))
        for row, batch, seed in zip(rows, batches, rng.integers(SEEDS, size=size), strict=True):

            def closure(batch: np.ndarray = batch) -> float:
                return float(uneven(weight.detach().numpy()[None], batch)[0])

            row[:] = start - self.rate * estimate(optimizer, closure, seed)["w"].numpy()
        return rows


# MeZO-Greedy on a linear loss: an even function of the least of two normals.


Y = sp.Symbol("y", real=True)
FOLDED = sp.Symbol("density of |Y_(1)| at y")
NORMAL = sp.sqrt(2 / sp.pi) * sp.exp(-(Y**2) / 2)


def _folded(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The density of the size of the least of M standard normals, at y >= 0.

    The estimate is Y_(1) (Y_(1) g + P) ||g|| with P = the selected draw's part across g: N(0,
    I - g g^T/||g||^2), independent of all Y.
    """
    above = sp.erfc(Y / sp.sqrt(2)) / 2
    density = -sp.diff(above ** statement.setting["M"], Y)
    value = sp.simplify((density + density.subs(Y, -Y)).rewrite(sp.erf))
    steps = (
        "greedy's estimate on a linear loss: V = Y (Y g + P), Y = Y_(1) the least of the y_i and P "
        "across g, independent of the y_i and symmetric, ||g|| = 1",
        "so V has the law of |Y| (|Y| g + P) for every law of Y: P and sign(Y) P are alike given Y",
        "MeZO's estimate is the same with Y ~ N(0, 1): the laws are one exactly if the |Y| are "
        "(<V, g> = Y^2)",
        f"P(Y > y)^M differentiated: the density of Y_(1) is {density}",
        f"at y and -y together: {value}",
    )
    return {FOLDED: Derivation(value, steps)}


def _measure_greedy(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The whole estimate on a linear loss: as printed and by the code that trains."""
    candidates = statement.setting["M"]
    printed = [
        Trajectories(Method(name, NOISE, candidates), 1.0, slope, (0.0,) * 3, 1)
        for name in ("greedy", "mezo")
    ]
    trained = [selection.Trained(m, k, 3) for m, k in (("greedy", candidates), ("plain", 1))]
    vectors = [Vectors(source) for source in trained]
    return [
        one_law("Algorithms 3 and 4, d=3", *printed, MANY, 2_000, SHARDS),
        one_law("the code that trains, d=3", *vectors, FEW, 45, SHARDS),
    ]


def slope(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
    """A linear loss, the same for every batch: <(1, 2, 3), theta>/sqrt(14)."""
    return theta @ np.arange(1.0, 4.0) / np.sqrt(14)


@dataclass(frozen=True)
class Vectors:
    """Whole estimates by the code that trains."""

    source: selection.Trained

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, d)."""
        return self.source.estimates(rng, size)[0]


def _law(says: str, rate: int, eps2: int) -> Statement:
    values = {RATE: rate, EPS2: eps2, SUB_RATE: rate, SUB_EPS2: eps2}
    formula = conjunction(*(sp.Eq(name, value) for name, value in values.items()))
    return Statement(says, formula, setting={"M": 2})


def _greedy(says: str, candidates: int) -> Statement:
    domain = (sp.Ge(Y, 0, evaluate=False),)
    return Statement(says, sp.Eq(FOLDED, NORMAL), domain, setting={"M": candidates})


CLAIMS = (
    Claim(
        id="own.gv_m2_law",
        where="ours, for prior Eq. 5, 6",
        statement=_law(
            "For every loss, eta and eps, a MeZO-GV update (learning rate eta, perturbation eps) "
            "at M = 2, alpha = 1/2 has the law of a MeZO update on the same batch with learning "
            "rate 2 eta and perturbation sqrt(2) eps; SubZero-GV that of SubZero in the same "
            "subspace.",
            2,
            2,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_same_law), measured(_measure_law)),
        mutant=_law("The same with learning rate 2 eta and perturbation eps.", 2, 1),
        setting=Setting(paper="any loss, M = 2, alpha = 1/2 (App. A)"),
    ),
    Claim(
        id="own.greedy_m2_law",
        where="ours, for prior Eq. 7, 8",
        statement=_greedy(
            "On a linear loss MeZO-Greedy's estimate at M = 2 has the law of MeZO's (the whole "
            "vector, not its moments alone).",
            2,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_folded), measured(_measure_greedy)),
        mutant=_greedy("The same at M = 3.", 3),
        setting=Setting(paper="a linear loss, M = 2 (App. A)"),
    ),
)
