"""Sparse Gaussian directions: by the magnitude of the weights (S-MeZO), or at random (R-MeZO)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from estimators import philox
from estimators.evaluation import Evaluation
from estimators.kept import kept
from estimators.noise import DenseNoise, Entries
from estimators.perturbations.base import Perturbation, Rebase, check_sparsity
from estimators.slots import Slot
from estimators.streams import Stream


class MagnitudeNoise(DenseNoise):
    """Gaussian where |w| <= threshold, zero elsewhere; w are the unperturbed weights."""

    def __init__(self, slot: Slot, stream: Stream, mask: Tensor | None) -> None:
        super().__init__(slot, stream)
        self.mask = mask
        self.reads_weights = mask is None

    @kept
    def entries(self) -> Entries:
        terms = ((1.0, self.stream.key),)
        if self.mask is not None:
            return Entries(terms, mask=self.mask)
        return Entries(terms, threshold=self.slot.state["threshold"])


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

    @property
    def reads_weights(self) -> bool:
        return not self.stored

    def kept(self, slots: Sequence[Slot]) -> list[dict[str, Any]]:
        fraction = 1.0 - self.sparsity
        return [{"threshold": magnitude_threshold(slot.matrix, fraction)} for slot in slots]

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        self._masks.clear()
        for slot in slots:
            if "threshold" not in slot.state or self._starves(slot):
                slot.state.update(*self.kept([slot]))
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
    others = int(sizes.count_nonzero())
    if not others:
        return math.inf
    place = sizes.numel() - others + max(1, round(fraction * others))
    within = sizes.flatten().kthvalue(place).values
    larger = torch.where(sizes > within, sizes, math.inf).amin()
    if larger.isinf():
        return math.inf
    middle = (within.double() + larger.double()) / 2.0
    narrow = middle.to(weights.dtype)  # as which it is compared
    return float(narrow if narrow < larger else within)


class RandomMaskNoise(DenseNoise):
    """Gaussian where a random mask is on, zero elsewhere; the mask is off below `level` / 2^32."""

    def __init__(self, slot: Slot, stream: Stream, mask: Stream, level: int) -> None:
        super().__init__(slot, stream)
        self.mask = mask
        self.level = level

    @kept
    def entries(self) -> Entries:
        return Entries(((1.0, self.stream.key),), sparse=(self.mask.key, self.level))


class RandomMask(Perturbation):
    """Z = m * N(0, I), m drawn once, each entry off with probability `sparsity` (R-MeZO).

    The baseline of the S-MeZO paper; like its magnitude mask the set is chosen before training.
    The mask is regenerated from the seed, never stored. A tensor of which it would leave nothing
    (a scalar, three times in four) is not masked.
    """

    gaussian = True

    def __init__(self, sparsity: float) -> None:
        self.sparsity = check_sparsity(sparsity)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> DenseNoise:
        stream, mask = slot.stream(seed, "z", step, query), slot.stream(seed, "mask")
        level = int(self.sparsity * 2.0**32)
        if self._may_be_off(slot) and not bool((words(slot, mask) >= level).any()):
            return DenseNoise(slot, stream)
        return RandomMaskNoise(slot, stream, mask, level)

    def _may_be_off(self, slot: Slot) -> bool:
        """Whether the mask of a tensor is off everywhere with a probability to speak of."""
        return slot.device.type != "meta" and self.sparsity ** (slot.m * slot.n) > 1e-12


def words(slot: Slot, stream: Stream) -> Tensor:
    """Return the uniform 32-bit words by which a stream masks a tensor, int64."""
    drawn = torch.empty(slot.m * slot.n, dtype=torch.int32, device=slot.device)
    return philox.bits32(drawn, stream.key).to(torch.int64) & 0xFFFFFFFF
