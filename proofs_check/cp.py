"""The CP perturbation of TeZO and its linear estimate, in the notation of the exact engine.

    Z = sum_{s=1}^r tau_s u_s v_s^T  (m x n),   tau in R^r, u in R^{r x m}, v in R^{r x n},

all entries iid N(0, 1) (TeZO, Eq. 3 and Algorithm 1). In the limit of a small perturbation the
two-point estimate of a gradient G is <G, Z> Z (App. B.1), normalised by 1/r in Theorem 1.
"""

from __future__ import annotations

from proofs_check.gaussian import Distinct, Fixed, Gaussian, Index, TensorSum
from proofs_check.matrices import G, H, R, indices

TAU, U, V = Gaussian("tau"), Gaussian("u"), Gaussian("v")


def entry(i: Index, j: Index) -> TensorSum:
    """Z_ij = sum_s tau_s u_si v_sj."""
    s = Index("s", R)
    return TAU[s] * U[s, i] * V[s, j]


def inner(fixed: Fixed) -> TensorSum:
    """<X, Z> for a fixed m x n matrix X."""
    i, j = indices()
    return fixed[i, j] * entry(i, j)


def norm2() -> TensorSum:
    """||Z||^2."""
    i, j = indices()
    return entry(i, j) * entry(i, j)


def squared_inner() -> tuple[TensorSum, Distinct]:
    """<G, Z><H, Z> for two fixed matrices: the linear estimate of G, seen along H."""
    return inner(G) * inner(H), ()


def fourth_inner() -> tuple[TensorSum, Distinct]:
    """<G, Z>^4."""
    return inner(G) * inner(G) * inner(G) * inner(G), ()


def estimate_norm2() -> tuple[TensorSum, Distinct]:
    """||<G, Z> Z||^2 = <G, Z>^2 ||Z||^2."""
    return inner(G) * inner(G) * norm2(), ()


def projection(s: Index) -> TensorSum:
    """h_s = <G, u_s v_s^T>."""
    i, j = indices()
    return G[i, j] * U[s, i] * V[s, j]
