"""Theorem 2 at a fixed rho as T grows, the step size tied to T: what the mean square tends to.

The step size falls as T grows, and on the loss of `theorem2_redrawn` small steps do not help.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from proofs_check.matrices import R
from proofs_check.results import Proved
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, refuted
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.montecarlo import Accumulator
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.descent import ETA, HORIZON
from zotheory.papers.tezo.lemma1 import LAM, RHO, delta_rho
from zotheory.papers.tezo.theorem1 import SIZES
from zotheory.papers.tezo.theorem2_redrawn import (
    D0,
    HINGE,
    SIXTH,
    SLOPE,
    STRAYED,
    for_hinge,
    hinge_floor,
    proof,
    repaired,
)
from zotheory.search import Parameter, Point, Problem, Sides, as_bound
from zotheory.statistics import Bernstein, Interval, decide_at_most
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, Verdict

LIMIT = sp.Symbol("limsup over T of (1/T) sum_(t<T) E||grad f(W_t)||^2", nonnegative=True)
STEP = sp.sqrt(D0 / (LAM * HORIZON * RHO**2 * LAM**2 * delta_rho()))
AT_HINGE = STEP.subs(HINGE)  # the loss with rho = lambda = m = n = r = 1


def floor_limit() -> Derivation:
    """What the mean square of that loss tends to, at least, as T grows with eta = `STEP`."""
    floor = hinge_floor()
    x = sp.Symbol("x", positive=True)
    step = sp.limit(AT_HINGE.subs(HORIZON, x), x, sp.oo)
    value = floor.value.subs(ETA, 0)
    if step != 0 or sp.simplify(sp.limit(floor.value, ETA, 0, "+") - value) != 0:
        raise ArithmeticError("the step size or the floor does not tend to what it is said to")
    steps = (
        *floor.steps,
        f"eta = {AT_HINGE} tends to 0 as T grows, 1/(lambda(delta+1)) = 1/27 being met from some T "
        f"on, and the floor tends to k^2 = {value}",
    )
    return Derivation(value, steps)


def _judge(statement: Statement, context: Context) -> Evidence:
    """The loss whose mean square stays up; else the limit of what the descent proves."""
    context.tell(f"{context.claim}  deriving")
    found, claimed = floor_limit(), for_hinge(statement)
    low, high = enclose(found.value), enclose(claimed)
    if low.low > high.high:
        inputs = {"rho": 1, "lambda": 1, "m": 1, "n": 1, "r": 1, "D_0": HINGE[D0]}
        failed = Counterexample(inputs, claimed=high.middle, actual=low.middle)
        return refuted(statement, failed, "actual, at least <= claimed", found.steps, _witness)
    return _by_descent(statement, context)


def _by_descent(statement: Statement, context: Context) -> Evidence:
    """The limit, at eta = c/sqrt(T), of the bound that repairs `tezo.thm2.resampled`."""
    bounded = repaired()
    known = proof(bounded)
    if known.verdict is not Verdict.PROVED:
        return known
    c, x = sp.symbols("c x", positive=True)  # x = sqrt(T)
    along = bounded.formula.rhs.subs(ETA, c / x).subs(HORIZON, x**2)
    value = sp.limit(sp.expand(along), x, sp.oo)
    found = decide(value, statement.formula.rhs, statement.domain)
    steps = [
        bounded.says,
        *known.certificate["steps"],
        f"eta = c/sqrt(T) is at most 1/(4 lambda (delta + 1)) from some T on; as T grows the bound "
        f"tends to {value}",
    ]
    if isinstance(found, Proved):
        steps += found.steps
        return Evidence(Kind.EXACT, Verdict.PROVED, "by descent", {}, {"steps": steps})
    why = "the loss tried does not exceed it, and the descent gives less"
    return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, why, {}, {"steps": steps})


def _witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

# TeZO's step on one number, factors redrawn: f(w) = k w + min(w, 0)^2 / 2, rho = lambda = 1
k = 2 * (2 / np.pi) ** 1.5  # E|tau u v|^3 / 4
delta_rho = (15 * 4**6 + 36 + 1) / 4
D_0 = k**2 / 2
print("claimed", {float(failed.claimed)})  # of the limit, at most
print("actual", float(k**2))  # of the limit, at least


def f(w):
    return k * w + np.minimum(w, 0) ** 2 / 2


rng = np.random.default_rng(0)
for T in (1_000, 10_000):
    eta = np.sqrt(D_0 / (T * delta_rho))
    w, total = np.zeros(256), 0.0
    for z in np.prod(rng.standard_normal((3, T, 256)), axis=0):
        total += np.mean((k + np.minimum(w, 0)) ** 2) / T
        w -= eta / 2 * (f(w + z) - f(w - z)) * z
    print("simulated up to T =", T, total)
"""


def _problem(statement: Statement) -> Problem:
    """T at whose step size the floor exceeds the claim: the floor only rises as T grows on."""
    floor, bound = as_bound(hinge_floor().value), as_bound(for_hinge(statement))
    step = as_bound(AT_HINGE)

    def sides(point: Point) -> Sides:
        return Sides(floor(eta=step(T=10.0 ** point["log T"])), bound())

    def recheck(point: Point, digits: int) -> Sides:
        with mpmath.workdps(2 * digits):
            eta = step.precise(T=mpmath.mpf(10) ** point["log T"])
            left, right = floor.precise(eta=eta), bound.precise()
            return Sides(left, right, (abs(left) + abs(right)) * mpmath.mpf(10) ** -digits)

    parameters = (Parameter("log T", 1, 40, integer=True),)
    return Problem("limsup (1/T) sum_t E||grad f(W_t)||^2", sides, recheck, parameters)


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The same loss at one T and its step size, with what the limit can differ by."""
    horizon = 30_000
    eta = AT_HINGE.subs(HORIZON, horizon)
    method = LimitOfCapped(float(4 * STRAYED.subs(ETA, eta)))
    decide = partial(decide_at_most, method=method, bound=float(for_hinge(statement)))
    sampler = CappedDescent(float(eta), horizon)
    at = f"k w + min(w, 0)^2/2, T = {horizon:,}, eta = {float(eta):.3g}"
    return [Measurement(at, sampler, decide, 128, 1, first_look=1)]


@dataclass(frozen=True)
class LimitOfCapped:
    """An interval for the limit, from the mean of the capped square, a share of k^2.

    With x = -min(w, 0) <= 2 |mu|: f'^2 = (k - x)^2 <= k^2 + 4 mu^2, and (1/T) sum_t E mu^2 <= s. So
    the mean square is at most 4 s above its capped mean, and the limit, at least k^2, no more than
    4 s below. `beyond` is 4 s.
    """

    beyond: float
    name: ClassVar[str] = Bernstein.name
    assumption: ClassVar[str] = Bernstein.assumption

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        found, scale = Bernstein()(shards, alpha), float(SLOPE) ** 2
        low, high = scale * found.lower - self.beyond, scale * found.upper + self.beyond
        return Interval(scale * found.estimate, low, high)


@dataclass(frozen=True)
class CappedDescent:
    """The average over t < T of min(f'(w_t)^2, k^2)/k^2, f(w) = k w + min(w, 0)^2/2, w_0 = 0.

    Z = tau u v is redrawn at every step, rho = 1.
    """

    eta: float
    steps: int
    block: int = 1000

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        k = float(SLOPE)
        w, total = np.zeros(size), np.zeros(size)
        for start in range(0, self.steps, self.block):
            shape = (3, min(self.block, self.steps - start), size)
            path = []
            for z in np.prod(rng.standard_normal(shape), axis=0):
                path.append(w)
                below, above = np.minimum(w - z, 0), np.minimum(w + z, 0)
                w = w - self.eta / 2 * (2 * k * z + (above**2 - below**2) / 2) * z
            total += np.minimum((1 + np.minimum(path, 0) / k) ** 2, 1).sum(axis=0)
        return total / self.steps


CLAIMS = (
    Claim(
        id="tezo.thm2.fixed_rho_limit",
        where="Theorem 2, Eq. 10",
        setting=Setting("any lambda-smooth loss, factors redrawn at every step, T -> infinity"),
        statement=Statement(
            "With u, v redrawn at every step, G_t divided by r, exact loss (sigma = 0), any fixed "
            "rho > 0 and eta = sqrt(D_0/(lambda T rho^2 lambda^2 delta_rho)) for T large enough "
            "that eta <= 1/(lambda(delta+1)): for every lambda-smooth f the average over t < T of "
            "E||grad f(W_t)||^2 tends to 0 as T -> infinity.",
            sp.Le(LIMIT, 0),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.SEARCH, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _judge), searched(_problem), measured(_measure)),
        correction=Statement(
            "It comes down to rho^2 lambda^2 E||Z||^6/(2 r^2) at most, which vanishes with rho, "
            "not with T.",
            sp.Le(LIMIT, RHO**2 * LAM**2 * SIXTH / (2 * R**2)),
            SIZES,
            {SIXTH: matrices.mean(terms.norm6).value},
        ),
    ),
)
