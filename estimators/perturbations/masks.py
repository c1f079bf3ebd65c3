"""Sparse Gaussian directions: by the magnitude of the weights (S-MeZO), or at random (R-MeZO)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation, Rebase, check_sparsity
from estimators.slots import Slot
from estimators.streams import Stream

if TYPE_CHECKING:
    from estimators.probe import Probe


class MagnitudeNoise(DenseNoise):
    """Gaussian where |w| <= threshold, zero elsewhere; w are the unperturbed weights."""

    def __init__(self, slot: Slot, stream: Stream, mask: Tensor | None) -> None:
        super().__init__(slot, stream)
        self.mask = mask
        self.reads_weights = mask is None

    def block(self, index: int, base: Tensor) -> Tensor:
        entries = super().block(index, base)
        if self.mask is None:
            return entries.mul_(base.abs() <= self.slot.state["threshold"])
        low = index * self.slot.rows_per_block
        return entries.mul_(self.mask[low : low + len(base)])


class MagnitudeMask(Perturbation):
    """Z = m * N(0, I) with m = [|w| <= h], h fixed per tensor before training (S-MeZO, Eq. 1).

    S-MeZO, Algorithms 1 to 3: h is the (1 - sparsity) quantile of |w|, so that the fraction
    `sparsity` of largest weights is left alone, as Sec. 3.2 says ("we only update parameters of
    smaller magnitude"). As printed, Algorithm 3 compares the signed weight, and Sec. 8.2 puts h
    at the `sparsity` quantile, which would update that fraction instead of leaving it.

    The mask is that of the weights before each step. `stored=True` keeps it (one byte a weight)
    for the step, for methods that lose the unperturbed weights while they perturb.
    """

    gaussian = True

    def __init__(self, sparsity: float, *, stored: bool) -> None:
        self.sparsity = check_sparsity(sparsity)
        self.stored = stored
        self._masks: dict[str, Tensor] = {}

    def prepare(self, slots: Sequence[Slot], probe: Probe, rebase: Rebase) -> None:
        self._masks.clear()
        for slot in slots:
            weights = slot.matrix
            if "threshold" not in slot.state:
                slot.state["threshold"] = magnitude_quantile(weights, 1.0 - self.sparsity)
            if self.stored:
                self._masks[slot.name] = weights.abs() <= slot.state["threshold"]

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> MagnitudeNoise:
        stream = slot.stream(seed, "z", step, query)
        return MagnitudeNoise(slot, stream, self._masks.get(slot.name))


def magnitude_quantile(weights: Tensor, fraction: float) -> float:
    """Return the smallest |w| such that at least `fraction` of the entries are no larger."""
    if weights.device.type == "meta" or not weights.numel():
        return 0.0
    count = max(1, round(fraction * weights.numel()))
    return float(weights.abs().flatten().kthvalue(count).values)


class RandomMaskNoise(DenseNoise):
    """Gaussian where a random mask is on, zero elsewhere."""

    def __init__(self, slot: Slot, stream: Stream, mask: Stream, sparsity: float) -> None:
        super().__init__(slot, stream)
        self.mask = mask
        self.sparsity = sparsity

    def block(self, index: int, base: Tensor) -> Tensor:
        entries = super().block(index, base)
        uniform = torch.empty(entries.shape, device=entries.device)
        uniform.uniform_(generator=self.mask.generator(index))
        return entries.mul_(uniform >= self.sparsity)


class RandomMask(Perturbation):
    """Z = m * N(0, I), m drawn once, each entry off with probability `sparsity` (R-MeZO).

    The baseline of the S-MeZO paper; like its magnitude mask the set is chosen before training.
    The mask is regenerated from the seed, never stored.
    """

    gaussian = True

    def __init__(self, sparsity: float) -> None:
        self.sparsity = check_sparsity(sparsity)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> RandomMaskNoise:
        stream = slot.stream(seed, "z", step, query)
        return RandomMaskNoise(slot, stream, slot.stream(seed, "mask"), self.sparsity)
