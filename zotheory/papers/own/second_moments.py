"""The second moment E[g' g'^T] of an optimiser's estimates g', and what it says of curvature.

An estimate is g' = kappa z, kappa = <g, z>, so that E kappa^2 = E<g, g'> and

    E[kappa^2 z^T H z] = Tr(H E[g' g'^T]).

Over all draws of a fresh optimiser, those of factors and layers included, `proofs_check.falls`
knows the right hand side for one tensor and `proofs_check.joint` for several. It is linear in H:
readings of the Hessian (`zotheory.model.curvature`) give it for all methods at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from estimators.directions.greedy import Greedy
from estimators.directions.guiding_vector import GuidingVector
from estimators.directions.two_point import TwoPoint
from estimators.perturbations.cp import CP
from estimators.perturbations.gaussian import Gaussian
from estimators.perturbations.layer_subset import LayerSubset
from estimators.perturbations.low_rank import LowRank
from estimators.perturbations.masks import MagnitudeMask
from estimators.perturbations.rademacher import Rademacher
from estimators.perturbations.subspace import Subspace
from estimators.perturbations.svd_subspace import SVDSubspace
from estimators.slots import Slot
from estimators.zeroth_order import ZerothOrder
from proofs_check import falls, joint
from proofs_check.falls import FORM, NORM2, TRACE, Fall
from zotheory.model.curvature import Reading

MATRIX_SUMS = ("rows", "columns", "swapped", "diagonal")


@dataclass(frozen=True, eq=False)
class SecondMoment:
    """E[g' g'^T] = diag(w_i I) + (P_ij g_i g_j^T) + the sums of single tensors, i over tensors.

    slope: E kappa^2 = sum_i slope_i ||g_i||^2. whole: w_i = sum_j whole_ij ||g_j||^2. pairs: P.
    sums: the weights of a reading's sums, by their names.
    """

    slope: np.ndarray
    whole: np.ndarray
    pairs: np.ndarray
    sums: Mapping[str, np.ndarray] = field(default_factory=dict)

    def curvature(self, reading: Reading, norms2: np.ndarray) -> float:
        """An unbiased estimate of E[kappa^2 z^T H z], from the ||g_i||^2 and a reading."""
        found = self.whole @ norms2 @ reading.trace + reading.form(self.pairs)
        return float(found + sum(x @ getattr(reading, name) for name, x in self.sums.items()))


def masks(optimizer: ZerothOrder) -> dict[str, Any]:
    """The weights that S-MeZO perturbs, by tensor; empty for methods that perturb all."""
    perturbation = optimizer.perturbation
    if not isinstance(perturbation, MagnitudeMask):
        return {}
    slots = optimizer.slots()
    return {
        slot.name: (slot.matrix.abs() <= entries["threshold"]).view_as(slot.param)
        for slot, entries in zip(slots, perturbation.kept(slots), strict=True)
    }


def second_moment(optimizer: ZerothOrder) -> SecondMoment:
    """That of a fresh optimiser; of a masked one, on the masked gradient and Hessian.

    SVD-0's frames are those of its first estimate, a multiple of Gaussian noise: Haar, as SubZO's.

    Raises ValueError for parts of which it is not known.
    """
    slots, direction = optimizer.slots(), optimizer.direction
    found = _PERTURBATIONS.get(type(optimizer.perturbation))
    if found is None:
        raise ValueError(f"nothing is known of {type(optimizer.perturbation).__name__}")
    if type(direction) is TwoPoint:
        return found(optimizer.perturbation, slots)
    chosen = _CHOSEN.get(type(direction))
    if chosen is None or type(optimizer.perturbation) is not Gaussian:
        raise ValueError(f"nothing is known of {type(direction).__name__} along this noise")
    return _alike(chosen(direction), len(slots))


def _alike(found: Fall, count: int) -> SecondMoment:
    """Of noise that sees no tensors: b in ||g||^2 Tr H and g^T H g."""
    b, everywhere = sp.expand(found.curvature), np.ones((count, count))
    slope, trace = found.slope / NORM2, b.coeff(TRACE) / NORM2
    return SecondMoment(
        np.full(count, float(slope)), float(trace) * everywhere, float(b.coeff(FORM)) * everywhere
    )


def _by_tensor(fall_of: Callable[[Any, Slot, Mapping[str, Any]], Fall | None]) -> Callable:
    """Of independent noise on every tensor: matrices as `fall_of` says, others Gaussian."""

    def build(perturbation: Any, slots: Sequence[Slot]) -> SecondMoment:
        variances, sums = np.ones(len(slots)), np.zeros((len(MATRIX_SUMS), len(slots)))
        own = np.zeros((2, len(slots)))
        kept = perturbation.kept(slots)
        for i, (slot, entries) in enumerate(zip(slots, kept, strict=True)):
            found = fall_of(perturbation, slot, entries)
            if found is None:
                continue
            variances[i] = joint.variance(found)
            beyond = {name: float(share) for name, share in joint.excess(found).items()}
            sums[:, i] = [beyond[name] for name in MATRIX_SUMS]
            own[:, i] = beyond["whole"], beyond["form"]
        both = np.outer(variances, variances)
        return SecondMoment(
            variances,
            both + np.diag(own[0]),
            2.0 * both + np.diag(own[1]),
            dict(zip(MATRIX_SUMS, sums, strict=True)),
        )

    return build


def _layers(perturbation: LayerSubset, slots: Sequence[Slot]) -> SecondMoment:
    """Of Gaussian noise on some layers: tensors i and j are on together with chance P_ij."""
    if type(perturbation.inner) is not Gaussian:
        raise ValueError(f"nothing is known of layers of {type(perturbation.inner).__name__}")
    names = sorted({slot.layer for slot in slots if slot.layer is not None})
    total, on = len(names), len(names) - int(perturbation.sparsity * len(names))
    one, two = on / total, on * (on - 1) / (total * (total - 1))
    chance = np.array([[_chance(a.layer, b.layer, one, two) for b in slots] for a in slots])
    return SecondMoment(np.diag(chance).copy(), chance, 2.0 * chance)


def _chance(a: str | None, b: str | None, one: float, two: float) -> float:
    layers = {a, b} - {None}
    return {0: 1.0, 1: one}.get(len(layers), two)


_FRAMES = _by_tensor(
    lambda p, slot, _: falls.subspace(slot.m, slot.n, p.rank) if slot.is_matrix else None
)
_PERTURBATIONS: dict[type, Callable[[Any, Sequence[Slot]], SecondMoment]] = {
    Gaussian: lambda _, slots: _alike(falls.gaussian(), len(slots)),
    MagnitudeMask: lambda _, slots: _alike(falls.gaussian(), len(slots)),
    Rademacher: _by_tensor(lambda *_: falls.rademacher()),
    LowRank: _by_tensor(lambda p, slot, _: falls.low_rank(p.rank) if slot.is_matrix else None),
    CP: _by_tensor(lambda _, slot, kept: falls.cp(kept["rank"]) if slot.is_matrix else None),
    Subspace: _FRAMES,
    SVDSubspace: _FRAMES,
    LayerSubset: _layers,
}
_CHOSEN: dict[type, Callable[[Any], Fall]] = {
    Greedy: lambda way: falls.greedy(way.candidates),
    GuidingVector: lambda way: falls.guiding_vector(way.candidates, way.best),
}
