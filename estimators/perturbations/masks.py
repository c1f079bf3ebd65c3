"""Sparse Gaussian directions: by the magnitude of the weights (S-MeZO), or at random (R-MeZO)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from estimators.evaluation import Evaluation
from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation, Rebase, check_sparsity
from estimators.slots import Slot
from estimators.streams import Stream


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

    The papers' rule freezes tensors that begin at zero (LoRA's B, biases), where h = 0, and half
    of a constant one: after the first step no entry, or every other one, is below h. So h is here
    the quantile of the magnitudes that are not zero, halfway to the next larger one; where there
    is none, because all are zero or equal, the tensor is not masked; and a tensor of which no
    entry is below h any more gets its h anew. See `magnitude_threshold`.
    """

    gaussian = True
    described_without = ("stored",)

    def __init__(self, sparsity: float, *, stored: bool) -> None:
        self.sparsity = check_sparsity(sparsity)
        self.stored = stored
        self._masks: dict[str, Tensor] = {}

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        self._masks.clear()
        for slot in slots:
            if "threshold" not in slot.state or self._starves(slot):
                slot.state["threshold"] = magnitude_threshold(slot.matrix, 1.0 - self.sparsity)
            if self.stored and slot.name not in self._masks:
                self._masks[slot.name] = slot.matrix.abs() <= slot.state["threshold"]

    def _starves(self, slot: Slot) -> bool:
        """Whether no entry is below the threshold any more; the mask is kept if it tells."""
        threshold = slot.state["threshold"]
        if slot.device.type == "meta" or math.isinf(threshold):
            return False
        if not self.stored:
            return float(slot.matrix.abs().amin()) > threshold
        mask = slot.matrix.abs() <= threshold
        if bool(mask.any()):
            self._masks[slot.name] = mask
            return False
        return True

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> MagnitudeNoise:
        stream = slot.stream(seed, "z", step, query)
        return MagnitudeNoise(slot, stream, self._masks.get(slot.name))


def magnitude_threshold(weights: Tensor, fraction: float) -> float:
    """Return h such that |w| <= h holds for the zeros and the `fraction` smallest other entries.

    h lies halfway between the largest of these and the next larger magnitude, so that ties fall on
    one side and stay there; infinity if there is no larger one.

    Example:
        >>> magnitude_threshold(torch.tensor([[0.0, 1.0, -2.0, 3.0, 4.0]]), 0.5)
        2.5
        >>> magnitude_threshold(torch.ones(3, 2), 0.25)
        inf
    """
    if weights.device.type == "meta":
        return 0.0
    sizes = weights.abs()
    zeros = int((sizes == 0.0).sum())
    others = sizes.numel() - zeros
    if not others:
        return math.inf
    within = sizes.flatten().kthvalue(zeros + max(1, round(fraction * others))).values
    larger = sizes[sizes > within]
    if not larger.numel():
        return math.inf
    middle = (within.double() + larger.amin().double()) / 2.0
    narrow = middle.to(weights.dtype)  # as which it is compared
    return float(narrow if narrow < larger.amin() else within)


class RandomMaskNoise(DenseNoise):
    """Gaussian where a random mask is on, zero elsewhere."""

    def __init__(self, slot: Slot, stream: Stream, mask: Stream, sparsity: float) -> None:
        super().__init__(slot, stream)
        self.mask = mask
        self.sparsity = sparsity

    def block(self, index: int, base: Tensor) -> Tensor:
        entries = super().block(index, base)
        uniform = torch.empty(entries.shape, dtype=torch.float32, device=entries.device)
        uniform.uniform_(generator=self.mask.generator(index))
        kept = uniform >= self.sparsity
        if self.slot.blocks == 1 and entries.device.type != "meta" and not bool(kept.any()):
            return entries
        return entries.mul_(kept)


class RandomMask(Perturbation):
    """Z = m * N(0, I), m drawn once, each entry off with probability `sparsity` (R-MeZO).

    The baseline of the S-MeZO paper; like its magnitude mask the set is chosen before training.
    The mask is regenerated from the seed, never stored. A tensor of which it would leave nothing
    (a scalar, three times in four) is not masked.
    """

    gaussian = True

    def __init__(self, sparsity: float) -> None:
        self.sparsity = check_sparsity(sparsity)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> RandomMaskNoise:
        stream = slot.stream(seed, "z", step, query)
        return RandomMaskNoise(slot, stream, slot.stream(seed, "mask"), self.sparsity)
