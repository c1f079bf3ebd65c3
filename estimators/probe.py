"""What a direction sees of the optimiser: losses at theta + sum_j w_j Z_j, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot
from estimators.streams import parallel


@dataclass(frozen=True)
class Draw:
    """Draw number `query` of a perturbation, for all tensors at once."""

    source: Perturbation
    query: int


Weights = dict[Draw, float]


@dataclass(frozen=True)
class Probe:
    """Access to the loss during one step.

    eps: the perturbation scale. seed, step: what the noise of this step is keyed by. position():
    the number of points that the step has evaluated so far, which the next one is known by.
    """

    perturbation: Perturbation
    eps: float
    seed: int
    step: int
    slots: Sequence[Slot]
    noise_of: Callable[[Slot, Draw], Noise | None]
    losses_at: Callable[[Sequence[Weights], bool], list[float]]
    position: Callable[[], int]

    def over(self, perturbation: Perturbation) -> Probe:
        """Return a probe whose draws come from another perturbation."""
        return replace(self, perturbation=perturbation)

    def draw(self, query: int) -> Draw:
        """Return draw number `query` of this step."""
        return Draw(self.perturbation, query)

    def noise(self, slot: Slot, draw: Draw) -> Noise | None:
        """Return the noise of one tensor, None where the draw leaves it alone."""
        return self.noise_of(slot, draw)

    def evaluate(self, points: Sequence[Weights], *, by_rate: bool = False) -> list[float]:
        """Return the losses at theta + sum_j w_j Z_j for each point {Z_j: w_j}.

        With `by_rate`, the weights of a tensor are multiplied by its group's learning rate.
        """
        return self.losses_at(points, by_rate)

    def gram(self, draws: Sequence[Draw]) -> Tensor:
        """Return the inner products <Z_i, Z_j> over all tensors (float64, on the CPU)."""
        total = torch.zeros(len(draws), len(draws), dtype=torch.float64, device="cpu")
        for slot in self.slots:
            noises = [self.noise(slot, draw) for draw in draws]
            if noises and noises[0] is not None:
                total += _gram(slot, noises)
        return total

    def dimension(self) -> int:
        """Return the number of weights that draw 0 perturbs."""
        return sum(
            slot.param.numel() - len(slot.fixed) * slot.n
            for slot in self.slots
            if self.noise(slot, self.draw(0)) is not None
        )


def _gram(slot: Slot, noises: Sequence[Noise]) -> Tensor:
    weights, height = slot.matrix, slot.rows_per_block
    shape = slot.blocks, len(noises), len(noises)
    parts = torch.zeros(shape, dtype=torch.float64, device="cpu")

    def measure(block: int) -> None:
        low, high = block * height, min(slot.m, (block + 1) * height)
        base = weights[low:high]
        rows = torch.zeros(
            len(noises), high - low, slot.n, dtype=slot.compute_dtype, device=slot.device
        )
        for out, noise in zip(rows, noises, strict=True):
            noise.add_rows(out, low, high, 1.0, base)
            for row in slot.fixed:
                if low <= row < high:
                    out[row - low] = 0.0
        flat = rows.flatten(1).double()
        parts[block] = (flat @ flat.T).cpu()

    parallel(measure, slot.blocks, slot.device, slot.m * slot.n)
    return parts.sum(0)
