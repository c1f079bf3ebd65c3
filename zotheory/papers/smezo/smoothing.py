"""Sec. 13 to 16: the theory of the estimate under a fixed mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, TensorSum, contraction, derive
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.estimates import Estimates, Linear, SquaredError
from zotheory.papers.shared.restricted import (
    Example,
    Paper,
    assumption1,
    bias,
    eq20,
    lemma1,
    lemma2,
    sine,
)
from zotheory.papers.shared.restricted_descent import (
    FALL,
    STEP_NOISE,
    changing,
    eps_direction,
    eps_term,
    last_iterate,
    step_bound,
)
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement

SMEZO = Paper("smezo", gradient="m*grad L", smoothed="m*grad L_z")
SQUARE = SMEZO.smoothed_square

ERROR = sp.Symbol("E||estimate - m*g||^2")
TARGET = sp.Symbol("||m*g||^2", nonnegative=True)
MEAN = sp.Symbol("i-th of E[L(theta + eps m*z) (m*z)/eps]", real=True)
ENTRY = sp.Symbol("i-th of m*grad L", real=True)
SMOOTHED = sp.Symbol("i-th of m*grad L_z", real=True)
SLOPE, SHIFT = sp.symbols("slope shift", real=True)

BEFORE, AFTER = sp.symbols("loss loss_next", real=True)
SMOOTH = 3 * EPS**2 * L**2 * (N + 4) ** 3

_ONE_LAYER = sine("s_mezo", ((0.1, -0.2, 0.3, 0.15),))
EXAMPLE = Example("the 2 smallest of 4 weights", _ONE_LAYER, (True, False, False, True), 1.0)

_G, _Z = Fixed("G"), Gaussian("z")


def _inner() -> TensorSum:
    i = Index("i", N)
    return _G[i] * _Z[i]


def _norm2() -> TensorSum:
    i = Index("i", N)
    return _Z[i] * _Z[i]


def _error() -> TensorSum:
    """||<G, z> z - G||^2 with G = m*g, in the n kept coordinates."""
    a = Index("a", N)
    inner = _inner() * _inner()
    return inner * _norm2() - 2 * inner + _G[a] * _G[a]


def _square() -> sp.Symbol:
    a = Index("a", N)
    return contraction(_G[a] * _G[a])


def _variance(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = derive(_error())
    return {ERROR: Derivation(sp.expand(found.value.subs(_square(), TARGET)), found.steps)}


def _measure_variance(_: Statement, __: Context) -> Sequence[Measurement]:
    """The 3 smallest of 6 weights, ||m*g|| = 1; the variance of the squared error is exact."""
    weights = (0.1, -0.9, 0.3, -0.2, 0.8, 0.7)
    gradient = (0.6, 0.5, -0.64, 0.48, 0.1, -0.7)
    target = tuple(g if abs(w) <= 0.3 else 0.0 for w, g in zip(weights, gradient, strict=True))
    fourth = derive(_error() * _error()).value - derive(_error()).value ** 2
    variance = float(fourth.subs(_square(), 1).subs(N, 3))
    decide = partial(decide_equal, method=Catoni(variance), tolerance=0.15)
    estimates = Estimates(Recipe("s_mezo", (("sparsity", 0.5),)), (weights,), Linear(gradient))
    sampler = SquaredError(estimates, target)
    at, point = "the 3 smallest of 6 weights", {TARGET: 1, N: 3}
    return [Measurement(at, sampler, decide, 100, 256, point=point)]


def _eq9(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Slope and shift are any numbers: slope x + shift x^3/(3 eps^2) has them at x = 0."""
    found, moved = smoothing.mean({1: 1 / EPS}), SLOPE + SHIFT
    cubic = f"for L(x) = x^3 it is {smoothing.cubic_shift()}, at any x"
    return {
        MEAN: Derivation(found.value * moved, found.steps),
        SMOOTHED: Derivation(moved, (f"smoothing shifts a slope by a number; {cubic}",)),
        ENTRY: Derivation(SLOPE, ()),
    }


def _eq9_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
eps = 1.0
# the loss slope x + shift x^3/(3 eps^2) in one dimension, at x = 0
z, w = np.polynomial.hermite_e.hermegauss(8)
loss = slope * eps * z + shift * (eps * z) ** 3 / (3 * eps**2)
print("claimed", float(slope))
print("actual", w @ (loss * z / eps) / w.sum())
# the same for sin, whose gradient is 1-Lipschitz, at 0
z, w = np.polynomial.hermite_e.hermegauss(40)
print("of sin: the gradient", np.cos(0), "the mean", w @ (np.sin(eps * z) * z / eps) / w.sum())
"""


def _eq23(second_moment: sp.Expr) -> sp.Basic:
    """Eq. 23 with a bound on E||estimate||^2 and the rate put in."""
    return sp.Le(AFTER, BEFORE + step_bound(second_moment, SQUARE))


def _eq24(says: str, premise: sp.Basic) -> Statement:
    return Statement(says, sp.Le(AFTER, BEFORE - SQUARE / FALL + STEP_NOISE), (premise,))


EQ23_PRINTED = _eq23(SMOOTH + 4 * (N + 4) ** 2 * SQUARE)
EQ23_SHARPER = _eq23(SMEZO.named(smoothing.second_moment()).value)


def _eq24_witness(statement: Statement, failed: Counterexample) -> str:
    values = {name.replace(str(SQUARE), "square"): v for name, v in failed.inputs.items()}
    short = {SQUARE: sp.Symbol("square")}
    (premise,) = statement.domain
    allowed, claimed = (sp.pycode(e.rhs.subs(short)) for e in (premise, statement.formula))
    return f"""import numpy as np

{inputs(values)}
# square: ||m*grad L_z||^2; loss_next: a mean loss after the step that Eq. 23 allows
eq23, eq24 = np.array([{allowed}, {claimed}], dtype=float)
assert loss_next <= eq23 + 1e-12
print("claimed", eq24)
print("actual", float(loss_next))
"""


CLAIMS = (
    lemma1(
        SMEZO,
        "Lemma 1, Eq. 4",
        "With fixed mask m, E[estimate] = m * grad of E L(theta + eps m*z).",
        EXAMPLE,
    ),
    Claim(
        id="smezo.eq9.sentence",
        where="sentence under Eq. 9",
        setting=Setting("any smooth loss, a fixed mask, any eps"),
        statement=Statement(
            "grad L_m(theta) = m * grad L(theta) equals E[L(theta + eps m*z) (m*z)/eps], for every "
            "smooth loss and every eps > 0.",
            sp.Eq(MEAN, ENTRY),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_eq9, _eq9_witness),),
        correction=Statement(
            "m * grad L_z(theta), of the smoothed loss, equals it, as Eq. 9 itself says.",
            sp.Eq(MEAN, SMOOTHED),
        ),
    ),
    Claim(
        id="smezo.variance",
        where="ours, for Sec. 13",
        setting=Setting("a linear loss, a fixed mask"),
        statement=Statement(
            "On a linear loss E||estimate - m*g||^2 = (n+1)||m*g||^2.",
            sp.Eq(ERROR, (N + 1) * TARGET),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_variance), measured(_measure_variance)),
        mutant=Statement(
            "On a linear loss E||estimate - m*g||^2 = n ||m*g||^2.", sp.Eq(ERROR, N * TARGET)
        ),
    ),
    assumption1(SMEZO, "Assumption 1, Eq. 3"),
    lemma2(SMEZO, "Lemma 2, Eq. 5"),
    bias(SMEZO, "smezo.bias", "any L-smooth loss, a fixed mask of n weights"),
    eq20(SMEZO, "E||estimate||^2 <= 3 eps^2 L^2 (n+4)^3 + 4(n+4)^2||m*grad L_z||^2."),
    Claim(
        id="smezo.eq24.step",
        where="Eq. 23 to Eq. 24",
        setting=Setting("a step of the proof, any n, eps, L"),
        statement=_eq24(
            "Eq. 23 as printed, with (n+4)^2, and eta = 1/(4(n+4)L) give Eq. 24, for every n >= 1.",
            EQ23_PRINTED,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(witness=_eq24_witness, step=True),),
        correction=_eq24(
            "Eq. 23 with 4(n+2) in place of 4(n+4)^2 gives it, and every L-smooth loss satisfies "
            "that: keep <grad, z>^2 in Eq. 18, as E <grad, z>^2 ||z||^2 = (n+2)||grad||^2.",
            EQ23_SHARPER,
        ),
    ),
    last_iterate(SMEZO),
    changing(
        SMEZO,
        "smezo.thm1.dynamic",
        "Sec. 3.2 (dynamic mask) with Eq. 24 to Eq. 25",
        "As a step of proof: from Eq. 24 at every t, for the L_z of that step's mask, which "
        "Algorithm 1 computes anew at every step, and L_z >= L_z*, follows Eq. 25's bound (with "
        "the same constants) on the average over t of E||grad L_z(theta_t)||^2.",
        "The sum does not telescope: a step ends with the L_z of its own mask, and the next "
        "begins with that of another.",
    ),
    eps_term(SMEZO),
    eps_direction(SMEZO),
)
