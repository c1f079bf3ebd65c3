"""Second moments of a frame: the first r columns of a Haar-distributed orthogonal d x d matrix."""

from __future__ import annotations

import sympy as sp
from haarpy import haar_integral_orthogonal

from proofs_check.gaussian import Derivation


def frame_moments(dimension: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """E[Q_is^2] and E[Q_is Q_js], i != j: Weingarten integrals of degree 2, for every column s."""
    diagonal = haar_integral_orthogonal(((1, 1), (1, 1)), dimension)
    off = haar_integral_orthogonal(((1, 2), (1, 1)), dimension)
    return sp.sympify(diagonal), sp.sympify(off)


def projection_share(columns: sp.Expr, dimension: sp.Symbol) -> Derivation:
    """The number c with E[Q Q^T] = c I for a Haar frame Q (dimension x columns).

    Raises ArithmeticError if E[Q_is Q_js] does not vanish off the diagonal.
    """
    diagonal, off = frame_moments(dimension)
    if off != 0:
        raise ArithmeticError(f"E[Q_1s Q_2s] = {off}")
    share = columns * diagonal
    step = (
        f"Haar frame Q ({dimension} x {columns}), Weingarten: E[Q_is^2] = {diagonal}, "
        f"E[Q_is Q_js] = {off}, hence E[Q Q^T] = ({share}) I."
    )
    return Derivation(share, (step,))
