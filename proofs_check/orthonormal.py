"""Traces of words in a matrix with orthonormal columns and its transpose, for symbolic sizes.

The one rule is Q^T Q = I; with the trace's cyclicity it reduces every trace of an alternating word
to a dimension. For Q = A kron B the words of A and B multiply: (A kron B)(C kron D) = AC kron BD,
tr(A kron B) = tr A tr B.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from proofs_check.gaussian import Derivation

Q, QT = "Q", "Q^T"
Word = Sequence[str]
Shape = tuple[sp.Expr, sp.Expr]  # rows, columns


def trace(word: Word, *shapes: Shape) -> sp.Expr:
    """tr of a square word in Q and Q^T, e.g. (Q, QT): the number of columns.

    ``shapes``: of the factors of a Kronecker product, of Q itself where there is one. Raises
    ValueError for an empty word or one that does not alternate cyclically.
    """
    if not word or any(a == b for a, b in zip(word, [*word[1:], word[0]], strict=True)):
        raise ValueError(f"not an alternating word of even length: {' '.join(word)}")
    return sp.Mul(*[columns for _, columns in shapes])  # turned to begin with Q^T, it is I


def distance_to_identity(word: Word, *shapes: Shape) -> Derivation:
    """||W - I||^2 = tr(W^T W) - 2 tr W + tr I for a square word W in Q and Q^T."""
    side = sp.Mul(*[shape[0 if word[0] == Q else 1] for shape in shapes])
    transposed = [{Q: QT, QT: Q}[factor] for factor in reversed(word)]
    square, single = trace([*transposed, *word], *shapes), trace(word, *shapes)
    value = sp.expand(square - 2 * single + side)
    text = " ".join(word)
    steps = (
        "Q^T Q = I and the cyclicity of the trace (factors of a Kronecker product multiply):",
        f"||{text} - I||^2 = tr(W^T W) - 2 tr W + tr I = {square} - 2 ({single}) + {side} = {value}"
        f", W = {text}",
    )
    return Derivation(value, steps)
