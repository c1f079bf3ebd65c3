"""The quantities in TeZO's proofs, each written out as in the paper's sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from proofs_check.cp import TAU, U, V, estimate_norm2, inner, norm2, projection
from proofs_check.gaussian import Distinct, Fixed, Index, TensorSum, contraction
from proofs_check.matrices import G_NORM2, G, H, M, N, R, indices

W = Fixed("w")
STEPS = sp.Symbol("T", integer=True, positive=True)


def squared_inner_given_factors_square() -> tuple[TensorSum, Distinct]:
    """(sum_s <G, u_s v_s^T><H, u_s v_s^T>)^2: the square of E_tau[<G, Z><H, Z>]."""

    def once() -> TensorSum:
        s, (a, b) = Index("s", R), indices()
        return projection(s) * H[a, b] * U[s, a] * V[s, b]

    return once() * once(), ()


def squared_error() -> tuple[TensorSum, Distinct]:
    """||(1/r) <G, Z> Z - G||^2 (TeZO, Theorem 1)."""
    squared, _ = estimate_norm2()
    return squared * R**-2 - 2 / R * inner(G) * inner(G) + G_NORM2, ()


def squared_error_given_factors() -> tuple[TensorSum, Distinct]:
    """The squared error of Theorem 1 in expectation over tau: what `Linear` samples.

    With h_s = <G, u_s v_s^T> and C_st = (u_s . u_t)(v_s . v_t), Isserlis over tau gives
    E_tau[<G, Z>^2 ||Z||^2] = ||h||^2 tr C + 2 h^T C h and E_tau <G, Z>^2 = ||h||^2.
    """
    p, a, b = Index("p", R), Index("a", M), Index("b", N)
    trace = U[p, a] * U[p, a] * V[p, b] * V[p, b]
    s, t, (c, d) = Index("s", R), Index("t", R), indices()
    overlap = U[s, c] * U[t, c] * V[s, d] * V[t, d]
    squared = _projections2() * trace + 2 * projection(s) * overlap * projection(t)
    return squared * R**-2 - 2 / R * _projections2() + G_NORM2, ()


def _projections2() -> TensorSum:
    s = Index("s", R)
    return projection(s) * projection(s)


def a7_b1() -> tuple[TensorSum, Distinct]:
    """A7 B1 of TeZO, App. B.1: both sums run over s != s'."""
    (s, t), (p, q) = (Index("s", R), Index("t", R)), (Index("p", R), Index("q", R))
    (i, j), (a, b) = indices(), indices()
    a7 = G[i, j] * G[i, j] * TAU[s] * TAU[t] * U[s, i] * U[t, i] * V[s, j] * V[t, j]
    b1 = TAU[p] * TAU[q] * U[p, a] * U[q, a] * V[p, b] * V[q, b]
    return a7 * b1, ((s, t), (p, q))


def a8_b2() -> tuple[TensorSum, Distinct]:
    """A8 B2 of TeZO, App. B.1: the diagonal sums s = s'."""
    (s, p), (i, j), (a, b) = (Index("s", R), Index("p", R)), indices(), indices()
    a8 = G[i, j] * G[i, j] * TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j]
    b2 = TAU[p] * TAU[p] * U[p, a] * U[p, a] * V[p, b] * V[p, b]
    return a8 * b2, ()


def factor_norms_cubed() -> tuple[TensorSum, Distinct]:
    """(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3 (TeZO, App. B.2)."""

    def once() -> TensorSum:
        s, (i, j) = Index("s", R), indices()
        return TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j]

    return once() * once() * once(), ()


def norm6() -> tuple[TensorSum, Distinct]:
    """||Z||^6."""
    return norm2() * norm2() * norm2(), ()


def cross_entry() -> tuple[TensorSum, Distinct]:
    """sum_{p != q} tau_p tau_q u_pi u_qi v_pj v_qj seen along a test matrix H (TeZO, Eq. 8)."""
    (p, q), (i, j) = (Index("p", R), Index("q", R)), indices()
    entries = TAU[p] * TAU[q] * U[p, i] * U[q, i] * V[p, j] * V[q, j]
    return H[i, j] * entries, ((p, q),)


def weighted_cross_entry() -> tuple[TensorSum, Distinct]:
    """The same with its factor kappa^2, kappa = <G, Z> on a linear loss."""
    total, distinct = cross_entry()
    return inner(G) * inner(G) * total, distinct


def separable_sum() -> tuple[TensorSum, Distinct]:
    """sum_ij sum_s tau_s^2 u_si^2 v_sj^2: the separable term summed over coordinates."""
    s, (i, j) = Index("s", R), indices()
    return TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j], ()


def cross_sum_square_given_factors() -> tuple[TensorSum, Distinct]:
    """E_tau (sum_ij cross_ij)^2 = 2 sum_{p != q} (u_p . u_q)^2 (v_p . v_q)^2."""
    (p, q), (i, j), (a, b) = (Index("p", R), Index("q", R)), indices(), indices()
    once = U[p, i] * U[q, i] * V[p, j] * V[q, j]
    return 2 * once * U[p, a] * U[q, a] * V[p, b] * V[q, b], ((p, q),)


def cross_square_given_sizes() -> tuple[TensorSum, Distinct]:
    """The square of the cross term at one coordinate, in expectation over signs.

    2 sum_{p != q} tau_p^2 tau_q^2 u_p^2 u_q^2 v_p^2 v_q^2, where u_p and v_p are one row's entries.
    """
    p, q = Index("p", R), Index("q", R)
    once = TAU[p] * TAU[q] * U[p] * U[q] * V[p] * V[q]
    return 2 * once * once, ((p, q),)


def accumulated_error(i: Index, j: Index) -> tuple[TensorSum, Distinct]:
    """(V_T - Vhat_T)_ij = sum_t w_t sum_{p != q} tau_tp tau_tq u_pi u_qi v_pj v_qj (Fig. 8).

    Frozen u, v; w_t = (1 - beta2) beta2^(T - t).
    """
    t, p, q = Index("t", STEPS), Index("p", R), Index("q", R)
    entries = U[p, i] * U[q, i] * V[p, j] * V[q, j]
    return W[t] * TAU[t, p] * TAU[t, q] * entries, ((p, q),)


def accumulated_sum_square() -> tuple[TensorSum, Distinct]:
    """(sum_ij (V_T - Vhat_T)_ij)^2."""
    (a, da), (b, db) = (accumulated_error(*indices()) for _ in range(2))
    return a * b, (*da, *db)


def accumulated_square_sum() -> tuple[TensorSum, Distinct]:
    """sum_ij (V_T - Vhat_T)_ij^2."""
    i, j = indices()
    (a, da), (b, db) = (accumulated_error(i, j) for _ in range(2))
    return a * b, (*da, *db)


def weighted(weights: Sequence[sp.Expr]) -> Mapping[sp.Expr, sp.Expr]:
    """The contractions of w, for `matrices.at`, where w has these entries."""
    t = Index("t", STEPS)
    return {
        contraction(W[t] * W[t]): sum(w**2 for w in weights),
        contraction(W[t] * W[t] * W[t] * W[t]): sum(w**4 for w in weights),
    }
