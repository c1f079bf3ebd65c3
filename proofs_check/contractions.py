"""Names and symbols for contractions of fixed tensors, one per isomorphism class.

``||G||^2 = sum_ij G_ij^2``, ``<G,H>``, traces ``tr((G G^T)^2)``, forms ``y^T H y``; any other
connected contraction is written out, as in ``sum G_ab^4``.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import sympy as sp

from proofs_check.canonical import Entry

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def symbol(
    factors: tuple[Entry, ...], names: dict[int, str], symmetric: frozenset[int]
) -> sp.Symbol:
    """The symbol of one connected contraction in canonical form.

    Real; nonnegative where every entry occurs an even number of times (a sum of squares).
    """
    name = (
        _inner_product(factors, names)
        or _matrix_word(factors, names, symmetric)
        or written_out(factors, names)
    )
    if all(count % 2 == 0 for count in Counter(factors).values()):
        return sp.Symbol(name, nonnegative=True)
    return sp.Symbol(name, real=True)


def _inner_product(factors: tuple[Entry, ...], names: dict[int, str]) -> str | None:
    if len(factors) != 2 or factors[0][1] != factors[1][1]:
        return None
    (a, indices), (b, _) = factors
    if not indices or len(set(indices)) < len(indices):
        return None
    return f"||{names[a]}||^2" if a == b else f"<{names[a]},{names[b]}>"


def _matrix_word(
    factors: tuple[Entry, ...], names: dict[int, str], symmetric: frozenset[int]
) -> str | None:
    """A trace or a bilinear form, if every index occurs exactly twice and no rank exceeds 2."""
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k, (_, indices) in enumerate(factors):
        for slot, index in enumerate(indices):
            places[index].append((k, slot))
    ranks = [len(indices) for _, indices in factors]
    if not set(ranks) <= {1, 2} or any(len(p) != 2 for p in places.values()):
        return None
    ends = [k for k, rank in enumerate(ranks) if rank == 1]
    if len(ends) not in (0, 2):
        return None

    def walk(start: int, slot: int) -> list[tuple[str, bool]]:
        """Read the matrices from ``start``, entering it at ``slot``; (name, transposed) each."""
        word, k = [], start
        while True:
            tensor, indices = factors[k]
            matrix = len(indices) == 2
            word.append((names[tensor], matrix and slot == 1 and tensor not in symmetric))
            if not matrix and k != start:
                return word
            leave = 1 - slot if matrix else 0
            first, second = places[indices[leave]]
            k, slot = second if (k, leave) == first else first
            if k == start:
                return word

    starts = [(k, 0) for k in ends] or [(k, slot) for k in range(len(factors)) for slot in (0, 1)]
    word = min(walk(*start) for start in starts)
    if ends:
        inner = _powers(word[1:-1])
        return f"{word[0][0]}^T {inner} {word[-1][0]}"
    return f"tr({_powers(word)})"


def _powers(word: list[tuple[str, bool]]) -> str:
    """A word of matrices, repetitions written as a power: ``(G G^T)^2``."""
    length = len(word)
    period = next(
        p for p in range(1, length + 1) if length % p == 0 and word[:p] * (length // p) == word
    )
    text = " ".join(name + ("^T" if transposed else "") for name, transposed in word[:period])
    if period == length:
        return text
    return (
        f"({text})^{length // period}"
        if period > 1 or "^" in text
        else f"{text}^{length // period}"
    )


def written_out(factors: tuple[Entry, ...], names: dict[int, str]) -> str:
    """The product with its indices, which are summed: ``sum G_ab^2 H_bc``."""

    def letter(index: int) -> str:
        return _LETTERS[index] if index < len(_LETTERS) else f"({index})"

    parts = []
    for (tensor, indices), count in Counter(factors).items():
        entry = names[tensor] + ("_" + "".join(map(letter, indices)) if indices else "")
        parts.append(entry + (f"^{count}" if count > 1 else ""))
    text = " ".join(parts)
    return f"sum {text}" if any(indices for _, indices in factors) else text
