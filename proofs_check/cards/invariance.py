"""E cos^2(G, Z) = 1/(mn) from the invariance of the law of Z.

If A Z B has the law of Z for all signed permutation matrices A (m x m) and B (n x n), which all
orthogonal A, B contain, then the matrix of E[Z_ij Z_kl / ||Z||^2] is I/(mn):
- flipping the sign of row i and of column j shows that entries (i,j) != (k,l) vanish;
- permuting rows and columns shows that the mn diagonal entries are equal;
- their sum is E[||Z||^2 / ||Z||^2] = P(Z != 0).
Hence E cos^2(G, Z) = sum G_ij G_kl E[Z_ij Z_kl / ||Z||^2] / ||G||^2 = P(Z != 0) / (mn), for
every G of whatever rank.

The premise is checked, not assumed: Z is a function of independent factors, each of a law that
is itself invariant under what A and B do to it, and moving the factors must move Z.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N

_SMALL = {"m": 3, "n": 2, "r": 2, "1": 1}  # the check is of an identity between polynomials

INVARIANT = {
    "Gaussian": "iid N(0, 1) entries: invariant under orthogonal matrices from either side",
    "Haar": "Haar-distributed orthonormal columns: invariant under orthogonal matrices on the left",
    "signs": "iid symmetric entries: invariant under signed permutations from either side",
}


@dataclass(frozen=True)
class Factor:
    """One factor of Z: its axes ("m", "n", "r" or "1") and its law, or "fixed"."""

    axes: tuple[str, str]
    law: str


class NotInvariant(ValueError):
    """The premise fails: the law of Z is not shown to be invariant."""


def isotropic(
    build: Callable[..., sp.Matrix], factors: Mapping[str, Factor], nonzero: sp.Expr = sp.S.One
) -> Derivation:
    """E cos^2(G, Z) for Z = build(**factors), ``nonzero`` = P(Z != 0).

    Raises NotInvariant where A and B, applied to the factors whose law allows it, do not give
    A Z B. Fixed factors cannot be moved.
    """
    entries = {
        name: sp.Matrix(
            *(_SMALL[a] for a in factor.axes), lambda i, j, x=name: sp.Symbol(f"{x}{i}{j}")
        )
        for name, factor in factors.items()
    }
    for left, right in _generators():
        moved = {name: _act(entries[name], factor, left, right) for name, factor in factors.items()}
        difference = build(**moved) - left * build(**entries) * right
        if any(sp.expand(x) != 0 for x in difference):
            raise NotInvariant(f"A Z B is not made of moved factors for A = {left}, B = {right}")
    laws = "; ".join(f"{x}: {INVARIANT[f.law]}" for x, f in factors.items() if f.law in INVARIANT)
    steps = (
        f"Premise: {laws}. Moving the factors by A, B turns Z into A Z B (identity checked for "
        "the generators of the signed permutations).",
        "Sign flips: E[Z_ij Z_kl / ||Z||^2] = 0 for (i,j) != (k,l). Permutations: the mn diagonal "
        f"entries are equal. They sum to P(Z != 0) = {nonzero}.",
        f"Hence E cos^2(G, Z) = {nonzero / (M * N)} for every G.",
    )
    return Derivation(nonzero / (M * N), steps)


def _generators() -> Iterator[tuple[sp.Matrix, sp.Matrix]]:
    one = {side: sp.eye(_SMALL[side]) for side in "mn"}
    for a in _signed_permutations(_SMALL["m"]):
        yield a, one["n"]
    for b in _signed_permutations(_SMALL["n"]):
        yield one["m"], b


def _signed_permutations(size: int) -> Iterator[sp.Matrix]:
    """A sign flip, a transposition and a cycle: they generate all signed permutations."""
    yield sp.diag(-1, *[1] * (size - 1))
    yield sp.eye(size).permute_rows([[0, 1]])
    yield sp.Matrix(size, size, lambda i, j: int(i == (j + 1) % size))


def _act(entries: sp.Matrix, factor: Factor, left: sp.Matrix, right: sp.Matrix) -> sp.Matrix:
    if factor.law not in INVARIANT:
        return entries
    before = {"m": left, "n": right.T}
    after = {"m": left.T, "n": right}
    rows, columns = factor.axes
    if factor.law == "Haar" and columns in after:
        raise NotInvariant("orthonormal columns are invariant on the left only")
    if rows in before:
        entries = before[rows] * entries
    return entries * after[columns] if columns in after else entries
