"""TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, exactly (TeZO, Theorem 2 and App. B.2).

The gradient is G = W - W*, smoothness is 1, and the two-point estimate is <G, Z> Z for every
perturbation size. With Theorem 1's normalisation a step reads G <- G - (eta/r) <G, Z> Z.
"""

from __future__ import annotations

from functools import cache

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
