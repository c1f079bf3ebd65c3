"""Descent along momentum-centred noise (ZO-AdaMU)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from estimators.assignment import Assignment, Terms, assign
from estimators.interrupts import write_all
from estimators.noise import Noise
from estimators.perturbations.momentum_centred import MomentumCentredNoise
from estimators.rounding import narrowed
from estimators.slots import Slot
from estimators.updates.base import Job, Update


class AdaMU(Update):
    """w <- w - lr kappa m' / sqrt(v + delta), then m <- m'.

    ZO-AdaMU (Jiang et al. 2024, Algorithm 1): m' = beta1 z0 + (1 - beta1) z1 is the direction
    evaluated, v = beta2 z0^2 + (1 - beta2) z1^2. Its released code evaluates along fixed weights
    0.1 and 0.9 and updates along others; here both are m', in 16 bits as it was evaluated. One
    number a weight is kept.
    """

    def __init__(self, delta: float = 1e-8) -> None:
        if delta <= 0.0:
            raise ValueError(f"delta must be positive, got {delta}")
        self.delta = delta

    def write(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            weights, back = job.slot.matrix, 0.0
            ((slope, noise),) = job.terms
            if not isinstance(noise, MomentumCentredNoise):
                raise TypeError("ZO-AdaMU's update needs the noise of MomentumCentred")
            if [z for _, z in job.restore] == [noise]:  # it is made for the step in any case
                ((back, _),) = job.restore
            elif job.restore:
                assign([Assignment(job.slot, weights, weights, 1.0, job.restore)])
            self._step(job, weights, noise, slope, back)

    def displacement(self, slot: Slot, terms: Terms) -> Noise:
        ((slope, noise),) = terms
        if not isinstance(noise, MomentumCentredNoise):
            raise TypeError("ZO-AdaMU's update needs the noise of MomentumCentred")
        return AdaMUStep(noise, slope, self.delta)

    def _step(
        self, job: Job, weights: Tensor, noise: MomentumCentredNoise, slope: float, back: float
    ) -> None:
        slot, height = job.slot, job.slot.rows_per_block
        momentum = slot.state["m"]

        def block(index: int) -> None:
            rows = slice(index * height, min(slot.m, (index + 1) * height))
            s, fresh, past = noise.parts(rows)
            second = past.square_().lerp_(fresh.square_(), noise.beta2).add_(self.delta)
            if job.written is not None and slope:
                first = torch.zeros_like(second)
                job.written.add_rows(first, rows.start, rows.stop, 1.0 / slope, weights[rows])
            else:
                first = noise.mixed(s, rows)
            wide = weights[rows].to(slot.compute_dtype)
            wide = noise.added(wide, s, rows, back) if back else wide
            wide = wide * job.scale
            wide.addcdiv_(first, second.sqrt_(), value=-job.lr * slope)
            weights[rows] = narrowed(slot, wide, job.rounding, rows)
            momentum[rows] = first

        write_all(block, slot.blocks, slot.device, slot.m * slot.n)


class AdaMUStep(Noise):
    """kappa m' / sqrt(v + delta), the step of one estimate."""

    def __init__(self, noise: MomentumCentredNoise, slope: float, delta: float) -> None:
        self.slot = noise.slot
        self.noise = noise
        self.slope = slope
        self.delta = delta

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        height = self.slot.rows_per_block
        for low in range(start, stop, height):
            rows = slice(low, min(stop, low + height))
            s, fresh, past = self.noise.parts(rows)
            second = past.square_().lerp_(fresh.square_(), self.noise.beta2).add_(self.delta)
            step = self.noise.mixed(s, rows).mul_(self.slope).div_(second.sqrt_())
            out[low - start : rows.stop - start].add_(step, alpha=weight)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        return self.dense()[rows]
