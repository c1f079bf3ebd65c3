"""E cos^2(G, Z) for every Z != 0 whose law is invariant under orthogonal maps from both sides.

Z has the law of A Z B for orthogonal A (m x m) and B (n x n), hence also for independent Haar
distributed ones. Averaged over A and B with Z fixed, <G, A Z B>^2 is a Weingarten integral of
degree 2 on either side, while ||A Z B|| = ||Z||: nothing about Z or G is left but their norms.
"""

from __future__ import annotations

from functools import cache

import sympy as sp
from haarpy import haar_integral_orthogonal

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N


@cache
def invariant_cosine() -> Derivation:
    """E cos^2(G, Z), for every G != 0 of whatever rank and every such Z."""
    left, right = _same_entry(M), _same_entry(N)
    value = left * right
    steps = (
        "<G, AZB>^2 = sum G_ij G_kl Z_ab Z_cd A_ia A_kc B_bj B_dl",
        f"Haar A, Weingarten: E[A_ia A_kc] = {left} for (i, a) = (k, c) and 0 otherwise; "
        f"Haar B: E[B_bj B_dl] = {right} for (b, j) = (d, l) and 0 otherwise",
        f"so E_(A,B) <G, AZB>^2 = ({value}) sum G_ij^2 sum Z_ab^2 = ({value}) ||G||^2 ||Z||^2",
        f"||AZB|| = ||Z||: E_(A,B) cos^2(G, AZB) = {value} for every Z != 0; Z has the law of AZB",
    )
    return Derivation(value, steps)


def _same_entry(size: sp.Symbol) -> sp.Expr:
    """E A_11^2 of a Haar matrix; raises ArithmeticError if two entries are correlated."""
    same, different = (1, 1), (1, 2)
    for rows, columns in ((same, different), (different, same), (different, different)):
        if haar_integral_orthogonal((rows, columns), size) != 0:
            raise ArithmeticError(f"entries in rows {rows}, columns {columns} are correlated")
    return sp.sympify(haar_integral_orthogonal((same, same), size))
