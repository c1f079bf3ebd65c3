"""Canonical forms of contractions: isomorphic ones become equal.

A *diagram* is a product of tensor entries with its indices numbered: ``factors`` is a tuple of
``(tensor id, (index, ...))`` and ``sizes[index]`` says which dimension the index runs over.
Renaming indices and reordering factors does not change its value. Colour refinement tells most
indices apart; what is left tied is split by singling one index out. :func:`relabel` singles out
just one (fast: isomorphic diagrams nearly always come out equal, and if not, time is lost but no
correctness); :func:`canonical` tries all of them and is exact.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

Entry = tuple[int, tuple[int, ...]]
Diagram = tuple[tuple[Entry, ...], tuple[int, ...]]
Colours = dict[int, int]


def relabel(factors: list[Entry], sizes: dict[int, int], symmetric: frozenset[int]) -> Diagram:
    """An equal diagram with indices numbered by structure (one choice wherever they are tied)."""
    colours = _refine(factors, _by_size(factors, sizes), symmetric)
    while tied := _tied(colours):
        colours = _refine(factors, _single_out(colours, tied[0]), symmetric)
    return _apply(factors, sizes, colours, symmetric)


def canonical(factors: list[Entry], sizes: dict[int, int], symmetric: frozenset[int]) -> Diagram:
    """The canonical diagram: equal for two diagrams if and only if they are isomorphic."""

    def search(colours: Colours) -> Diagram:
        colours = _refine(factors, colours, symmetric)
        tied = _tied(colours)
        if not tied:
            return _apply(factors, sizes, colours, symmetric)
        branches: list[int] = []
        for index in tied:
            if not any(_twins(factors, index, other, symmetric) for other in branches):
                branches.append(index)
        return min(search(_single_out(colours, index)) for index in branches)

    return search(_by_size(factors, sizes))


def components(factors: tuple[Entry, ...]) -> list[list[Entry]]:
    """The connected components: entries that share an index, directly or through others."""
    groups: list[tuple[set[int], list[Entry]]] = []
    for entry in factors:
        indices, members = set(entry[1]), [entry]
        apart = []
        for group in groups:
            if group[0] & indices:
                indices |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (indices, members)]
    return [members for _, members in groups]


def _by_size(factors: list[Entry], sizes: dict[int, int]) -> Colours:
    return {i: sizes[i] for _, indices in factors for i in indices}


def _refine(factors: list[Entry], colours: Colours, symmetric: frozenset[int]) -> Colours:
    """Split colours by the entries an index occurs in, until nothing splits any more."""
    count = len(set(colours.values()))
    while True:
        seen: dict[int, list] = {i: [] for i in colours}
        for tensor, indices in factors:
            around = tuple(colours[i] for i in indices)
            if tensor in symmetric:
                around = tuple(sorted(around))
            for slot, i in enumerate(indices):
                seen[i].append((tensor, -1 if tensor in symmetric else slot, around))
        signature = {i: (colours[i], sorted(seen[i])) for i in colours}
        # Ranks of the distinct signatures: an order that does not depend on the numbering.
        ordered: list = []
        for value in sorted(signature.values()):
            if not ordered or ordered[-1] != value:
                ordered.append(value)
        rank = {_hashable(value): k for k, value in enumerate(ordered)}
        colours = {i: rank[_hashable(signature[i])] for i in colours}
        if len(ordered) == count:
            return colours
        count = len(ordered)


def _hashable(signature: tuple[int, list]) -> tuple:
    return signature[0], tuple(signature[1])


def _tied(colours: Colours) -> list[int]:
    """The indices of the smallest colour that more than one index has."""
    count = Counter(colours.values())
    tied = [c for c, k in count.items() if k > 1]
    if not tied:
        return []
    colour = min(tied, key=lambda c: (count[c], c))
    return [i for i in colours if colours[i] == colour]


def _single_out(colours: Colours, index: int) -> Colours:
    return {i: 2 * c - (i == index) for i, c in colours.items()}


def _twins(factors: list[Entry], a: int, b: int, symmetric: frozenset[int]) -> bool:
    """Whether exchanging the two indices leaves the diagram as it is."""
    swap = {a: b, b: a}

    def exchanged(i: int) -> int:
        return swap.get(i, i)

    return _rename(factors, exchanged, symmetric) == _rename(factors, lambda i: i, symmetric)


def _rename(
    factors: list[Entry], new: Callable[[int], int], symmetric: frozenset[int]
) -> tuple[Entry, ...]:
    renamed = []
    for tensor, indices in factors:
        indices = tuple(new(i) for i in indices)
        renamed.append((tensor, tuple(sorted(indices)) if tensor in symmetric else indices))
    return tuple(sorted(renamed))


def _apply(
    factors: list[Entry], sizes: dict[int, int], colours: Colours, symmetric: frozenset[int]
) -> Diagram:
    order = sorted(colours, key=colours.__getitem__)
    number = {i: k for k, i in enumerate(order)}
    return _rename(factors, number.__getitem__, symmetric), tuple(sizes[i] for i in order)


# Names and symbols for contractions of fixed tensors, one per isomorphism class.
#
# ``||G||^2 = sum_ij G_ij^2``, ``<G,H>``, traces ``tr((G G^T)^2)``, forms ``y^T H y``; any other
# connected contraction is written out, as in ``sum G_ab^4``.


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Shape:
    """What a contraction's symbol stands for: its entries, and the dimension of each index.

    ``entries`` are (tensor, whether it is symmetric, its indices); ``dimensions[index]`` is the
    range of an index, which is summed.
    """

    entries: tuple[tuple[str, bool, tuple[int, ...]], ...]
    dimensions: tuple[sp.Expr, ...]

    def __lt__(self, other: Shape) -> bool:
        """SymPy orders equal symbols that are two objects by all that they consist of."""
        return repr(self) < repr(other)

    def tensors(self) -> dict[str, tuple[tuple[sp.Expr, ...], bool]]:
        """{name: (its dimensions, whether it is symmetric)}."""
        return {
            name: (tuple(self.dimensions[i] for i in indices), symmetric)
            for name, symmetric, indices in self.entries
        }


class Contraction(sp.Symbol):
    """The symbol of a contraction of fixed tensors: no free number, but a value that tensors have.

    Equal to another if name, assumptions and `shape` are.
    """

    __slots__ = ("shape",)

    def __new__(cls, name: str, shape: Shape, **assumptions: bool) -> Contraction:
        cls._sanitize(assumptions, cls)
        symbol = sp.Symbol.__xnew__(cls, name, **assumptions)
        symbol.shape = shape
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str, Shape], dict[str, bool]]:
        return (self.name, self.shape), self._assumptions_orig

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.shape)


def symbol(
    factors: tuple[Entry, ...],
    names: Mapping[int, str],
    symmetric: frozenset[int],
    dimensions: Sequence[sp.Expr],
) -> Contraction:
    """The symbol of one connected contraction in canonical form; `dimensions` of its indices.

    Real; nonnegative where every entry occurs an even number of times (a sum of squares).
    """
    name = (
        _inner_product(factors, names)
        or _matrix_word(factors, names, symmetric)
        or written_out(factors, names)
    )
    entries = tuple((names[t], t in symmetric, indices) for t, indices in factors)
    shape = Shape(entries, tuple(dimensions))
    if all(count % 2 == 0 for count in Counter(factors).values()):
        return Contraction(name, shape, nonnegative=True)
    return Contraction(name, shape, real=True)


def _inner_product(factors: tuple[Entry, ...], names: Mapping[int, str]) -> str | None:
    if len(factors) != 2 or factors[0][1] != factors[1][1]:
        return None
    (a, indices), (b, _) = factors
    if not indices or len(set(indices)) < len(indices):
        return None
    return f"||{names[a]}||^2" if a == b else f"<{names[a]},{names[b]}>"


def _matrix_word(
    factors: tuple[Entry, ...], names: Mapping[int, str], symmetric: frozenset[int]
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


def written_out(factors: tuple[Entry, ...], names: Mapping[int, str]) -> str:
    """The product with its indices, which are summed: ``sum G_ab^2 H_bc``."""

    def letter(index: int) -> str:
        return _LETTERS[index] if index < len(_LETTERS) else f"({index})"

    parts = []
    for (tensor, indices), count in Counter(factors).items():
        entry = names[tensor] + ("_" + "".join(map(letter, indices)) if indices else "")
        parts.append(entry + (f"^{count}" if count > 1 else ""))
    text = " ".join(parts)
    return f"sum {text}" if any(indices for _, indices in factors) else text
