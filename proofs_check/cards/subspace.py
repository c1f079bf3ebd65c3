"""Cards of Z = U S V^T with orthonormal U, V: SubZO and SVD-0."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp
from haarpy import haar_integral_orthogonal

from proofs_check.cards.card import KEPT, Card, M, N, R, Support, count
from proofs_check.cards.dense import LINEAR, ONE_TENSOR
from proofs_check.cards.invariance import Factor, isotropic
from proofs_check.cards.support import averaged_over, within
from proofs_check.gaussian import Derivation


def subspace(m: sp.Expr | int = M, n: sp.Expr | int = N, r: sp.Expr | int = R) -> Card:
    """S (r x r) Gaussian, U and V Haar-distributed orthonormal columns (SubZO), averaged over them.

    Raises ValueError if r exceeds m or n.
    """
    return _sized(_subspace(), m, n, r)


def svd_subspace(m: sp.Expr | int = M, n: sp.Expr | int = N, r: sp.Expr | int = R) -> Card:
    """SVD-0 with U, V from *one* two-point Gaussian estimate: the card of `subspace`.

    Raises ValueError if r exceeds m or n.
    """
    return _sized(_svd_subspace(), m, n, r)


def subspace_given(r: sp.Expr | int = R, kept: sp.Expr | float = KEPT) -> Card:
    """U and V given, orthonormal; kept = ||U^T G V||^2 / ||G||^2.

    The mean is U U^T G V V^T (SVD-0, Theorem 2 with q = r^2).
    """
    support = Support(count("r", r) ** 2, sp.sympify(kept))
    return within("subspace_given", "U U^T G V V^T", support)


@cache
def _subspace() -> Card:
    left, right = projection_share(R, M), projection_share(R, N)
    support = Support(R**2, left.value * right.value)
    factors = {
        "U": Factor(("m", "r"), "Haar"),
        "S": Factor(("r", "r"), "Gaussian"),
        "V": Factor(("n", "r"), "Haar"),
    }
    cosine = isotropic(lambda U, S, V: U * S * V.T, factors)
    steps = (
        *left.steps,
        *right.steps,
        "U, V independent: E[U U^T G V V^T] = (r^2/mn) G and E||U^T G V||^2 = (r^2/mn) ||G||^2.",
    )
    return averaged_over("subspace", support, cosine, steps, (LINEAR, ONE_TENSOR))


@cache
def _svd_subspace() -> Card:
    card = _subspace()
    steps = (
        "Algorithm 1 takes U, V from the singular vectors of kappa Z0, Z0 iid Gaussian: those of "
        "Z0, whatever G is (kappa = <G, Z0> != 0 almost surely).",
        "A Z0 B has the law of Z0, its leading singular vectors are A U, B^T V up to the signs of "
        "columns, which S absorbs; O(m) x O(n) acts transitively on pairs of frames, so up to "
        "signs (U, V) are independent Haar frames: the card of `subspace` holds.",
    )
    assumption = "one Gaussian direction for the subspace, drawn independently of S"
    return replace(
        card,
        name="svd_subspace",
        steps=(*steps, *card.steps),
        assumptions=(*card.assumptions, assumption),
    )


def _sized(card: Card, m: sp.Expr | int, n: sp.Expr | int, r: sp.Expr | int) -> Card:
    m, n, r = count("m", m), count("n", n), count("r", r)
    if any((size - r).is_negative for size in (m, n)):
        raise ValueError(f"{r} orthonormal columns do not fit into {m} x {n}")
    return card.at(m=m, n=n, r=r)


# Second moments of a frame: the first r columns of a Haar-distributed orthogonal d x d matrix.


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
