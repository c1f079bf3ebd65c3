"""vec and Kronecker products, entry by entry, for symbolic sizes.

vec stacks columns: X_ij of an m x n matrix stands at place j m + i, the digits (j, i) in the
mixed radix (n, m). (A kron B) has the entry A_ps B_qt in row p rows(B) + q and column
s cols(B) + t: digits (p, q) in the radix (rows A, rows B) and (s, t) in (cols A, cols B). Where two
radices agree, equal places have equal digits, and a product of matrices is a contraction.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from proofs_check.gaussian import Fixed, Index, TensorSum, contraction
from proofs_check.matrices import M, N, R
from proofs_check.results import Proved, Result, Undecided, Violated

SHAPES = {"U": (M, R), "V": (N, R)}
_TEST, _CORE = Fixed("H"), Fixed("Z")
_LARGEST = 3


def vec_identity(left: str, right: str) -> Result:
    """Is vec(U Z V^T) = (left kron right) vec(Z) for all sizes, with left, right from U and V?

    Seen along a test matrix H. A violation is an entry at small sizes, where U and V are columns
    of the identity matrix.
    """
    rows = (SHAPES[left][0], SHAPES[right][0])
    if rows != (N, M):
        return _violation(left, right)
    i, j, a, b = (Index(x, size) for x, size in zip("ijab", (M, N, R, R), strict=True))
    factors = {"U": Fixed("U"), "V": Fixed("V")}

    def along(first: tuple[str, Index, Index], second: tuple[str, Index, Index]) -> TensorSum:
        entries = [factors[name][row, column] for name, row, column in (first, second)]
        return contraction(_TEST[i, j] * entries[0] * entries[1] * _CORE[a, b])

    kronecker = along((left, j, b), (right, i, a))  # digits (j, i) of the row, (b, a) of vec(Z)
    defined = along(("U", i, a), ("V", j, b))  # (U Z V^T)_ij = sum_ab U_ia Z_ab V_jb
    if kronecker != defined:
        return _violation(left, right)
    steps = (
        f"rows of {left} kron {right} have the radix (n, m), columns (r, r), as vec of an m x n "
        "and of an r x r matrix: equal places have equal digits",
        f"<H, U Z V^T> = {defined} = h^T ({left} kron {right}) vec(Z) for all H, h = vec(H)",
    )
    return Proved(steps, "index algebra")


def vec(matrix: sp.Matrix) -> sp.Matrix:
    """The columns of a matrix, one below the other."""
    return sp.Matrix([matrix[i, j] for j in range(matrix.cols) for i in range(matrix.rows)])


def _violation(left: str, right: str) -> Result:
    """The first entry, at small sizes, in which the two sides differ."""
    for m, n, r in product(range(1, _LARGEST + 1), repeat=3):
        if r > min(m, n):
            continue
        frames = {"U": sp.eye(m)[:, :r], "V": sp.eye(n)[:, :r]}
        core = sp.Matrix(r, r, lambda a, b, r=r: 1 + a * r + b)
        actual = vec(frames["U"] * core * frames["V"].T)
        claimed = sp.kronecker_product(frames[left], frames[right]) * vec(core)
        for place in range(m * n):
            if actual[place] != claimed[place]:
                sizes = {M: m, N: n, R: r, sp.Symbol("place"): place}
                point = {symbol: sp.Integer(value) for symbol, value in sizes.items()}
                return Violated(point, actual[place], claimed[place])
    return Undecided("the radices differ, but no entry up to size 3 does")
