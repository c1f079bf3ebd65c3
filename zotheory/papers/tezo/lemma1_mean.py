"""Lemma 1's first sentence: whether the two-point estimate is unbiased at a fixed rho."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Derivation, Distinct, TensorSum
from proofs_check.matrices import M, N, R
from proofs_check.moments import scalar_moment
from proofs_check.results import Enclosed
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe, estimates
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.tezo.lemma1 import LAM, RHO
from zotheory.papers.tezo.theorem1 import SIZES
from zotheory.statistics import Catoni, decide_at_most
from zotheory.vocabulary import Claim, Kind, Setting, Statement

SQUARE, FOURTH = sp.symbols("E||Z||^2 E||Z||^4", positive=True)
BIAS = sp.Symbol("sup over f of ||E[(1/r) two-point estimate] - grad f||^2")


def norm2() -> tuple[TensorSum, Distinct]:
    """||Z||^2."""
    return cp.norm2(), ()


def norm4() -> tuple[TensorSum, Distinct]:
    """||Z||^4."""
    return cp.norm2() * cp.norm2(), ()


def _bias(_: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    """What one f attains, and what no f exceeds, at every m, n, r, rho and lambda."""
    square, fourth = matrices.mean(norm2), matrices.mean(norm4)
    entry2 = sp.expand(square.value.subs({M: 1, N: 1}))  # E Z_11^2: one entry is the case m = n = 1
    scale = (RHO * LAM / (2 * R)) ** 2
    lower = sp.cancel(scale * entry2**3)
    upper = sp.expand(scale * square.value * fourth.value)
    steps = (
        "f(W) = lambda W_11 |W_11|/2 is lambda-smooth, and grad f(0) = 0; at W = 0 the estimate's "
        "entry (1, 1) is (1/r) rho lambda Z_11 |Z_11|/2 Z_11 = rho lambda |Z_11|^3/(2 r)",
        f"E|Z_11|^3 >= (E Z_11^2)^(3/2) (Lyapunov), E Z_11^2 = {entry2}: the squared bias is at "
        f"least {lower}",
        "every f: ||(1/r) estimate - (1/r) <grad f, Z> Z|| <= rho lambda ||Z||^3/(2 r) (pathwise), "
        "and E (1/r) <grad f, Z> Z = grad f (Theorem 1)",
        f"(E||Z||^3)^2 <= E||Z||^2 E||Z||^4 (Cauchy-Schwarz), E||Z||^2 = {square.value}, E||Z||^4 "
        f"= {fourth.value}: the squared bias is at most {upper}",
    )
    return {
        BIAS: Enclosed(lower, upper, steps),
        SQUARE: Derivation(square.value, square.steps),
        FOURTH: Derivation(fourth.value, fourth.steps),
    }


def _witness(statement: Statement, failed: Counterexample) -> str:
    named = {"lambda": "lam"}
    values = {named.get(k, k): v for k, v in failed.inputs.items() if k in ("r", "rho", "lambda")}
    return f"""import numpy as np

{inputs(values)}
# f(w) = lam w |w| / 2 at w = 0, where its slope is 0; the estimate is rho lam |z|^3 / (2 r) with
# z = sum_s tau_s u_s v_s
x, weight = np.polynomial.hermite_e.hermegauss(4)
second = r * (weight @ x**2 / weight.sum()) ** 3  # E z^2; E|z|^3 >= (E z^2)^(3/2)
claimed = {sp.pycode(failed.claimed)}
actual = (rho * lam / (2 * r)) ** 2 * second**3
print("claimed", float(claimed))
print("actual", float(actual))  # at least: a lower bound on the squared bias
z = np.prod(np.random.default_rng(0).standard_normal((3, 400_000, r)), axis=0).sum(axis=1)
print("simulated", float(np.mean(rho * lam * np.abs(z) ** 3 / (2 * r)) ** 2))
"""


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The mean at W = 0 of the loss above, by the recipe that trains; lambda = 1."""
    size, rho = 16, 0.5
    at = {M: size, N: size, R: size, RHO: sp.Rational(rho), LAM: 1}
    bound = float(sp.sqrt(statement.bound.subs(at)))
    second = rho**2 / 4 * float(entry6(size)) / size**2
    decide = partial(decide_at_most, method=Catoni(second), bound=bound)
    sampler = KinkEstimate(size, size, size, rho)
    return [Measurement(f"m=n=r={size} rho={rho}", sampler, decide, 30, 64)]


def entry6(r: int) -> int:
    """E Z_11^6: Z_11 is a sum of r independent products of three normals, symmetric about 0."""
    two, four, six = (scalar_moment(k) ** 3 for k in (2, 4, 6))
    pairs = r * (r - 1)
    return r * six + 15 * pairs * four * two + 15 * pairs * (r - 2) * two**3


@dataclass(frozen=True)
class KinkEstimate:
    """Entry (1, 1) of `tezo`'s estimate over r, of W_11 |W_11| / 2 at W = 0; a seed a sample."""

    m: int
    n: int
    r: int
    rho: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        import torch

        weight = torch.zeros(self.m, self.n, dtype=torch.float64, requires_grad=True)
        recipe = Recipe("tezo", (("rank", self.r), ("eps", self.rho)))
        optimizer = recipe.build([("W", weight)])

        def closure() -> torch.Tensor:
            return weight[0, 0] * weight[0, 0].abs() / 2

        found = estimates(optimizer, closure, rng.integers(SEEDS, size=size))
        return np.array([float(estimate["W"][0, 0]) for estimate in found]) / self.r


CLAIMS = (
    Claim(
        id="tezo.lemma1.unbiased",
        where="Lemma 1, first sentence",
        setting=Setting("any lambda-smooth loss of one m x n weight, fresh factors, any fixed rho"),
        statement=Statement(
            "For every lambda-smooth f and every fixed rho > 0, with fresh factors and the factor "
            "1/r, the two-point estimate has mean grad f(W).",
            sp.Le(BIAS, 0),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_bias, _witness), measured(_measure)),
        correction=Statement(
            "Its mean lies within rho lambda sqrt(E||Z||^2 E||Z||^4)/(2 r) of grad f(W), which "
            "vanishes with rho.",
            sp.Le(BIAS, (RHO * LAM / (2 * R)) ** 2 * SQUARE * FOURTH),
            SIZES,
            {SQUARE: matrices.mean(norm2).value, FOURTH: matrices.mean(norm4).value},
        ),
    ),
)
