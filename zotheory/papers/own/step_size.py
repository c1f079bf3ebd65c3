"""The step size of the largest fall of a quadratic loss, and what a subset of weights buys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import sympy as sp

from proofs_check import falls
from proofs_check.falls import FORM, KEPT_FORM, KEPT_NORM2, KEPT_TRACE, NORM2, TRACE
from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS
from zotheory.evidence.exact import conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.matrix_estimates import Loss, Options, build
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

SQUARE, CURVED = sp.Symbol("E kappa^2"), sp.Symbol("E[kappa^2 z^T H z]")
BEST, FALL = sp.Symbol("best eta"), sp.Symbol("largest fall")
EFFECTIVE = TRACE + 2 * FORM / NORM2
QUADRATIC = Setting("a quadratic loss with any symmetric H, MeZO's estimate")


def _moments(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = falls.gaussian()
    exact_difference = (
        "f(w + eps z) - f(w - eps z) = 2 eps <g, z>: the quadratic terms cancel, kappa = <g, z> "
        "for every eps"
    )
    return {
        SQUARE: Derivation(found.slope, (exact_difference, *found.steps)),
        CURVED: Derivation(found.curvature, ()),
    }


def _best(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The vertex of f(w) - E f(w - eta kappa z), by the derivative and by the card."""
    found = falls.gaussian()
    eta = sp.Symbol("eta", positive=True)
    lowered = eta * found.slope - eta**2 * found.curvature / 2
    (root,) = sp.solve(sp.diff(lowered, eta), eta)
    largest = lowered.subs(eta, root)
    if sp.cancel(root - found.best_step) != 0 or sp.cancel(largest - found.fall) != 0:
        raise ArithmeticError(f"the vertex is at {root}, the card says {found.best_step}")
    steps = (
        *found.steps,
        "f(w) - f(w - eta kappa z) = eta kappa <g, z> - (eta^2/2) kappa^2 z^T H z; on average "
        f"{lowered}",
        f"concave in eta where Tr H + 2 g^T H g/||g||^2 > 0; its derivative vanishes at {root}",
    )
    return {BEST: Derivation(root, steps), FALL: Derivation(largest, ())}


# MeZO's step on f(w) = <g, w> + w^T H w / 2 at w = 0, by the code that trains.


@dataclass(frozen=True)
class Quadratic:
    """g and H (symmetric), in numbers."""

    gradient: tuple[float, ...]
    hessian: tuple[tuple[float, ...], ...]

    @property
    def g(self) -> np.ndarray:
        """The gradient at w = 0."""
        return np.array(self.gradient)

    @property
    def h(self) -> np.ndarray:
        """The Hessian."""
        return np.array(self.hessian)

    def invariants(self) -> dict[sp.Symbol, float]:
        """||g||^2, Tr H and g^T H g."""
        g, h = self.g, self.h
        return {NORM2: float(g @ g), TRACE: float(np.trace(h)), FORM: float(g @ h @ g)}

    def loss(self, point: np.ndarray | None = None) -> Loss:
        """The loss of which g is the gradient at `point` (0 if not given)."""
        d, h = len(self.gradient), self.h
        start = np.zeros(d) if point is None else point
        linear, half = self.g - h @ start, (h / 2).tolist()
        return Loss(d, 1, tuple(linear.tolist()), tuple(map(tuple, half)), tuple(start.tolist()))


SPIKED = Quadratic((1.2, -0.5), ((1.5, -0.6), (-0.6, -0.2)))  # indefinite, g near its top vector
Statistic = Callable[[np.ndarray, Quadratic], np.ndarray]


def moments_of(estimates: np.ndarray, problem: Quadratic) -> np.ndarray:
    """kappa^2 and kappa^2 z^T H z, from estimates kappa z (size, d)."""
    curved = np.einsum("bi,ij,bj->b", estimates, problem.h, estimates)
    return np.stack([estimates @ problem.g, curved], axis=1)


@dataclass(frozen=True)
class FallAt:
    """f(w) - f(w - eta kappa z), and how it changes with eta."""

    eta: float

    def __call__(self, estimates: np.ndarray, problem: Quadratic) -> np.ndarray:
        """Two columns: the fall and its derivative in eta."""
        square, curved = moments_of(estimates, problem).T
        return np.stack(
            [self.eta * square - self.eta**2 * curved / 2, square - self.eta * curved], axis=1
        )


@dataclass(frozen=True)
class Steps:
    """A statistic of a recipe's estimates on a quadratic loss."""

    problem: Quadratic
    statistic: Statistic
    recipe: str = "mezo"
    options: Options = ()
    point: tuple[float, ...] = ()

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        point = np.array(self.point) if self.point else None
        loss = self.problem.loss(point)
        optimizer, closure = build(self.recipe, loss, self.options, int(rng.integers(SEEDS)))
        found = [
            optimizer.estimate(closure, seed=int(seed))["weight"].numpy().ravel()
            for seed in rng.integers(SEEDS, size=size)
        ]
        return self.statistic(np.array(found), self.problem)


_NODES = 6  # Gauss and Hermite's nodes integrate polynomials up to degree 11, these have 8


def exact_moments(statistic: Statistic, problem: Quadratic, on: Sequence[bool] = ()) -> np.ndarray:
    """Mean and variance of the statistic's columns over Gaussian noise, by exact quadrature.

    on: the entries that have noise (all, if not given). Shape (2, columns).
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    d = len(problem.gradient)
    on = np.array(on or [True] * d)
    points = np.array(list(product(nodes, repeat=int(on.sum()))))
    mass = np.prod(list(product(weights / weights.sum(), repeat=int(on.sum()))), axis=1)
    z = np.zeros((len(points), d))
    z[:, on] = points
    values = statistic((z @ problem.g)[:, None] * z, problem)
    mean = mass @ values
    return np.stack([mean, mass @ (values - mean) ** 2])


def _measurement(
    at: str, sampler: Steps, target: np.ndarray, tolerance: float, scale: np.ndarray, shards: int
) -> Measurement:
    _, variance = exact_moments(sampler.statistic, sampler.problem)
    decide = partial(
        decide_equal, method=Catoni(variance), target=target, tolerance=tolerance, scale=scale
    )
    return Measurement(at, sampler, decide, 20, shards)


def _values(statement: Statement, problem: Quadratic) -> dict[sp.Expr, float]:
    """What the statement claims of its quantities on this loss."""
    at = problem.invariants()
    return {r.lhs: float(r.rhs.subs(at)) for r in conjuncts(statement.formula)}


def _measure_moments(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At MeZO's eps and at a large one: the difference is exact."""
    claimed = _values(statement, SPIKED)
    target = np.array([claimed[SQUARE], claimed[CURVED]])
    scale = exact_moments(moments_of, SPIKED)[0]
    return [
        _measurement(
            f"d=2 eps={eps}",
            Steps(SPIKED, moments_of, options=(("eps", eps),)),
            target,
            tolerance=0.7,
            scale=np.abs(scale),
            shards=64,
        )
        for eps in (1e-3, 2.0)
    ]


def _measure_best(statement: Statement, _: Context) -> Sequence[Measurement]:
    """At the claimed step: the claimed fall, and none gained by a longer or shorter one."""
    claimed = _values(statement, SPIKED)
    statistic = FallAt(claimed[BEST])
    target = np.array([claimed[FALL], 0.0])
    true = falls.gaussian()
    at = SPIKED.invariants()
    scale = np.array([float(true.fall.subs(at)), float(true.slope.subs(at))])
    at = "d=2, the fall and its derivative in eta at the claimed step"
    return [_measurement(at, Steps(SPIKED, statistic), target, 0.5, scale, shards=100)]


# A subset S of the coordinates: Gaussian noise on it alone has the covariance S, a projection.


GAIN = sp.Symbol("fall of S less fall of all")
COS_SUBSET, COS_ALL = sp.symbols("cos2_of_S cos2_of_all", positive=True)
FALL_SUBSET, FALL_ALL = sp.symbols("fall_of_S fall_of_all", positive=True)
ALL_RATE = NORM2 / (TRACE + 2 * FORM / NORM2)
SUBSET_RATE = KEPT_NORM2 / (KEPT_TRACE + 2 * KEPT_FORM / KEPT_NORM2)
POSITIVE = tuple(
    sp.Gt(x, 0, evaluate=False) for x in (TRACE, FORM, KEPT_TRACE, KEPT_FORM)
)  # of a positive definite H

# g and H at which the squared cosine prefers S = {1} and the fall prefers all coordinates.
STEEP = Quadratic((1.0, 0.9), ((10.0, 0.0), (0.0, 0.1)))


def _rational(problem: Quadratic) -> tuple[sp.Matrix, sp.Matrix]:
    exactly = partial(sp.nsimplify, rational=True)
    g = sp.Matrix([exactly(x) for x in problem.gradient])
    h = sp.Matrix([[exactly(x) for x in row] for row in problem.hessian])
    return g, h


def _subset(_: Statement) -> Mapping[sp.Expr, Derivation]:
    whole, part = falls.gaussian(), falls.given()
    gain = part.fall - whole.fall
    steps = (
        *whole.steps,
        *part.steps,
        "S as a projection: g^T S g = ||g_S||^2, Tr(S H) = Tr H_SS, g^T S H S g = "
        f"||g_S||^2 rho_S; each at its own best step the falls are {whole.fall} and {part.fall}",
        "their difference is half that of ||g_S||^2/(Tr H_SS + 2 rho_S) and "
        "||g||^2/(Tr H + 2 rho), and has its sign",
    )
    g, h = _rational(STEEP)
    all_at = {NORM2: g.dot(g), TRACE: h.trace(), FORM: (g.T * h * g)[0]}
    own_at = {KEPT_NORM2: g[0] ** 2, KEPT_TRACE: h[0, 0], KEPT_FORM: g[0] ** 2 * h[0, 0]}
    example = (
        f"g = {list(g)}, H = {h.tolist()}, S = {{1}}: E cos^2 is ||g_S||^2/||g||^2 over the number "
        "of coordinates that have noise"
    )
    return {
        GAIN: Derivation(sp.cancel(gain), steps),
        COS_SUBSET: Derivation(g[0] ** 2 / g.dot(g), (example,)),
        COS_ALL: Derivation(sp.Rational(1, 2), ()),
        FALL_SUBSET: Derivation(part.fall.subs(own_at), ()),
        FALL_ALL: Derivation(whole.fall.subs(all_at), ()),
    }


@dataclass(frozen=True)
class FallsOfTwo:
    """(a_S - eta_S b_S / 2) eta_S and the same of all, in columns, each from its own draws.

    The subset is that of the recipe `s_mezo`: the smaller half of the weights.
    """

    problem: Quadratic
    steps: tuple[float, float]

    point = (0.1, 5.0)

    def samplers(self) -> tuple[Steps, Steps]:
        """Of S = {1} and of all coordinates."""
        masked = (("sparsity", 0.5),)
        own, whole = (FallAt(eta) for eta in self.steps)
        return (
            Steps(self.problem, own, "s_mezo", masked, self.point),
            Steps(self.problem, whole, point=self.point),
        )

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows."""
        return np.stack([sampler(rng, size)[:, 0] for sampler in self.samplers()], axis=1)


@dataclass(frozen=True)
class GainOfSubset:
    """The difference of the two, S less all."""

    falls: FallsOfTwo

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        own, whole = self.falls(rng, size).T
        return own - whole


def _measure_subset(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The difference of the falls, where the two criteria disagree, and where they agree."""
    (claimed,) = (r.rhs for r in conjuncts(statement.formula) if r.lhs == GAIN)
    flat = Quadratic((1.0, 0.2), ((1.0, 0.0), (0.0, 4.0)))  # S = {1} is the better one by both
    measurements = []
    for name, problem in (("steep", STEEP), ("flat", flat)):
        g, h = problem.g, problem.h
        at = problem.invariants()
        own = {KEPT_NORM2: g[0] ** 2, KEPT_TRACE: h[0, 0], KEPT_FORM: g[0] ** 2 * h[0, 0]}
        steps = (
            float(falls.given().best_step.subs(own)),
            float(falls.gaussian().best_step.subs(at)),
        )
        pair = FallsOfTwo(problem, steps)
        on = ((True, False), (True, True))
        variance = sum(
            exact_moments(sampler.statistic, problem, where)[1][0]
            for sampler, where in zip(pair.samplers(), on, strict=True)
        )
        target = float(claimed.subs({**at, **own}))
        scale = float(falls.gaussian().fall.subs(at)) + float(falls.given().fall.subs(own))
        decide = partial(
            decide_equal, method=Catoni(variance), target=target, tolerance=0.6, scale=scale
        )
        measurements.append(Measurement(f"{name}, d=2", GainOfSubset(pair), decide, 10, 64))
    return measurements


CLAIMS = (
    Claim(
        id="own.step.moments",
        where="ours, for the learning rate",
        setting=QUADRATIC,
        statement=Statement(
            "On f = <g, x> + x^T H x / 2 (H symmetric, eps -> 0 or any eps: the difference is "
            "exact), with kappa the two-point difference along z ~ N(0, I): E[kappa^2] = ||g||^2 "
            "and E[kappa^2 z^T H z] = ||g||^2 Tr H + 2 g^T H g at a point with gradient g.",
            conjunction(sp.Eq(SQUARE, NORM2), sp.Eq(CURVED, NORM2 * TRACE + 2 * FORM)),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_moments), measured(_measure_moments)),
        mutant=Statement(
            "E[kappa^2 z^T H z] = ||g||^2 Tr H, as if slope and curvature were independent.",
            conjunction(sp.Eq(SQUARE, NORM2), sp.Eq(CURVED, NORM2 * TRACE)),
        ),
    ),
    Claim(
        id="own.step.best",
        where="ours, for the learning rate",
        setting=QUADRATIC,
        statement=Statement(
            "On the same loss, where Tr H + 2 g^T H g / ||g||^2 > 0, the expected loss after one "
            "MeZO step of size eta is least at eta = 1/(Tr H + 2 g^T H g / ||g||^2), and is then "
            "lower by ||g||^2 / (2 (Tr H + 2 g^T H g / ||g||^2)).",
            conjunction(sp.Eq(BEST, 1 / EFFECTIVE), sp.Eq(FALL, NORM2 / (2 * EFFECTIVE))),
            (sp.Gt(EFFECTIVE, 0),),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_best), measured(_measure_best)),
        mutant=Statement(
            "It is least at eta = 1/Tr H, and then lower by ||g||^2/(2 Tr H).",
            conjunction(sp.Eq(BEST, 1 / TRACE), sp.Eq(FALL, NORM2 / (2 * TRACE))),
            (sp.Gt(EFFECTIVE, 0), sp.Gt(TRACE, 0)),
        ),
    ),
    Claim(
        id="own.step.subset",
        where="ours, for LeZO, S-MeZO and own.layers",
        setting=Setting("a quadratic loss with positive definite H, MeZO's estimate"),
        statement=Statement(
            "On the same loss with H positive definite, perturbing a subset S of the coordinates "
            "alone lowers the expected loss more per step (each at its own best step) than "
            "perturbing all of them exactly when ||g_S||^2 / (Tr H_SS + 2 rho_S) exceeds ||g||^2 / "
            "(Tr H + 2 rho), rho the Rayleigh quotients; there are g and H for which the squared "
            "cosine with g ranks the two the other way round.",
            conjunction(
                sp.Eq(GAIN, (SUBSET_RATE - ALL_RATE) / 2),
                sp.Gt(COS_SUBSET, COS_ALL),
                sp.Lt(FALL_SUBSET, FALL_ALL),
            ),
            POSITIVE,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_subset), measured(_measure_subset)),
        mutant=Statement(
            "It does when ||g_S||^2/Tr H_SS exceeds ||g||^2/Tr H, and by half their difference.",
            conjunction(
                sp.Eq(GAIN, (KEPT_NORM2 / KEPT_TRACE - NORM2 / TRACE) / 2),
                sp.Gt(COS_SUBSET, COS_ALL),
                sp.Lt(FALL_SUBSET, FALL_ALL),
            ),
            POSITIVE,
        ),
    ),
)
