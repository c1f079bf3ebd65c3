"""Card of the low-rank perturbation Z = U V^T (LOZO)."""

from __future__ import annotations

from functools import cache

import sympy as sp

from proofs_check.cards.card import Card, M, N, R, count
from proofs_check.cards.dense import LINEAR, ONE_TENSOR
from proofs_check.cards.estimate import moments, multiple
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.gaussian import Gaussian, Index, TensorSum, derive
from proofs_check.matrices import G_NORM2, G

U, V = Gaussian("U"), Gaussian("V")


def low_rank(m: sp.Expr | int = M, n: sp.Expr | int = N, r: sp.Expr | int = R) -> Card:
    """U (m x r) and V (n x r) Gaussian (LOZO), averaged over V.

    V redrawn and V kept have the same mean and relative variance at one step; with V kept
    `basis_variance` of it stays. For a given V see `low_rank_given`.
    """
    return _low_rank().at(m=count("m", m), n=count("n", n), r=count("r", r))


@cache
def _low_rank() -> Card:
    found = moments(_entry)
    kept = derive(_projected_norm2())
    basis = sp.expand(multiple(kept.value, G_NORM2) / found.scale**2 - 1)
    factors = {"U": Factor(("m", "r"), "Gaussian"), "V": Factor(("n", "r"), "Gaussian")}
    cosine = isotropic(lambda U, V: U * V.T, factors)
    return Card(
        "low_rank",
        "G",
        found.scale,
        found.relative_variance,
        cosine.value,
        (
            *found.steps,
            "V kept: E_U[<G, Z> Z] = G V V^T; its square:",
            *kept.steps,
            f"Basis variance = E||G V V^T||^2 / (r^2 ||G||^2) - 1 = {basis}.",
            *cosine.steps,
        ),
        (LINEAR, ONE_TENSOR),
        basis_variance=basis,
    )


def _entry(i: Index, j: Index) -> TensorSum:
    s = Index("s", R)
    return U[i, s] * V[j, s]


def _projected_norm2() -> TensorSum:
    """||G V V^T||^2."""
    i, a = Index("i", M), Index("a", N)

    def row() -> TensorSum:
        b, s = Index("b", N), Index("s", R)
        return G[i, b] * V[b, s] * V[a, s]

    return row() * row()
