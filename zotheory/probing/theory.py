"""Exact numbers of an estimate on a linear loss: the theory card of an optimiser's parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from estimators.directions.averaged import Averaged
from estimators.directions.base import Direction
from estimators.directions.conservative import Conservative
from estimators.directions.greedy import Greedy
from estimators.directions.guiding_vector import GuidingVector
from estimators.directions.nes import NES
from estimators.directions.one_sided import OneSided
from estimators.directions.three_point import ThreePoint
from estimators.directions.two_point import TwoPoint
from estimators.perturbations.base import Perturbation
from estimators.perturbations.cp import CP, select_ranks
from estimators.perturbations.gaussian import Gaussian
from estimators.perturbations.hessian_scaled import HessianScaled
from estimators.perturbations.layer_subset import LayerSubset
from estimators.perturbations.low_rank import LowRank
from estimators.perturbations.masks import MagnitudeMask, RandomMask, magnitude_threshold
from estimators.perturbations.momentum_centred import MomentumCentred
from estimators.perturbations.rademacher import Rademacher
from estimators.perturbations.sphere import Sphere
from estimators.perturbations.subspace import Subspace
from estimators.perturbations.svd_subspace import SVDSubspace
from estimators.slots import Slot
from estimators.zeroth_order import ZerothOrder
from proofs_check.cards import Card, card, directions
from proofs_check.cards.ratio import number
from zotheory.probing.objectives import Objective

_number = cache(number)


@dataclass(frozen=True)
class Exact:
    """Scale <E g, G>/||G||^2, angle of E g to G in degrees, relative variance, E cos^2(G, g)."""

    scale: float
    angle: float
    variance: float
    cos2: float | None


def exact(estimator: object, objective: Objective) -> Exact | None:
    """The exact numbers, or None where no card is known.

    Two-sided differences have those of a linear loss on a quadratic one as well.
    """
    if type(estimator) is not ZerothOrder:
        return None
    if objective.curvature is not None and type(estimator.direction) not in _TWO_SIDED:
        return None
    found = card_of(estimator, objective.gradient)
    if found is None:
        return None
    kept = 1.0
    if found.target != "G":  # a projection of G here: <T, G> = ||T||^2 = kept ||G||^2
        if found.support is None:
            return None
        kept = _number(found.support.share)
    return Exact(
        _number(found.scale) * kept,
        math.degrees(math.acos(math.sqrt(kept))),
        _number(found.relative_variance),
        None if found.cos2 is None else _number(found.cos2),
    )


def card_of(optimizer: ZerothOrder, gradient: Tensor) -> Card | None:
    """The card of a fresh optimiser (step 0, nothing kept yet), averaged over all that it draws.

    gradient: G, of which only a mask's share depends. Parts of other classes than this package's
    own, and combinations that no card covers, give None.

    Raises ValueError for an optimiser that has made a step: its card is conditional on its state.
    """
    if optimizer.steps:
        raise ValueError(f"the optimiser has made {optimizer.steps} steps; cards are of fresh ones")
    perturbation, direction = optimizer.perturbation, optimizer.direction
    inner = _perturbed(perturbation, optimizer.slots(), gradient)
    build = _DIRECTIONS.get(type(direction))
    if inner is None or build is None or (_needs_gaussian(direction) and not inner.gaussian):
        return None
    if type(direction) is OneSided and direction.orthonormal:
        if type(perturbation) is not Gaussian:
            return None
        size = sum(slot.param.numel() for slot in optimizer.slots())
        return card("orthonormal", m=size, n=1, q=direction.queries)
    return build(direction, inner)


_TWO_SIDED = (TwoPoint, ThreePoint, Averaged)
_DIRECTIONS: dict[type[Direction], Callable[[Any, Card], Card]] = {
    TwoPoint: lambda _, inner: inner,
    ThreePoint: lambda _, inner: inner,
    Conservative: lambda _, inner: inner,  # the SGD step lowers every linear loss
    Averaged: lambda way, inner: directions.averaged(inner, way.queries),
    OneSided: lambda way, inner: directions.averaged(inner, way.queries),
    NES: lambda way, inner: directions.nes(inner, way.queries),
    Greedy: lambda way, inner: directions.greedy(inner, way.candidates),
    GuidingVector: lambda way, inner: directions.guiding_vector(inner, way.candidates, way.best),
}


def _needs_gaussian(direction: Direction) -> bool:
    return type(direction) in (NES, Greedy, GuidingVector)


def _perturbed(perturbation: Perturbation, slots: list[Slot], gradient: Tensor) -> Card | None:
    """The card of one two-point estimate; several tensors are one vector to dense noise."""
    kind = type(perturbation)
    if kind in _DENSE:
        return _DENSE[kind](perturbation, sum(slot.param.numel() for slot in slots))
    if type(perturbation) is LayerSubset:
        return _layers(perturbation, slots)
    if len(slots) != 1 or not slots[0].is_matrix or kind not in _MATRIX:
        return None
    return _MATRIX[kind](perturbation, slots[0], gradient)


# A fresh HiZOO has H = 1, a fresh ZO-AdaMU no momentum yet and sigma = 1.
_DENSE: dict[type[Perturbation], Callable[[Any, int], Card]] = {
    Gaussian: lambda _, d: card("gaussian", m=d, n=1),
    HessianScaled: lambda _, d: card("gaussian", m=d, n=1),
    MomentumCentred: lambda _, d: card("gaussian", m=d, n=1),
    Rademacher: lambda _, d: card("rademacher", m=d, n=1),
    RandomMask: lambda way, d: card("random_mask", m=d, n=1, keep=1 - way.sparsity),
}


def _layers(perturbation: LayerSubset, slots: list[Slot]) -> Card | None:
    """LeZO's card speaks of layers of one tensor each, all of one size, and nothing besides."""
    names, sizes = {slot.layer for slot in slots}, {(slot.m, slot.n) for slot in slots}
    if type(perturbation.inner) is not Gaussian or None in names or len(sizes) != 1:
        return None
    if len(names) != len(slots):
        return None
    ((m, n),) = sizes
    dropped = int(perturbation.sparsity * len(slots))
    return card("layers", layers=len(slots), dropped=dropped, m=m, n=n)


def _cp(perturbation: CP, slot: Slot, _: Tensor) -> Card:
    rank = perturbation.rank
    if rank is None:
        threshold, most = perturbation.threshold, perturbation.max_rank
        rank = select_ranks({"": slot.matrix}, {"": ""}, threshold=threshold, max_rank=most)[""]
    return card("cp", m=slot.m, n=slot.n, r=rank)


def _svd_subspace(perturbation: SVDSubspace, slot: Slot, _: Tensor) -> Card | None:
    if perturbation.direction.queries != 1:
        return None
    return card("svd_subspace", m=slot.m, n=slot.n, r=perturbation.rank)


def _magnitude_mask(perturbation: MagnitudeMask, slot: Slot, gradient: Tensor) -> Card:
    weights = slot.matrix
    mask = weights.abs() <= magnitude_threshold(weights, 1.0 - perturbation.sparsity)
    part = gradient.view(slot.m, slot.n)[mask]
    kept = float(part.square().sum() / torch.sum(gradient.square()))
    return card("magnitude_mask", k=int(mask.sum()), kept=kept)


_MATRIX: dict[type[Perturbation], Callable[..., Card | None]] = {
    Sphere: lambda _, slot, gradient: card("sphere", m=slot.m, n=slot.n),
    CP: _cp,
    LowRank: lambda way, slot, _: card("low_rank", m=slot.m, n=slot.n, r=way.rank),
    Subspace: lambda way, slot, _: card("subspace", m=slot.m, n=slot.n, r=way.rank),
    SVDSubspace: _svd_subspace,
    MagnitudeMask: _magnitude_mask,
}
