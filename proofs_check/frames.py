"""Random orthonormal frames: Gram-Schmidt of a Gaussian matrix, and Algorithm 1 of SVD-0.

Everything rests on invariance under orthogonal maps, whose premises are computed, not assumed:
Gram-Schmidt commutes with them, and an estimate from one direction is a multiple of Gaussian noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import sympy as sp

from proofs_check.cards.haar import frame_moments
from proofs_check.cards.invariance import Factor, NotInvariant, isotropic
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from proofs_check.orthonormal import QT, Q, trace

_T = sp.Symbol("t", real=True)


def gram_schmidt(matrix: sp.Matrix) -> list[sp.Matrix]:
    """The orthogonal u_k = a_k - sum_s <a_k, e_s> e_s, e_s = u_s/||u_s|| (SVD-0, Lemma 13)."""
    found: list[sp.Matrix] = []
    for k in range(matrix.cols):
        column = matrix[:, k]
        projected = [column.dot(u) / u.dot(u) * u for u in found]
        found.append(sum((-p for p in projected), start=column))
    return found


@cache
def haar_steps(n: int = 3, r: int = 2) -> tuple[str, ...]:
    """Why the Gram-Schmidt frame of a Gaussian matrix is Haar; the identity is checked at n x r.

    Raises ArithmeticError where Gram-Schmidt does not commute with an orthogonal map.
    """
    a = sp.Matrix(n, r, lambda i, j: sp.Symbol(f"a{i}{j}", real=True))
    for rotation in _generators(n):
        moved, expected = gram_schmidt(rotation * a), [rotation * u for u in gram_schmidt(a)]
        for u, v in zip(moved, expected, strict=True):
            if any(sp.cancel(sp.together(x)) != 0 for x in u - v):
                raise ArithmeticError(f"Gram-Schmidt does not commute with {rotation}")
    return (
        "u_k is built from a_1..a_k by inner products and linear combinations alone, which "
        f"orthogonal maps O respect: u_k(O A) = O u_k(A) (checked as an identity at n = {n}, "
        f"r = {r} for rotations of coordinate planes and reflections, which generate O(n))",
        "O A has the law of A: the law of (e_1..e_r) is invariant under O(n), which acts "
        "transitively on frames; the one invariant law is Haar's",
    )


def _generators(n: int) -> Iterator[sp.Matrix]:
    """Rotations of neighbouring coordinate planes by a free angle, and a reflection."""
    cosine, sine = (1 - _T**2) / (1 + _T**2), 2 * _T / (1 + _T**2)
    for k in range(n - 1):
        rotation = sp.eye(n)
        rotation[k, k] = rotation[k + 1, k + 1] = cosine
        rotation[k, k + 1], rotation[k + 1, k] = -sine, sine
        yield rotation
    yield sp.diag(-1, *[1] * (n - 1))


def outer_product(columns: sp.Expr, dimension: sp.Symbol) -> tuple[Derivation, Derivation]:
    """Diagonal and off-diagonal entries of E[sum_k e_k e_k^T] over ``columns`` columns.

    By Weingarten integrals, and the diagonal by the trace as well. Raises ArithmeticError if the
    two disagree.
    """
    diagonal, off = (columns * moment for moment in frame_moments(dimension))
    by_trace = sp.cancel(columns / dimension)  # invariance makes it c I, and tr e_k e_k^T = 1
    if sp.cancel(diagonal - by_trace) != 0:
        raise ArithmeticError(f"Weingarten gives {diagonal}, the trace {by_trace}")
    steps = (
        *haar_steps(),
        f"Weingarten, degree 2: E[e_k e_k^T] over {columns} of the columns e_k sums to {diagonal} "
        f"on the diagonal, {off} off it",
        f"the same by the trace: E[e_k e_k^T] = c I by invariance, and 1 = tr = c {dimension}",
    )
    return Derivation(diagonal, steps), Derivation(off, ())


def independent_projection() -> tuple[Derivation, Derivation]:
    """The same for E[P P^T], P = Q2 kron Q1 with independent m x r and n x r Gaussian frames."""
    (left, left_off), (right, right_off) = outer_product(R, M), outer_product(R, N)
    steps = (
        *left.steps,
        *right.steps,
        "P P^T = Q2 Q2^T kron Q1 Q1^T, and Q1, Q2 are independent: expectations multiply",
    )
    off = sp.expand(left.value * right_off.value + left_off.value * right.value)
    return Derivation(left.value * right.value, steps), Derivation(off, ())


def algorithm1_projection(queries: int) -> tuple[Derivation, Derivation]:
    """The same for the P of Algorithm 1, from an average of ``queries`` two-point estimates.

    On a linear loss. Raises NotInvariant where the estimate is no multiple of Gaussian noise, so
    that its singular vectors know about the gradient.
    """
    check_multiple_of_noise(queries)
    noise = isotropic(lambda Z: Z, {"Z": Factor(("m", "n"), "Gaussian")})
    rank = trace((Q, QT), (N, R), (M, R))
    share = sp.cancel(rank / (M * N))
    steps = (
        "the estimate is kappa Z, kappa = <G, Z> (all 2 x 2 minors of (vec estimate, vec Z) "
        "vanish): where kappa != 0, almost surely, its singular vectors are those of Z; kappa's "
        "value does not matter, so neither does the loss",
        noise.steps[0],
        "Z = U S V^T gives A Z B = (A U) S (B^T V)^T: the pair (U U^T, V V^T) has the law of "
        "(A U U^T A^T, B^T V V^T B); signs and order of columns do not matter to it",
        "with signed permutations A, B: E[(V V^T)_jl (U U^T)_ik] = 0 unless i = k and j = l, and "
        "all mn diagonal entries of E[P P^T] are equal (U and V need not be independent)",
        f"their sum: tr(U U^T) tr(V V^T) = {rank}; each is {share}, whatever G is",
    )
    return Derivation(share, steps), Derivation(sp.S.Zero, ())


def check_multiple_of_noise(queries: int, m: int = 2, n: int = 2) -> None:
    """Whether the average of `queries` two-point estimates is a number times Gaussian noise.

    On a linear loss; an identity between polynomials, tested at m x n. Raises NotInvariant if not.
    """
    g = sp.Matrix(m, n, lambda i, j: sp.Symbol(f"G{i}{j}"))
    draws = [
        sp.Matrix(m, n, lambda i, j, q=q: sp.Symbol(f"Z{q}_{i}{j}")) for q in range(min(queries, 2))
    ]
    estimate = sum((sum(g.multiply_elementwise(z)) * z for z in draws), start=sp.zeros(m, n))
    for z in draws:
        for a, b in product(range(m * n), repeat=2):
            if sp.expand(estimate[a] * z[b] - estimate[b] * z[a]) != 0:
                raise NotInvariant(
                    f"an average over {queries} directions is no multiple of any of them: its "
                    "singular vectors depend on G"
                )
