"""The CP perturbation of TeZO and its linear estimate, in the notation of the exact engine.

    Z = sum_{s=1}^r tau_s u_s v_s^T  (m x n),   tau in R^r, u in R^{r x m}, v in R^{r x n},

all entries iid N(0, 1) (TeZO, Eq. 3 and Algorithm 1). In the limit of a small perturbation the
two-point estimate of a gradient G is <G, Z> Z (App. B.1), normalised by 1/r in Theorem 1.
Every quantity below is a sum of products of entries, with the pairs of indices that must differ:
the definition, not its expectation. A `Quantity` is a function, so that each call has its own
indices and two calls can be multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import sympy as sp

from proofs_check.gaussian import (
    Derivation,
    Distinct,
    Fixed,
    Gaussian,
    Index,
    TensorSum,
    contraction,
    derive,
)

Quantity = Callable[[], tuple[TensorSum, Distinct]]

M, N, R = sp.symbols("m n r", integer=True, positive=True)
TAU, U, V = Gaussian("tau"), Gaussian("u"), Gaussian("v")
G, H, W = Fixed("G"), Fixed("H"), Fixed("w")
STEPS = sp.Symbol("T", integer=True, positive=True)


def _indices() -> tuple[Index, Index]:
    return Index("i", M), Index("j", N)


G_NORM2 = contraction(*(G[i, j] * G[i, j] for i, j in [_indices()]))
GH = contraction(*(G[i, j] * H[i, j] for i, j in [_indices()]))


def entry(i: Index, j: Index) -> TensorSum:
    """Z_ij = sum_s tau_s u_si v_sj."""
    s = Index("s", R)
    return TAU[s] * U[s, i] * V[s, j]


def inner(fixed: Fixed) -> TensorSum:
    """<X, Z> for a fixed m x n matrix X."""
    i, j = _indices()
    return fixed[i, j] * entry(i, j)


def norm2() -> TensorSum:
    """||Z||^2."""
    i, j = _indices()
    return entry(i, j) * entry(i, j)


def squared_inner() -> tuple[TensorSum, Distinct]:
    """<G, Z><H, Z> for two fixed matrices: the linear estimate of G, seen along H."""
    return inner(G) * inner(H), ()


def fourth_inner() -> tuple[TensorSum, Distinct]:
    """<G, Z>^4."""
    return inner(G) * inner(G) * inner(G) * inner(G), ()


def squared_inner_given_factors_square() -> tuple[TensorSum, Distinct]:
    """(sum_s <G, u_s v_s^T><H, u_s v_s^T>)^2: the square of E_tau[<G, Z><H, Z>]."""

    def once() -> TensorSum:
        s, (a, b) = Index("s", R), _indices()
        return projection(s) * H[a, b] * U[s, a] * V[s, b]

    return once() * once(), ()


def estimate_norm2() -> tuple[TensorSum, Distinct]:
    """||<G, Z> Z||^2 = <G, Z>^2 ||Z||^2."""
    return inner(G) * inner(G) * norm2(), ()


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
    s, t, (c, d) = Index("s", R), Index("t", R), _indices()
    overlap = U[s, c] * U[t, c] * V[s, d] * V[t, d]
    squared = _projections2() * trace + 2 * projection(s) * overlap * projection(t)
    return squared * R**-2 - 2 / R * _projections2() + G_NORM2, ()


def projection(s: Index) -> TensorSum:
    """h_s = <G, u_s v_s^T>."""
    i, j = _indices()
    return G[i, j] * U[s, i] * V[s, j]


def _projections2() -> TensorSum:
    s = Index("s", R)
    return projection(s) * projection(s)


def a7_b1() -> tuple[TensorSum, Distinct]:
    """A7 B1 of TeZO, App. B.1: both sums run over s != s'."""
    (s, t), (p, q) = (Index("s", R), Index("t", R)), (Index("p", R), Index("q", R))
    (i, j), (a, b) = _indices(), _indices()
    a7 = G[i, j] * G[i, j] * TAU[s] * TAU[t] * U[s, i] * U[t, i] * V[s, j] * V[t, j]
    b1 = TAU[p] * TAU[q] * U[p, a] * U[q, a] * V[p, b] * V[q, b]
    return a7 * b1, ((s, t), (p, q))


def a8_b2() -> tuple[TensorSum, Distinct]:
    """A8 B2 of TeZO, App. B.1: the diagonal sums s = s'."""
    (s, p), (i, j), (a, b) = (Index("s", R), Index("p", R)), _indices(), _indices()
    a8 = G[i, j] * G[i, j] * TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j]
    b2 = TAU[p] * TAU[p] * U[p, a] * U[p, a] * V[p, b] * V[p, b]
    return a8 * b2, ()


def factor_norms_cubed() -> tuple[TensorSum, Distinct]:
    """(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3 (TeZO, App. B.2)."""

    def once() -> TensorSum:
        s, (i, j) = Index("s", R), _indices()
        return TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j]

    return once() * once() * once(), ()


def norm6() -> tuple[TensorSum, Distinct]:
    """||Z||^6."""
    return norm2() * norm2() * norm2(), ()


def cross_entry() -> tuple[TensorSum, Distinct]:
    """sum_{p != q} tau_p tau_q u_pi u_qi v_pj v_qj seen along a test matrix H (TeZO, Eq. 8)."""
    (p, q), (i, j) = (Index("p", R), Index("q", R)), _indices()
    entries = TAU[p] * TAU[q] * U[p, i] * U[q, i] * V[p, j] * V[q, j]
    return H[i, j] * entries, ((p, q),)


def weighted_cross_entry() -> tuple[TensorSum, Distinct]:
    """The same with its factor kappa^2, kappa = <G, Z> on a linear loss."""
    total, distinct = cross_entry()
    return inner(G) * inner(G) * total, distinct


def separable_sum() -> tuple[TensorSum, Distinct]:
    """sum_ij sum_s tau_s^2 u_si^2 v_sj^2: the separable term summed over coordinates."""
    s, (i, j) = Index("s", R), _indices()
    return TAU[s] * TAU[s] * U[s, i] * U[s, i] * V[s, j] * V[s, j], ()


def cross_sum_square_given_factors() -> tuple[TensorSum, Distinct]:
    """E_tau (sum_ij cross_ij)^2 = 2 sum_{p != q} (u_p . u_q)^2 (v_p . v_q)^2."""
    (p, q), (i, j), (a, b) = (Index("p", R), Index("q", R)), _indices(), _indices()
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
    (a, da), (b, db) = (accumulated_error(*_indices()) for _ in range(2))
    return a * b, (*da, *db)


def accumulated_square_sum() -> tuple[TensorSum, Distinct]:
    """sum_ij (V_T - Vhat_T)_ij^2."""
    i, j = _indices()
    (a, da), (b, db) = (accumulated_error(i, j) for _ in range(2))
    return a * b, (*da, *db)


def bounded(expression: sp.Expr, m: int, n: int, r: int) -> float:
    """An upper bound on a sum of contractions with nonnegative coefficients, ||G|| = ||H|| = 1.

    Every contraction in which each matrix occurs within traces is at most the product of the
    norms (Cauchy-Schwarz). Raises ValueError for a negative coefficient.
    """
    sized = sp.expand(expression.subs({M: m, N: n, R: r}))
    if any(term.as_coeff_Mul()[0] < 0 for term in sp.Add.make_args(sized)):
        raise ValueError("a bound needs nonnegative coefficients")
    return float(sized.subs(dict.fromkeys(sized.free_symbols, 1)))


@cache
def mean(quantity: Quantity) -> Derivation:
    """E of a quantity, with the derivation's steps."""
    total, distinct = quantity()
    return derive(total, distinct=distinct)


@cache
def variance(quantity: Quantity) -> sp.Expr:
    """Var of a quantity, exactly, as an expression in the dimensions and contractions."""
    (a, first), (b, second) = quantity(), quantity()
    square = derive(a, b, distinct=(*first, *second)).value
    return sp.expand(square - mean(quantity).value ** 2)


def at(
    expression: sp.Expr,
    m: int,
    n: int,
    r: int,
    sigma: Sequence[sp.Expr | int] = (1,),
    weights: Sequence[sp.Expr] = (),
) -> sp.Expr:
    """An expression's value where G has the singular values `sigma` and w the entries `weights`.

    Raises ValueError if a contraction remains that these do not determine.
    """
    i, j, t = Index("i", M), Index("j", N), Index("t", STEPS)
    a, b = _indices()
    word = G[i, j] * G[a, j] * G[a, b] * G[i, b]
    known = {
        M: m,
        N: n,
        R: r,
        G_NORM2: sum(s**2 for s in sigma),
        contraction(word): sum(s**4 for s in sigma),
        contraction(W[t] * W[t]): sum(w**2 for w in weights),
        contraction(W[t] * W[t] * W[t] * W[t]): sum(w**4 for w in weights),
    }
    value = expression.subs(known)
    if value.free_symbols:
        raise ValueError(f"not determined: {sorted(map(str, value.free_symbols))}")
    return value
