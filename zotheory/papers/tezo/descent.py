"""TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, exactly (TeZO, Theorem 2 and App. B.2).

The gradient is G = W - W*, smoothness is 1, and the two-point estimate is <G, Z> Z for every
perturbation size. With Theorem 1's normalisation a step reads G <- G - (eta/r) <G, Z> Z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Derivation, derive
from proofs_check.inequalities import Proved, decide
from proofs_check.matrices import G_NORM2, M, N, R
from proofs_check.tensors import Index
from zotheory.papers.tezo import terms

ETA = sp.Symbol("eta", positive=True)
HORIZON = sp.Symbol("T", integer=True, positive=True)


def delta() -> sp.Expr:
    """Theorem 1's delta out of the engine: E||(1/r)<G,Z>Z - G||^2 = delta ||G||^2."""
    return sp.expand(matrices.mean(terms.squared_error).value / G_NORM2)


def contraction_factor() -> Derivation:
    """E||G_{t+1}||^2 / ||G_t||^2, factors redrawn at every step: 1 - 2 eta + eta^2 (delta + 1)."""
    inner = matrices.mean(cp.squared_inner).value.subs(matrices.GH, G_NORM2) / (R * G_NORM2)
    square = matrices.mean(cp.estimate_norm2).value / (R**2 * G_NORM2)
    factor = 1 - 2 * ETA * sp.expand(inner) + ETA**2 * sp.expand(square)
    steps = (
        "||G - (eta/r) <G,Z> Z||^2 = ||G||^2 - 2 (eta/r) <G,Z>^2 + (eta/r)^2 <G,Z>^2 ||Z||^2",
        f"E <G,Z>^2 / r = {sp.expand(inner)} ||G||^2; E <G,Z>^2 ||Z||^2 / r^2 = delta + 1 times",
        f"E||G_(t+1)||^2 = q E||G_t||^2 with q = {factor}",
    )
    return Derivation(factor, steps)


def redrawn_limit() -> Derivation:
    """lim E||G_T||^2 for 0 < eta <= 1/(delta + 1), factors redrawn: 0 if q < 1 there.

    Raises ArithmeticError if q < 1 is not proved for all m, n, r >= 1.
    """
    factor = contraction_factor()
    gap = sp.Symbol("D", positive=True)  # D stands for delta + 1, which is positive
    q = 1 - 2 * ETA + ETA**2 * gap
    below = decide(q, 1, (1 / gap >= ETA,), strict=True)
    if sp.expand(factor.value - q.subs(gap, delta() + 1)) != 0 or not isinstance(below, Proved):
        raise ArithmeticError(f"no contraction: {factor.value}, {below}")
    steps = (*factor.steps, "q < 1 for 0 < eta <= 1/(delta+1):", *below.steps, "so q^T -> 0")
    return Derivation(sp.S.Zero, steps)


def frozen_floor() -> Derivation:
    """The mean over factors of what is left of ||G_0||^2 however long Algorithm 1 runs, r <= mn.

    The steps are a proof for all sizes; the dimension of the span and the symmetry argument's
    premise are computed, not assumed.
    """
    share = sp.cancel(span_dimension() / (M * N))
    steps = (
        "every step adds a multiple of Z_t in S = span{u_s v_s^T}: G_t - G_0 is in S for all t",
        "so (I - P) G_t = (I - P) G_0 for the orthogonal projection P onto S, and "
        "||G_t||^2 >= ||(I - P) G_0||^2, with equality in the limit for step sizes that contract "
        "on S: eta < 2 r / (tr C + 2 lambda_max(C)), C_st = (u_s.u_t)(v_s.v_t)",
        f"dim S = {span_dimension()} almost surely for r <= mn: the r x r minors of the matrix of "
        "the u_s v_s^T are polynomials in the entries, one is not zero where u_s v_s^T = e_i e_j^T "
        "for r different (i, j)",
        "E P = c I: signs of single rows and columns of u, v leave their law unchanged, so "
        "E P_(ij)(kl) = 0 unless (i,j) = (k,l); permutations make the diagonal constant",
        f"c = E tr P / (mn) = {share}",
        f"E||(I - P) G_0||^2 = (1 - {share}) ||G_0||^2",
    )
    return Derivation((1 - share) * G_NORM2, steps)


@cache
def span_dimension() -> sp.Expr:
    """dim span{u_s v_s^T : s <= r} for generic factors with r <= mn.

    Checked where it could fail: for every m, n <= 3 and r <= mn the r matrices e_i e_j^T for
    different (i, j), which are values of u_s v_s^T, have rank r, so some r x r minor is a
    polynomial that does not vanish identically. The same holds at any size, since r different
    e_i e_j^T are part of a basis. Raises ArithmeticError otherwise.
    """
    for m in range(1, 4):
        for n in range(1, 4):
            units = [
                sp.Matrix(m, n, lambda a, b, i=i, j=j: int((a, b) == (i, j)))
                for i in range(m)
                for j in range(n)
            ]
            for r in range(1, m * n + 1):
                if sp.Matrix([list(unit) for unit in units[:r]]).rank() != r:
                    raise ArithmeticError(f"rank below {r} at m = {m}, n = {n}")
    return R


def averaged_defect() -> tuple[sp.Expr, sp.Expr]:
    """First-order-in-eta terms of E<G_1, estimate_1> and of E||G_1||^2, factors drawn once.

    Averaged over the factors as well, the two agree at t = 0. After one step they are
    ||G_0||^2 + eta a + O(eta^2) and ||G_0||^2 + eta b + O(eta^2); returns (a, b).
    With h_s = <G_0, u_s v_s^T>, E<G_1, estimate_1> = E||h_1||^2 / r with
    h_1 = h - (eta/r)(tau.h) C tau, so a = -(2/r^2) E h^T C h; b = -(2/r) E||h||^2.
    """
    s, t, (c, d) = Index("s", R), Index("t", R), (Index("c", M), Index("d", N))
    overlap = cp.U[s, c] * cp.U[t, c] * cp.V[s, d] * cp.V[t, d]
    mixed = derive(cp.projection(s) * overlap * cp.projection(t)).value
    square = derive(cp.projection(p := Index("p", R)) * cp.projection(p)).value
    return sp.expand(-2 * mixed / R**2), sp.expand(-2 * square / R)


@cache
def fourth_factor() -> sp.Expr:
    """E||G_{t+1}||^4 for factors redrawn at every step, in contractions of G_t.

    ||G_{t+1}||^4 = (||G||^2 - 2 (eta/r) k^2 + (eta/r)^2 k^2 ||Z||^2)^2 with k = <G, Z>.
    """
    k2 = [cp.inner(matrices.G) * cp.inner(matrices.G) for _ in range(2)]
    z2 = [cp.norm2() for _ in range(2)]
    step = ETA / R
    terms = (
        (G_NORM2**2, None),
        (-4 * step * G_NORM2, k2[0]),
        (4 * step**2, k2[0] * k2[1]),
        (2 * step**2 * G_NORM2, k2[0] * z2[0]),
        (-4 * step**3, k2[0] * k2[1] * z2[0]),
        (step**4, k2[0] * k2[1] * z2[0] * z2[1]),
    )
    return sp.expand(sum(c * (1 if q is None else derive(q).value) for c, q in terms))


def mean_square_bound(m: int, n: int, r: int, eta: sp.Expr, horizon: int) -> float:
    """A bound on E((1/T) sum_{t<T} ||G_t||^2 / ||G_0||^2)^2, factors redrawn, any G_0.

    E||G_{t+1}||^4 <= c ||G_t||^4 with c the largest value of `fourth_factor` over the possible
    spectra of G_t: it is linear in tr((G G^T)^2) / ||G||^4, which lies in [1/min(m, n), 1].
    Minkowski's inequality sums over t.
    """
    flat = [sp.S.One / sp.sqrt(min(m, n))] * min(m, n)
    factor = fourth_factor().subs(ETA, eta)
    c = max(float(matrices.at(factor, m, n, r, sigma)) for sigma in ([1], flat))
    return (sum(c ** (t / 2) for t in range(horizon)) / horizon) ** 2


# Samplers of TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, where the gradient is W - W* itself.
#
# On a quadratic the two-point estimate is <G, Z> Z exactly, for every perturbation size. With the
# normalisation 1/r of Theorem 1 a step is G <- G - (eta / r) <G, Z> Z. Given factors, with
# h = (<G, u_s v_s^T>)_s and C_st = (u_s . u_t)(v_s . v_t), everything about ||G_t||^2 follows from
#
#     k = tau . h,   ||G||^2 <- ||G||^2 - 2 (eta/r) k^2 + (eta/r)^2 k^2 tau^T C tau,
#     h <- h - (eta/r) k C tau.


def _factors(
    rng: np.random.Generator, size: int, m: int, n: int, r: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u (size, r, m), v (size, r, n), C (size, r, r), and h for G = e_1 e_1^T (size, r)."""
    u, v = rng.standard_normal((size, r, m)), rng.standard_normal((size, r, n))
    gram = (u @ u.transpose(0, 2, 1)) * (v @ v.transpose(0, 2, 1))
    return u, v, gram, u[:, :, 0] * v[:, :, 0]


@dataclass(frozen=True)
class FrozenDescent:
    """||G_T||^2 / ||G_0||^2, capped at 1, after T steps with factors drawn once.

    The step is eta = r / (tr C + 2 lambda_max(C)), for which the part of G within the span of the
    u_s v_s^T contracts in mean square whatever the factors are. G_0 = e_1 e_1^T. The cap keeps
    the statistic within [0, 1]; it can only lower the mean.
    """

    m: int
    n: int
    r: int
    steps: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        _, _, gram, h = _factors(rng, size, self.m, self.n, self.r)
        step = 1.0 / (np.trace(gram, axis1=1, axis2=2) + 2 * np.linalg.eigvalsh(gram)[:, -1])
        norm2 = np.ones(size)
        for _ in range(self.steps):
            tau = rng.standard_normal((size, self.r))
            spread = np.einsum("bst,bt->bs", gram, tau)
            moved = step * np.einsum("bs,bs->b", tau, h)
            norm2 += moved**2 * (np.einsum("bs,bs->b", tau, spread) - 2 / step)
            h -= moved[:, None] * spread
        return np.clip(norm2, 0.0, 1.0)


def _redrawn(
    rng: np.random.Generator, size: int, m: int, n: int, r: int | None, eta: float
) -> Iterator[np.ndarray]:
    """||G_t||^2 for t = 0, 1, ..., G_0 = e_1 e_1^T, Z drawn anew in every step.

    Z has rank r, its factors redrawn with tau, and the step is eta/r; r = None: iid normal entries.
    """
    gradient = np.zeros((size, m, n))
    gradient[:, 0, 0] = 1.0
    step = eta / (1 if r is None else r)
    while True:
        yield np.einsum("bij,bij->b", gradient, gradient)
        z = rng.standard_normal((size, m, n)) if r is None else _cp(rng, size, m, n, r)
        gradient -= step * np.einsum("bij,bij->b", gradient, z)[:, None, None] * z


def _cp(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    tau = rng.standard_normal((size, 1, r))
    u, v = (rng.standard_normal((size, d, r)) for d in (m, n))
    return (u * tau) @ v.transpose(0, 2, 1)


@dataclass(frozen=True)
class ResampledDescent:
    """(1/T) sum_{t<T} ||G_t||^2 / ||G_0||^2 for each T of `horizons`, factors always redrawn."""

    m: int
    n: int
    r: int
    eta: float
    horizons: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of horizons)."""
        total, columns = np.zeros(size), {}
        squares = _redrawn(rng, size, self.m, self.n, self.r, self.eta)
        for t, square in zip(range(1, max(self.horizons) + 1), squares, strict=False):
            total += square
            columns[t] = total / t
        return np.stack([columns[t] for t in self.horizons], axis=1)


@dataclass(frozen=True)
class RedrawnDescent:
    """||G_T||^2 / ||G_0||^2 for each T of `horizons`, Z drawn anew in every step.

    r: the rank of TeZO's Z; None for MeZO's, of iid normal entries.
    """

    m: int
    n: int
    r: int | None
    eta: float
    horizons: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of horizons)."""
        squares = _redrawn(rng, size, self.m, self.n, self.r, self.eta)
        found = [next(squares) for _ in range(max(self.horizons) + 1)]
        return np.stack([found[t] for t in self.horizons], axis=1)


@dataclass(frozen=True)
class ConditionalDescent:
    """<grad f(W_t), (1/r) estimate> / ||grad f(W_t)||^2 over fresh tau at one iterate W_t.

    `h` is (<G, u_s v_s^T>)_s at that iterate for frozen factors, with ||G|| = 1; None draws the
    factors anew with every sample, for an m x n gradient e_1 e_1^T.
    """

    r: int
    h: tuple[float, ...] | None

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        tau = rng.standard_normal((size, self.r))
        h = np.prod(rng.standard_normal((2, size, self.r)), axis=0) if self.h is None else self.h
        return (tau * np.asarray(h)).sum(axis=1) ** 2 / self.r


def frozen_projections(
    rng: np.random.Generator, m: int, n: int, r: int, steps: int
) -> tuple[float, ...]:
    """h of `ConditionalDescent` after `steps` steps of Algorithm 1 with factors drawn once."""
    u, v, (gram,), _ = _factors(rng, 1, m, n, r)
    directions = np.einsum("si,sj->sij", u[0], v[0]).reshape(r, m * n)
    step = 1.0 / (np.trace(gram) + 2 * np.linalg.eigvalsh(gram)[-1])
    gradient = np.zeros(m * n)
    gradient[0] = 1.0
    for _ in range(steps):
        z = rng.standard_normal(r) @ directions
        gradient -= step * (gradient @ z) * z
    return tuple(float(x) for x in directions @ gradient / np.linalg.norm(gradient))
