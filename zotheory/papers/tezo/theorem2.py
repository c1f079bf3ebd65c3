"""Theorem 2: the descent, its conditional mean, and what Algorithm 1 converges to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Derivation
from proofs_check.matrices import G_NORM2, GH, M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.montecarlo import stream
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import (
    ETA,
    ConditionalDescent,
    FrozenDescent,
    frozen_projections,
)
from zotheory.papers.tezo.lemma1 import LAM
from zotheory.papers.tezo.theorem1 import SIZES
from zotheory.statistics import Bernstein, Catoni, decide_equal, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement

DELTA_SYMBOL = sp.Symbol("delta", nonnegative=True)
CONDITIONAL = sp.Symbol("E_t <grad f(W_t), -G_t>")
LIMIT = sp.Symbol("lim E||grad f(W_T)||^2 / ||grad f(W_0)||^2")


def _conditional(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Over tau alone where the factors are frozen, over everything where they are redrawn."""
    if statement.setting["factors"] == "redrawn":
        found = matrices.mean(cp.squared_inner)
        return {CONDITIONAL: Derivation(-found.value.subs(GH, G_NORM2) / R, found.steps)}
    g, u, v = sp.symbols("g u v", positive=True)
    a, b = descent.averaged_defect()
    steps = (
        "given u, v: E_tau (1/r) <G,Z>^2 = (1/r) sum_s <G, u_s v_s^T>^2; at m = n = r = 1, G = g: "
        "g^2 u^2 v^2",
        "averaged over the factors as well, one step later on f = ||W - W*||^2/2: "
        f"E<G_1, estimate> = ||G_0||^2 + eta ({a}) + O(eta^2), but "
        f"E||G_1||^2 = ||G_0||^2 + eta ({b}) + O(eta^2)",
    )
    return {CONDITIONAL: Derivation(-(g**2) * u**2 * v**2, steps), G_NORM2: Derivation(g**2, ())}


def _conditional_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
# m = n = r = 1: the gradient is g, the frozen factors are u and v, Z = tau * u * v
tau, w = np.polynomial.hermite_e.hermegauss(8)
z = tau * u * v
claimed = -(g**2)
actual = -(w / w.sum()) @ (g * (g * z) * z)
print("claimed", float(claimed))
print("actual", float(actual))
"""


def _limit(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    redrawn = statement.setting["factors"] == "redrawn"
    found = descent.redrawn_limit() if redrawn else descent.frozen_floor()
    return {LIMIT: Derivation(sp.cancel(found.value / G_NORM2), found.steps)}


def _limit_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
# Algorithm 1 on f(W) = ||W - W*||^2 / 2, where the gradient is W - W*: 4000 draws of the factors
rng, runs, steps = np.random.default_rng(0), 4000, 1500
u, v = rng.standard_normal((runs, r, m)), rng.standard_normal((runs, r, n))
directions = np.einsum("bsi,bsj->bsij", u, v).reshape(runs, r, m * n)
gram = directions @ directions.transpose(0, 2, 1)
eta = r / (np.trace(gram, axis1=1, axis2=2) + 2 * np.linalg.eigvalsh(gram)[:, -1])
gradient = np.zeros((runs, m * n))
gradient[:, 0] = 1.0
for _ in range(steps):
    z = np.einsum("bs,bsd->bd", rng.standard_normal((runs, r)), directions)
    kappa = np.einsum("bd,bd->b", gradient, z)
    gradient -= (eta / r * kappa)[:, None] * z
print("claimed", 0.0)
print("actual", float(np.mean(np.sum(gradient**2, axis=1))))  # share of ||grad f(W_0)||^2 left
"""


def _measure_conditional(statement: Statement, context: Context) -> Sequence[Measurement]:
    """At iterates of Algorithm 1 with different factors; r = 2, m = 3, n = 4."""
    m, n, r = 3, 4, 2
    measurements = []
    for draw in range(3):
        h = None
        second = float(matrices.at(matrices.mean(cp.fourth_inner).value, m, n, r)) / r**2
        if statement.setting["factors"] == "frozen":
            rng = stream(context.seed, f"{context.claim}/factors", draw)
            h = frozen_projections(rng, m, n, r, steps=3)
            second = 3 * float(np.dot(h, h)) ** 2 / r**2
        decide = partial(decide_equal, method=Catoni(second), target=1.0, tolerance=0.05)
        at = f"iterate 3 of run {draw}"
        measurements.append(Measurement(at, ConditionalDescent(r, h), decide, 10_000, 256))
    return measurements


def _measure_limit(_: Statement, __: Context) -> Sequence[Measurement]:
    measurements = []
    for m, n, r in ((2, 2, 1), (3, 4, 2)):
        decide = partial(decide_within, method=Bernstein(), tolerance=0.03, scale=1.0)
        sampler, point = FrozenDescent(m, n, r, steps=400), {M: m, N: n, R: r}
        at = f"m={m} n={n} r={r} T=400"
        measurements.append(Measurement(at, sampler, decide, 100, 128, point=point))
    return measurements


CLAIMS = (
    Claim(
        id="tezo.thm2.step_size",
        where="App. B.2",
        setting=Setting("any positive eta, lambda, delta that the theorem admits"),
        statement=Statement(
            "-eta (1 - lambda (1+delta) eta / 2) <= -eta/2 whenever "
            "0 < eta <= 1/(lambda (delta+1)).",
            sp.Le(-ETA * (1 - LAM * (1 + DELTA_SYMBOL) * ETA / 2), -ETA / 2),
            (sp.Le(ETA, 1 / (LAM * (DELTA_SYMBOL + 1)), evaluate=False),),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(),),
        mutant=Statement(
            "The same with -3 eta/4 on the right.",
            sp.Le(-ETA * (1 - LAM * (1 + DELTA_SYMBOL) * ETA / 2), -3 * ETA / 4),
            (sp.Le(ETA, 1 / (LAM * (DELTA_SYMBOL + 1)), evaluate=False),),
        ),
    ),
    Claim(
        id="tezo.thm2.conditional_mean",
        where="App. B.2, second line of the descent",
        setting=Setting(
            "any smooth nonconvex loss, the iterates of Algorithm 1 (factors drawn once)"
        ),
        statement=Statement(
            "For the iterates of Algorithm 1, whose factors u, v are drawn once before training: "
            "E_t<grad f(W_t), -G_t> = -||grad f(W_t)||^2.",
            sp.Eq(CONDITIONAL, -G_NORM2),
            setting={"factors": "frozen"},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_conditional, _conditional_witness), measured(_measure_conditional)),
        correction=Statement(
            "It holds on a linear or quadratic f (or as rho -> 0) when u, v are redrawn at every "
            "step, independently of W_t. Frozen factors give "
            "-(1/r) sum_s <grad f(W_t), u_s v_s^T>^2.",
            sp.Eq(CONDITIONAL, -G_NORM2),
            SIZES,
            setting={"factors": "redrawn"},
        ),
    ),
    Claim(
        id="tezo.thm2.algorithm1",
        where="Theorem 2, Eq. 10",
        setting=Setting(
            "any smooth nonconvex loss, the iterates of Algorithm 1 (factors drawn once)"
        ),
        statement=Statement(
            "On f = ||W - W*||^2 / 2 with r < mn, Algorithm 1 (factors drawn once, exact loss, "
            "rho -> 0) drives the mean squared gradient to 0 as T grows.",
            sp.Eq(LIMIT, 0),
            (*SIZES, sp.Lt(R, M * N)),
            setting={"factors": "frozen"},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_limit, _limit_witness), measured(_measure_limit)),
        correction=Statement(
            "The squared gradient never falls below its part outside span{u_s v_s^T}, on average "
            "over the factors (1 - r/(mn)) ||grad f(W_0)||^2, and step sizes small enough for the "
            "drawn factors converge to that floor.",
            sp.Eq(LIMIT, 1 - R / (M * N)),
            (*SIZES, sp.Lt(R, M * N)),
            setting={"factors": "frozen"},
        ),
    ),
)
