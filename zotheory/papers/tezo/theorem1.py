"""Theorem 1: mean and variance of the linear TeZO estimate, and the steps of its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, derive
from proofs_check.matrices import G_NORM2, GH, M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.gram import gram_root
from zotheory.papers.tezo import terms
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

DELTA = 1 + M * N + 2 * M * N / R + 6 * (M + N) / R + 10 / R
SIZES = tuple(sp.Ge(size, 1, evaluate=False) for size in (M, N, R))

PHI = sp.Symbol("(f(W + rho Z) - f(W - rho Z)) / (2 rho) as rho -> 0")
ALONG_Z = sp.Symbol("<G, Z>", real=True)
RHO, F_PLUS, F_MINUS = sp.symbols("rho f_plus f_minus")

MEAN_ALONG_H = sp.Symbol("E <estimate, H>")
SQUARED_ERROR = sp.Symbol("E ||(1/r) <G,Z> Z - G||^2")
A7_B1, A8_B2 = sp.Symbol("E[A7 B1]"), sp.Symbol("E[A8 B2]")
DELTA_RATIO = sp.Symbol("lim delta/(m n)")
MEZO_ERROR = sp.Symbol("E ||<G,z> z - G||^2")


def _limit(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """The quotient's limit from the definition of differentiability alone."""
    plus, minus = sp.symbols("omega_plus omega_minus")
    expanded = {F_PLUS: RHO * (ALONG_Z + plus), F_MINUS: -RHO * (ALONG_Z + minus)}
    quotient = sp.cancel(statement.setting["quotient"].subs(expanded))
    limit = quotient.subs({plus: 0, minus: 0})
    steps = (
        "f(W +- rho Z) = f(W) +- rho (<G,Z> + omega_+-) with omega_+- -> 0: differentiability at W",
        f"the quotient, f(W) cancelling: {quotient}",
        f"its limit: {limit}" if not limit.has(RHO) else f"it has no limit: {limit}",
    )
    return {PHI: Derivation(limit if not limit.has(RHO) else sp.oo, steps)}


def _mean(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    found = matrices.mean(cp.squared_inner)
    return {
        MEAN_ALONG_H: Derivation(sp.expand(statement.setting["scale"] * found.value), found.steps)
    }


def _order(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """delta/(mn) in 1/m and 1/n, a polynomial, at 1/m = 1/n = 0; and MeZO's own variance."""
    a, b = sp.symbols("a b", positive=True)
    ratio = matrices.mean(terms.squared_error).value / (G_NORM2 * M * N)
    ratio = sp.expand(sp.cancel(ratio.subs({M: 1 / a, N: 1 / b})))
    if not ratio.is_polynomial(a, b):
        raise ArithmeticError(f"delta/(mn) does not converge: {ratio}")
    steps = (f"with m = 1/a, n = 1/b: delta/(mn) = {ratio}, a polynomial in a, b: let a, b -> 0",)
    return {DELTA_RATIO: Derivation(ratio.subs({a: 0, b: 0}), steps), MEZO_ERROR: _mezo()}


def _mezo() -> Derivation:
    """E ||<G,z>z - G||^2 for a dense Gaussian z."""
    z, g = Gaussian("z"), Fixed("G")
    i, j, a, b, c, d = (Index(x, size) for x, size in zip("ijabcd", [M, N] * 3, strict=True))
    inner, other = g[i, j] * z[i, j], g[a, b] * z[a, b]
    return derive(inner * other * z[c, d] * z[c, d] - 2 * inner * other + G_NORM2)


def _measure_mean(statement: Statement, _: Context) -> Sequence[Measurement]:
    m, n, r = 3, 4, 2
    square = sp.expand(matrices.mean(terms.squared_inner_given_factors_square).value)
    bound = matrices.bounded(square, m, n, r) * float(statement.setting["scale"].subs(R, r)) ** 2
    gradient = tuple((k + 1) / 10 for k in range(m * n))
    scale = float(sum(x * x for x in gradient))
    claimed = float(statement.formula.rhs.subs(R, r) / GH)  # times G
    decide = partial(
        decide_equal,
        method=Catoni(bound * scale),
        target=claimed * np.array(gradient),
        tolerance=0.05,
        scale=scale**0.5,
    )
    sampler = MeanAlong(m, n, r, gradient, float(statement.setting["scale"].subs(R, r)))
    return [Measurement(f"m={m} n={n} r={r}", sampler, decide, 2_000, 512)]


def _measure_variance(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Small sizes, where delta's small terms tell, and the size of a real layer."""
    points = [
        (1, 1, 1, (1,), 0.04, 20_000, 512),
        (2, 3, 2, (1,), 0.02, 20_000, 256),
        (5, 4, 3, (2, 1), 0.015, 10_000, 256),
        (4096, 4096, 64, (1, 1, 1, 1), 0.01, 250, 512),
    ]
    return [_measure_squared_error(*point) for point in points]


def _measure_squared_error(
    m: int,
    n: int,
    r: int,
    sigma: tuple[int, ...],
    tolerance: float,
    shard_size: int,
    max_shards: int,
) -> Measurement:
    norm2 = sum(s * s for s in sigma)
    variance = (
        matrices.at(matrices.variance(terms.squared_error_given_factors), m, n, r, sigma) / norm2**2
    )
    decide = partial(decide_equal, method=Catoni(float(variance)), tolerance=tolerance)
    sampler = Linear(m, n, r, tuple(float(s) for s in sigma))
    at = {M: m, N: n, R: r}
    point = {**at, G_NORM2: 1}
    return Measurement(at, sampler, decide, shard_size, max_shards, point=point)


def _scale_witness(statement: Statement, failed: Counterexample) -> str:
    values = {k: v for k, v in failed.inputs.items() if k in ("m", "n", "r")}
    return f"""import numpy as np

{inputs(values)}
# f(W) = c W_11, seen along H = e_1 e_1^T; w_s = tau_s u_s1 v_s1 has mean 0, so that
# E <G, Z> <Z, H> = c E (sum_s w_s)^2 = c sum_s E w_s^2
x, weight = np.polynomial.hermite_e.hermegauss(4)
second = weight @ x**2 / weight.sum()  # E tau^2 = E u^2 = E v^2
c = {failed.claimed}
claimed = c
actual = c * r * second**3
print("claimed", float(claimed))
print("actual", float(actual))
w = np.prod(np.random.default_rng(0).standard_normal((3, 400_000, r)), axis=0)
print("simulated", float(np.mean(c * w.sum(1) ** 2)))
"""


def _variance(name: sp.Symbol, quantity: matrices.Quantity):
    return exact(lambda _: {name: matrices.mean(quantity)})


CLAIMS = (
    Claim(
        id="tezo.spsa_limit",
        where="App. B.1, first display",
        setting=Setting("any differentiable loss of one m x n weight, rho -> 0"),
        statement=Statement(
            "For differentiable f, as rho -> 0 the two-point estimate "
            "(f(W+rho Z) - f(W-rho Z))/(2 rho) Z tends to <G, Z> Z.",
            sp.Eq(PHI, ALONG_Z),
            setting={"quotient": (F_PLUS - F_MINUS) / (2 * RHO)},
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_limit),),
        mutant=Statement(
            "The same of (f(W+rho Z) - f(W-rho Z))/rho Z.",
            sp.Eq(PHI, ALONG_Z),
            setting={"quotient": (F_PLUS - F_MINUS) / RHO},
        ),
    ),
    Claim(
        id="tezo.thm1.mean",
        where="Theorem 1, Eq. 9",
        setting=Setting(
            "any differentiable loss of one m x n weight, rho -> 0, expectation over fresh tau, "
            "u, v",
        ),
        statement=Statement(
            "With Z = sum_s tau_s u_s v_s^T and fresh Gaussian tau, u, v: E[(1/r) <G,Z> Z] = G, "
            "for all m, n, r >= 1.",
            sp.Eq(MEAN_ALONG_H, GH),
            SIZES,
            setting={"scale": 1 / R},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_mean), measured(_measure_mean)),
        mutant=Statement(
            "The same of (1/(r+1)) <G,Z> Z.",
            sp.Eq(MEAN_ALONG_H, GH),
            SIZES,
            setting={"scale": 1 / (R + 1)},
        ),
    ),
    Claim(
        id="tezo.alg1.scale",
        where="Algorithm 1, lines 11 and 19",
        setting=Setting(
            "Algorithm 1 as printed, any differentiable loss of one m x n weight, rho -> 0"
        ),
        statement=Statement(
            "With fresh Gaussian tau, u, v and rho -> 0, the G_t that Algorithm 1 prints for TeZO, "
            "sum_s kappa_t tau_s u_s v_s^T, has mean grad f, for all m, n, r >= 1.",
            sp.Eq(MEAN_ALONG_H, GH),
            SIZES,
            setting={"scale": sp.S.One},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_mean, _scale_witness), measured(_measure_mean)),
        correction=Statement(
            "It has mean r grad f. The factor 1/r of Theorem 1 is in no line of Algorithm 1.",
            sp.Eq(MEAN_ALONG_H, R * GH),
            SIZES,
            setting={"scale": sp.S.One},
        ),
    ),
    Claim(
        id="tezo.thm1.variance",
        where="Theorem 1, Eq. 9",
        setting=Setting(
            "any differentiable loss of one m x n weight, rho -> 0, expectation over fresh tau, "
            "u, v",
        ),
        statement=Statement(
            "E||(1/r)<G,Z>Z - G||^2 = delta ||G||^2 with "
            "delta = 1 + mn + 2mn/r + 6(m+n)/r + 10/r, for all m, n, r >= 1.",
            sp.Eq(SQUARED_ERROR, DELTA * G_NORM2),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(_variance(SQUARED_ERROR, terms.squared_error), measured(_measure_variance)),
        mutant=Statement(
            "The same with 12/r in place of 10/r.",
            sp.Eq(SQUARED_ERROR, (DELTA + 2 / R) * G_NORM2),
            SIZES,
        ),
    ),
    Claim(
        id="tezo.thm1.a7b1",
        where="App. B.1",
        setting=Setting("the proof's terms for one m x n weight, fresh tau, u, v"),
        statement=Statement(
            "E[A7 B1] = 2 r (r-1) ||G||^2.", sp.Eq(A7_B1, 2 * R * (R - 1) * G_NORM2), SIZES
        ),
        needs=(Kind.EXACT,),
        checks=(_variance(A7_B1, terms.a7_b1),),
        mutant=Statement("E[A7 B1] = 2 r^2 ||G||^2.", sp.Eq(A7_B1, 2 * R**2 * G_NORM2), SIZES),
    ),
    Claim(
        id="tezo.thm1.a8b2",
        where="App. B.1",
        setting=Setting("the proof's terms for one m x n weight, fresh tau, u, v"),
        statement=Statement(
            "E[A8 B2] = (mn r^2 + 2mn r + 6mr + 6nr + 12r) ||G||^2.",
            sp.Eq(A8_B2, (M * N * R**2 + 2 * M * N * R + 6 * M * R + 6 * N * R + 12 * R) * G_NORM2),
            SIZES,
        ),
        needs=(Kind.EXACT,),
        checks=(_variance(A8_B2, terms.a8_b2),),
        mutant=Statement(
            "The same with 10r in place of 12r.",
            sp.Eq(A8_B2, (M * N * R**2 + 2 * M * N * R + 6 * M * R + 6 * N * R + 10 * R) * G_NORM2),
            SIZES,
        ),
    ),
    Claim(
        id="tezo.remark1.order",
        where="Remark 1",
        setting=Setting("one m x n weight, fresh tau, u, v, at fixed r"),
        statement=Statement(
            "delta/(mn) -> 1 + 2/r as m, n -> infinity, where MeZO's own relative variance is "
            "mn + 1.",
            conjunction(sp.Eq(DELTA_RATIO, 1 + 2 / R), sp.Eq(MEZO_ERROR, (M * N + 1) * G_NORM2)),
            SIZES,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_order),),
        mutant=Statement(
            "delta/(mn) -> 1, the same limit as MeZO's.",
            conjunction(sp.Eq(DELTA_RATIO, 1), sp.Eq(MEZO_ERROR, (M * N + 1) * G_NORM2)),
            SIZES,
        ),
    ),
)


# Samplers of the linear estimate. G has the singular values `sigma` (all statistics below depend on
# G through them alone, since u and v are rotation invariant). With h_s = <G, u_s v_s^T>, A = U U^T,
# B = V V^T (r x r) and C = A o B,
#
#     <G, Z> = tau . h,   ||Z||^2 = tau^T C tau,
#
# so that the reduced sampler needs no m x r factors: it draws the r x k coordinates of the factors
# along the k singular pairs, and the rest of the Gram matrices as Wishart matrices (Bartlett).

_BATCH_FLOATS = 1 << 21  # floats held at once, so that batches stay in cache and memory is bounded


@dataclass(frozen=True)
class Linear:
    """||(1/r) <G, Z> Z - G||^2 / ||G||^2 on a linear loss, in expectation over tau given u, v.

    E_tau gives (||h||^2 tr C + 2 h^T C h) / r^2 - 2 ||h||^2 / r + ||G||^2 (TeZO, Theorem 1).
    `dense` draws the full m x r factors instead of Gram matrices: the definition, for small sizes.
    """

    m: int
    n: int
    r: int
    sigma: tuple[float, ...] = (1.0,)
    dense: bool = False

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.r) < 1:
            raise ValueError(f"m, n, r must be at least 1, got {self.m}, {self.n}, {self.r}")
        if not self.sigma or len(self.sigma) > min(self.m, self.n):
            raise ValueError(f"G needs 1 to {min(self.m, self.n)} singular values")

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        batch = max(1, _BATCH_FLOATS // (self.r * (self.r + len(self.sigma))))
        parts = [self._draw(rng, min(batch, size - done)) for done in range(0, size, batch)]
        return np.concatenate(parts)

    def _draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        left, right = (self._root(rng, size, d) for d in (self.m, self.n))
        sigma = np.asarray(self.sigma)
        k = len(sigma)
        h = np.einsum("bsk,k,bsk->bs", left[:, :, :k], sigma, right[:, :, :k])
        trace = np.einsum("bsi,bsi,bsj,bsj->b", left, left, right, right, optimize=True)
        mixed = np.matmul((left * h[:, :, None]).transpose(0, 2, 1), right)
        quartic = np.einsum("bij,bij->b", mixed, mixed)
        h2, g2 = np.einsum("bs,bs->b", h, h), float(sigma @ sigma)
        return ((h2 * trace + 2 * quartic) / self.r**2 - 2 * h2 / self.r + g2) / g2

    def _root(self, rng: np.random.Generator, size: int, dimension: int) -> np.ndarray:
        along = rng.standard_normal((size, self.r, dimension if self.dense else len(self.sigma)))
        return along if self.dense else gram_root(rng, size, along, dimension)


@dataclass(frozen=True)
class MeanAlong:
    """The estimate scale * <G, Z> Z itself, in expectation over tau: m n columns.

    `gradient` lists G row by row. E_tau[<G, Z> Z] = sum_s h_s u_s v_s^T.
    """

    m: int
    n: int
    r: int
    gradient: tuple[float, ...]
    scale: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, m n)."""
        u = rng.standard_normal((size, self.r, self.m))
        v = rng.standard_normal((size, self.r, self.n))
        gradient = np.reshape(self.gradient, (self.m, self.n))
        h = np.einsum("bsi,ij,bsj->bs", u, gradient, v, optimize=True)
        mean = np.matmul((u * h[:, :, None]).transpose(0, 2, 1), v)
        return self.scale * mean.reshape(size, -1)
