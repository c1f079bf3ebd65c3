"""Canonical forms of contractions: isomorphic ones become equal.

A *diagram* is a product of tensor entries with its indices numbered: ``factors`` is a tuple of
``(tensor id, (index, ...))`` and ``sizes[index]`` says which dimension the index runs over.
Renaming indices and reordering factors does not change its value. Colour refinement tells most
indices apart; what is left tied is split by singling one index out. :func:`relabel` singles out
just one (fast: isomorphic diagrams nearly always come out equal, and if not, time is lost but no
correctness); :func:`canonical` tries all of them and is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

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
