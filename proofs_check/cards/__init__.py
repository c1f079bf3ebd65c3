"""Theory cards: mean, variance and cosine of every estimate on a linear loss, exact and derived.

>>> card("gaussian").relative_variance
m*n + 1
>>> card("averaged", perturbation="cp", q=4, m=8, n=4, r=2).relative_variance
389/8
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from proofs_check.cards import cp, dense, directions, given, low_rank, subspace, supports
from proofs_check.cards.card import Card, Support

__all__ = ["DIRECTIONS", "NAMES", "PERTURBATIONS", "Card", "Support", "card"]

PERTURBATIONS: dict[str, Callable[..., Card]] = {
    build.__name__: build
    for build in (
        dense.gaussian,
        dense.rademacher,
        dense.sphere,
        cp.cp,
        given.cp_given,
        low_rank.low_rank,
        given.low_rank_given,
        subspace.subspace,
        subspace.svd_subspace,
        subspace.subspace_given,
        supports.magnitude_mask,
        supports.random_mask,
        given.hessian_scaled,
        given.momentum_centred,
        supports.layers,
    )
}
"""Cards of one two-point estimate <G, Z> Z."""

DIRECTIONS: dict[str, Callable[..., Card]] = {
    build.__name__: build
    for build in (
        supports.layer_subset,
        directions.averaged,
        directions.nes,
        directions.greedy,
        directions.guiding_vector,
    )
}
"""Cards built on another one, the card of ``perturbation``."""

_ALONE = {"orthonormal": directions.orthonormal}

NAMES: tuple[str, ...] = (*PERTURBATIONS, *DIRECTIONS, *_ALONE)


def card(name: str, *, perturbation: str = "gaussian", **sizes: object) -> Card:
    """The card with the given name, its sizes symbols where they are not given.

    perturbation: for the names in `DIRECTIONS`, the card they build on. sizes: the arguments of
    the functions that build the cards (m, n, r, q, keep, candidates, ...), those of the
    perturbation and of the direction together. Raises ValueError for an unknown name or size, or
    a size out of range.
    """
    known = {**PERTURBATIONS, **DIRECTIONS, **_ALONE}
    if name not in known:
        raise ValueError(f"no card {name!r}; there are {', '.join(NAMES)}")
    build = known[name]
    own = set(inspect.signature(build).parameters) - {"inner"}
    if name not in DIRECTIONS:
        if perturbation != "gaussian":
            raise ValueError(f"{name} does not build on another perturbation")
        _check_sizes(name, sizes, own)
        return build(**sizes)
    if perturbation not in PERTURBATIONS:
        raise ValueError(f"no perturbation {perturbation!r}; there are {', '.join(PERTURBATIONS)}")
    others = set(inspect.signature(PERTURBATIONS[perturbation]).parameters)
    _check_sizes(name, sizes, own | others)
    inner = PERTURBATIONS[perturbation](**{k: x for k, x in sizes.items() if k in others})
    return build(inner, **{k: x for k, x in sizes.items() if k in own})


def _check_sizes(name: str, sizes: dict[str, object], known: set[str]) -> None:
    if unknown := set(sizes) - known:
        raise ValueError(f"{name} has no size {sorted(unknown)}; it has {sorted(known)}")
