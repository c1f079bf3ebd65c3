"""Theorem 2 as its proof has it: factors redrawn at every step, G_t divided by r, a fixed rho.

The proof takes E_t G_t for grad f(W_t). At a fixed rho that is so for quadratic losses only: the
two-point estimate has the mean of a smoothed gradient, and a small step size stays where that one
vanishes, whatever the gradient is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import mpmath
import numpy as np
import sympy as sp

from proofs_check import matrices
from proofs_check.enclosures import enclose
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.matrices import M, N, R
from proofs_check.moments import scalar_moment
from proofs_check.results import Proved
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact, refuted
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.montecarlo import Accumulator
from zotheory.papers.tezo import descent, terms
from zotheory.papers.tezo.descent import ETA, HORIZON, ResampledDescent
from zotheory.papers.tezo.lemma1 import LAM, RHO, delta_rho
from zotheory.papers.tezo.theorem1 import DELTA, SIZES
from zotheory.search import Parameter, Point, Problem, Sides, as_bound
from zotheory.statistics import Bernstein, Catoni, Interval, decide_at_most
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

DELTA_SYMBOL, SMOOTH, SIXTH = sp.symbols("delta delta_rho E||Z||^6", nonnegative=True)
D0 = sp.Symbol("D_0", positive=True)
MEAN_SQUARE = sp.Symbol("(1/T) sum_t E||grad f(W_t)||^2")
BOUND = 2 * D0 / (ETA * HORIZON) + ETA * LAM**3 * RHO**2 * SMOOTH
NAMED = {DELTA_SYMBOL: DELTA, SMOOTH: delta_rho()}


def _step_sizes(share: sp.Expr = sp.S.One) -> tuple[sp.Basic, ...]:
    """0 < eta <= share / (lambda (delta + 1))."""
    return (*SIZES, sp.Le(ETA, share / (LAM * (DELTA_SYMBOL + 1)), evaluate=False))


# One loss at a fixed rho. f(w) = k w + min(w, 0)^2 / 2 with k = E|Z|^3 / 4, at m = n = r = 1 and
# rho = lambda = 1; it is 1-smooth and convex, and least at -k. Started at 0.

MOMENTS = {k: scalar_moment(k) ** 3 for k in (2, 4, 6)}  # of Z = tau u v
THIRD = (2 * sp.sqrt(2 / sp.pi)) ** 3  # E|Z|^3; E|x|^3 = 2 sqrt(2/pi) for x ~ N(0, 1)
SLOPE = THIRD / 4
HINGE = {M: 1, N: 1, R: 1, RHO: 1, LAM: 1, D0: SLOPE**2 / 2}


DRIFT = 2 * SLOPE  # |f' - mu| is at most that
NOISE = 4 * MOMENTS[4] * DRIFT**2 + MOMENTS[6] / 2  # of E G^2 besides 4 E Z^4 mu^2
STRAYED = ETA / 2 * NOISE / (1 - 2 * MOMENTS[4] * ETA)  # (1/T) sum_t E mu(w_t)^2 is at most that


def hinge_floor() -> Derivation:
    """A lower bound on (1/T) sum_t E f'(w_t)^2 for every T, as a function of eta, 54 eta < 1."""
    value = SLOPE**2 - 4 * SLOPE * sp.sqrt(STRAYED)
    steps = (
        "m = n = r = 1, rho = lambda = 1, Z = tau u v, G = (f(w+Z) - f(w-Z)) Z/2, mu(w) = E G, "
        f"f'(w) = k + min(w, 0), k = E|Z|^3/4 = {SLOPE}, w_0 = 0, D_0 = f(0) - f(-k) = k^2/2",
        "f(z) - f(-z) = 2 k z - z^2/2 for z > 0: mu(0) = k E Z^2 - E|Z|^3/4 = 0",
        f"0 <= mu' = E[(f'(w+Z) - f'(w-Z)) Z]/2 <= E Z^2 = {MOMENTS[2]}: mu is the slope of a "
        "convex 1-smooth F, least at 0; for w <= 0, f'(w+z) - f'(w-z) >= z > 0: mu' >= 1/2",
        f"|(f(w+z) - f(w-z))/2 - f'(w) z| <= z^2/2: |f' - mu| <= E|Z|^3/2 = {DRIFT}, and E G^2 <= "
        f"2 E Z^4 f'^2 + E Z^6/2 <= 4 E Z^4 mu^2 + {sp.nsimplify(NOISE)}, f'^2 <= 2 mu^2 + "
        f"2 ({DRIFT})^2, E Z^4 = {MOMENTS[4]}, E Z^6 = {MOMENTS[6]}",
        "E F(w_{t+1}) <= E F(w_t) - eta E mu^2 + (eta^2/2) E G^2, summed from F(0) = min F: "
        f"(1/T) sum_t E mu(w_t)^2 <= s = {STRAYED}",
        "f'^2 >= k^2 + 2 k min(w, 0) >= k^2 - 4 k |mu|: (1/T) sum_t E f'(w_t)^2 >= "
        "k^2 - 4 k sqrt(s)",
    )
    return Derivation(value, steps)


def for_hinge(statement: Statement) -> sp.Expr:
    """The statement's bound for this loss, in eta and T."""
    return statement.bound.subs(HINGE)


def _admits(statement: Statement) -> Callable[[float], bool]:
    """Whether eta is a step size of the statement's for this loss."""
    at = [c.subs(statement.where).subs(HINGE) for c in statement.domain]
    return sp.lambdify(ETA, conjunction(*(c for c in at if c != sp.true)))


def _judge(statement: Statement, context: Context) -> Evidence:
    """The loss above at step sizes 10^-k and horizons 10^j; else the proof, step by step."""
    context.tell(f"{context.claim}  deriving")
    floor, claimed, admits = hinge_floor(), for_hinge(statement), _admits(statement)
    for power in range(2, 9):
        eta = sp.Rational(1, 10**power)
        for horizon in (sp.Integer(10) ** j for j in range(power, power + 4)):
            at = {ETA: eta, HORIZON: horizon}
            left, right = (enclose(side.subs(at)) for side in (floor.value, claimed))
            if admits(eta) and left.low > right.high:
                inputs = {"eta": eta, "T": horizon, "rho": 1, "lambda": 1, "m": 1, "n": 1, "r": 1}
                failed = Counterexample(inputs, claimed=right.middle, actual=left.middle)
                relation = "actual, at least <= claimed"
                return refuted(statement, failed, relation, floor.steps, _witness)
    return proof(statement)


def proof(statement: Statement) -> Evidence:
    """That the mean square is at most the formula's right side, by descent, or inconclusive.

    The mean of the estimate is kept apart from the gradient.
    """
    spread = RHO**2 * LAM**2 * SIXTH / (4 * R**2)
    kept = sp.Rational(1, 2) - LAM * ETA * (DELTA_SYMBOL + 1)
    value = 4 * (D0 / (ETA * HORIZON) + spread / 2 + LAM * ETA * spread)
    facts = (
        (
            "||E G - grad f||^2 <= E||G - (1/r) <grad f, Z> Z||^2 <= s = "
            f"{spread} (pathwise), -<grad f, E G> <= -||grad f||^2/2 + ||E G - grad f||^2/2",
            None,
        ),
        ("E||G||^2 <= 2 s + 2 (delta + 1) ||grad f||^2 (Theorem 1)", None),
        (
            f"E f(W_(t+1)) <= f(W_t) - eta ({kept}) ||grad f||^2 + eta s/2 + lambda eta^2 s, and "
            f"{kept} >= 1/4 on the domain",
            decide(sp.Rational(1, 4), kept, statement.domain),
        ),
        (
            f"summed over t < T and divided by eta T/4: at most {value}",
            decide(value, statement.formula.rhs, statement.domain),
        ),
    )
    steps = [said for said, _ in facts]
    if all(found is None or isinstance(found, Proved) for _, found in facts):
        return Evidence(Kind.EXACT, Verdict.PROVED, "by descent", {}, {"steps": steps})
    why = "no counterexample in the family tried, and the descent gives less"
    return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, why, {}, {"steps": steps})


def _witness(statement: Statement, failed: Counterexample) -> str:
    claimed = sp.pycode(for_hinge(statement)).replace("math.", "np.")
    return f"""import numpy as np

# TeZO's step on one number, factors redrawn: f(w) = k w + min(w, 0)^2 / 2, rho = lambda = 1
k = 2 * (2 / np.pi) ** 1.5  # E|tau u v|^3 / 4
eta, T = {float(failed.inputs["eta"])}, {failed.inputs["T"]}
claimed = {claimed}
variance, fourth, sixth = 1, 3**3, 15**3  # of Z: E Z^2, E Z^4, E Z^6
strayed = eta / 2 * (4 * fourth * (2 * k) ** 2 + sixth / 2) / (1 - 2 * fourth * eta)
print("claimed", float(claimed))
print("actual", float(k**2 - 4 * k * strayed**0.5))  # at least, whatever T is


def f(w):
    return k * w + np.minimum(w, 0) ** 2 / 2


rng, w, total, steps = np.random.default_rng(0), np.zeros(64), 0.0, 20_000
for z in np.prod(rng.standard_normal((3, steps, 64)), axis=0):
    total += np.mean((k + np.minimum(w, 0)) ** 2) / steps
    w -= eta / 2 * (f(w + z) - f(w - z)) * z
print(f"simulated over {{steps}} steps", total)
"""


def _problem(statement: Statement) -> Problem:
    """Step sizes and horizons at which the floor of this loss exceeds the bound."""
    floor, bound = as_bound(hinge_floor().value), as_bound(for_hinge(statement))
    admits = _admits(statement)

    def quantities(point: Point) -> dict[str, float]:
        return {"eta": point["eta"], "T": 10 ** point["log T"]}

    def sides(point: Point) -> Sides:
        if not admits(point["eta"]):
            return Sides(np.nan, 0.0)
        return Sides(floor(eta=point["eta"]), bound(**quantities(point)))

    def recheck(point: Point, digits: int) -> Sides:
        with mpmath.workdps(2 * digits):
            left, right = floor.precise(eta=point["eta"]), bound.precise(**quantities(point))
            return Sides(left, right, (abs(left) + abs(right)) * mpmath.mpf(10) ** -digits)

    parameters = (
        Parameter("eta", 1e-8, 1 / 60, "log"),
        Parameter("log T", 0, 12, integer=True),
    )
    return Problem("(1/T) sum_t E||grad f(W_t)||^2", sides, recheck, parameters)


def _measure_hinge(statement: Statement, _: Context) -> Sequence[Measurement]:
    eta, horizon = 3e-5, 100_000
    bound = float(for_hinge(statement).subs({ETA: eta, HORIZON: horizon}))
    sampler = HingeDescent(eta, horizon)
    decide = partial(decide_at_most, method=CutBelow(), bound=bound)
    at = f"k w + min(w, 0)^2/2, eta = {eta:g}, T = {horizon:,}"
    return [Measurement(at, sampler, decide, 256, 1, first_look=1)]


@dataclass(frozen=True)
class CutBelow:
    """Bounds for the mean of f'^2: from below by the capped column, from above by the other."""

    name: ClassVar[str] = Bernstein.name
    assumption: ClassVar[str] = Bernstein.assumption

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        found = Bernstein()(shards, alpha)
        (capped, whole) = CAPS
        return Interval(whole * found.estimate[1], capped * found.lower[0], whole * found.upper[1])


# On a quadratic loss the estimate has the mean grad f, whatever rho.


def _mean_square(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """sum_{t<T} q^t <= 1/(1 - q) with the exact contraction factor q; D_0 = ||G_0||^2 / 2."""
    factor = descent.contraction_factor()
    q = 1 - 2 * ETA + ETA**2 * (DELTA_SYMBOL + 1)
    if sp.cancel(factor.value - q.subs(statement.where)) != 0:
        raise ArithmeticError(
            f"the contraction factor {factor.value} is not {q} with delta's formula"
        )
    value = sp.cancel(2 * D0 / (HORIZON * (1 - q)))
    steps = (*factor.steps, f"(1/T) sum_(t<T) q^t ||G_0||^2 <= ||G_0||^2/(T (1-q)) = {value}")
    return {MEAN_SQUARE: Derivation(value, steps)}


def _measure_quadratic(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Per ||grad f(W_0)||^2 = 2 D_0; the term in rho is dropped, which favours no one."""
    m, n, r, horizons = 2, 3, 2, (30, 100, 300)
    sizes = {M: m, N: n, R: r}
    eta = 1 / (4 * (DELTA.subs(sizes) + 1))
    at = {**sizes, ETA: eta, RHO: 0, LAM: 1, D0: sp.Rational(1, 2)}
    bounds = np.array([float(statement.bound.subs({**at, HORIZON: t})) for t in horizons])
    variance = np.array([descent.mean_square_bound(m, n, r, eta, t) for t in horizons])
    decide = partial(decide_at_most, method=Catoni(variance), bound=bounds)
    sampler = ResampledDescent(m, n, r, float(eta), horizons)
    return [Measurement(f"m={m} n={n} r={r} T={horizons}", sampler, decide, 100, 64)]


def repaired() -> Statement:
    """What the descent proves at a fixed rho."""
    return Statement(
        "For eta <= 1/(4 lambda (delta+1)) it is at most 4 D_0/(eta T) + (2 + 4 lambda eta) "
        "rho^2 lambda^2 E||Z||^6/(4 r^2). The term in rho does not vanish with eta: E_t G_t is "
        "not grad f(W_t), as the proof has it, unless f is quadratic.",
        sp.Le(
            MEAN_SQUARE,
            4 * D0 / (ETA * HORIZON) + (2 + 4 * LAM * ETA) * RHO**2 * LAM**2 * SIXTH / (4 * R**2),
        ),
        _step_sizes(sp.Rational(1, 4)),
        {DELTA_SYMBOL: DELTA, SIXTH: matrices.mean(terms.norm6).value},
    )


UNIT = (*_step_sizes(), sp.Eq(LAM, 1, evaluate=False))  # ||W - W*||^2 / 2 has lambda = 1

CLAIMS = (
    Claim(
        id="tezo.thm2.resampled",
        where="Theorem 2, Eq. 10, and the display above it",
        setting=Setting(
            "any smooth nonconvex loss; the proof's expectation redraws the factors at every step"
        ),
        statement=Statement(
            "With u, v redrawn at every step, G_t divided by r, exact loss (sigma = 0), any fixed "
            "rho > 0 and 0 < eta <= 1/(lambda(delta+1)): every lambda-smooth f has "
            "(1/T) sum_t E||grad f(W_t)||^2 <= 2 D_0/(eta T) + eta lambda rho^2 lambda^2 "
            "delta_rho, for every T >= 1.",
            sp.Le(MEAN_SQUARE, BOUND),
            _step_sizes(),
            NAMED,
        ),
        needs=(Kind.EXACT, Kind.SEARCH, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _judge), searched(_problem), measured(_measure_hinge)),
        correction=repaired(),
    ),
    Claim(
        id="tezo.thm2.resampled_quadratic",
        where="Theorem 2, Eq. 10, on a quadratic",
        setting=Setting("f = ||W - W*||^2 / 2, factors redrawn at every step"),
        statement=Statement(
            "The same on f = ||W - W*||^2 / 2, where the two-point estimate does not depend on "
            "rho.",
            sp.Le(MEAN_SQUARE, BOUND),
            UNIT,
            NAMED,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_mean_square, attained=False), measured(_measure_quadratic)),
        mutant=Statement(
            "The same with D_0/(eta T) in place of 2 D_0/(eta T).",
            sp.Le(MEAN_SQUARE, BOUND - D0 / (ETA * HORIZON)),
            UNIT,
            NAMED,
        ),
    ),
)


# The sampler of the loss above, by the definition of the step.

CAPS = (float(SLOPE) ** 2, 40.0**2)  # what f'^2 is cut at, from below; what bounds it


@dataclass(frozen=True)
class HingeDescent:
    """The average of f'(w_t)^2 over t < T, in shares of `CAPS`: cut at k^2, and as it is.

    f(w) = k w + min(w, 0)^2 / 2, but linear beyond f' = -40, so that f' is bounded; it is still
    1-smooth and least at -k. w_0 = 0, Z = tau u v redrawn at every step.
    """

    eta: float
    steps: int
    block: int = 1000

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, 2), with values in [0, 1]."""
        w, total = np.zeros(size), np.zeros((2, size))
        for start in range(0, self.steps, self.block):
            shape = (3, min(self.block, self.steps - start), size)
            path = []
            for z in np.prod(rng.standard_normal(shape), axis=0):
                path.append(w)
                w = w - self.eta / 2 * (hinge(w + z) - hinge(w - z)) * z
            squares = np.maximum(float(SLOPE) + np.minimum(path, 0), -(CAPS[1] ** 0.5)) ** 2
            total += [np.minimum(squares, CAPS[0]).sum(axis=0), squares.sum(axis=0)]
        return (total / (self.steps * np.array(CAPS)[:, None])).T


def hinge(w: np.ndarray) -> np.ndarray:
    """f at each w."""
    end = CAPS[1] ** 0.5 + float(SLOPE)
    negative = np.minimum(w, 0)
    curved = np.maximum(negative, -end)
    return float(SLOPE) * w + curved * (curved / 2 + end) - end * negative
