"""Card of the CP perturbation Z = sum_s tau_s u_s v_s^T (TeZO)."""

from __future__ import annotations

from functools import cache

import sympy as sp

from proofs_check.cards.card import Card, M, N, R, count
from proofs_check.cards.dense import LINEAR, ONE_TENSOR
from proofs_check.cards.estimate import moments, multiple
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.cp import U, V, entry
from proofs_check.cp import projection as h
from proofs_check.gaussian import Index, TensorSum, derive
from proofs_check.matrices import G_NORM2


def cp(m: sp.Expr | int = M, n: sp.Expr | int = N, r: sp.Expr | int = R) -> Card:
    """tau, u, v Gaussian (TeZO, Eq. 3; delta of its Theorem 1), averaged over the factors u, v.

    Factors redrawn and factors kept have the same mean and relative variance at one step; with
    kept factors `basis_variance` of it stays, however many steps or queries are averaged. For
    given factors see `cp_given`.
    """
    return _cp().at(m=count("m", m), n=count("n", n), r=count("r", r))


@cache
def _cp() -> Card:
    found = moments(entry)
    kept = derive(_projected_norm2())
    basis = sp.expand(multiple(kept.value, G_NORM2) / found.scale**2 - 1)
    factors = {
        "T": Factor(("r", "1"), "Gaussian"),
        "U": Factor(("m", "r"), "Gaussian"),
        "V": Factor(("n", "r"), "Gaussian"),
    }
    cosine = isotropic(lambda T, U, V: U * sp.diag(*T) * V.T, factors)
    return Card(
        "cp",
        "G",
        found.scale,
        found.relative_variance,
        cosine.value,
        (
            *found.steps,
            "Kept factors: E_tau[<G, Z> Z] = sum_s h_s u_s v_s^T, h_s = <G, u_s v_s^T>. Square:",
            *kept.steps,
            f"Basis variance = E||sum_s h_s u_s v_s^T||^2 / (r^2 ||G||^2) - 1 = {basis}.",
            *cosine.steps,
        ),
        (LINEAR, ONE_TENSOR),
        basis_variance=basis,
    )


def _projected_norm2() -> TensorSum:
    """||sum_s h_s u_s v_s^T||^2 = sum_st h_s h_t (u_s . u_t)(v_s . v_t)."""
    s, t, i, j = Index("s", R), Index("t", R), Index("i", M), Index("j", N)
    return h(s) * h(t) * U[s, i] * U[t, i] * V[s, j] * V[t, j]
