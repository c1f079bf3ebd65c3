"""Descent along momentum-centred noise (ZO-AdaMU)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from estimators.assignment import Assignment, Terms, assign
from estimators.noise import Noise
from estimators.perturbations.momentum_centred import MomentumCentredNoise
from estimators.rounding import store
from estimators.slots import Slot
from estimators.updates.base import PIECE, Job, Update, kernels, root, write_rows


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
            if not self._write_in_one_pass(job, noise, slope, back):
                self._write_blocks(job, noise, slope, back)

    def displacement(self, slot: Slot, terms: Terms) -> Noise:
        ((slope, noise),) = terms
        if not isinstance(noise, MomentumCentredNoise):
            raise TypeError("ZO-AdaMU's update needs the noise of MomentumCentred")
        return AdaMUStep(noise, slope, self.delta)

    def _write_in_one_pass(
        self, job: Job, noise: MomentumCentredNoise, slope: float, back: float
    ) -> bool:
        slot, momentum = job.slot, job.slot.state["m"]
        compiled = kernels(slot, [momentum])
        if compiled is None or job.written is not None:
            return False
        weights = slot.matrix
        keep, r = noise.both
        numbers = (
            *(*noise.mix, keep, r, back * keep, back * r, job.scale, -job.lr * slope),
            *(noise.beta2, 1.0 - noise.beta2, self.delta),
        )

        def write(rows: slice) -> None:
            s, t = noise.normals(rows)
            entries = weights[rows], s, s if t is None else t, momentum[rows]
            compiled.run(compiled.adamu, entries, numbers)

        write_rows(slot, slot.rows_within(PIECE), write)
        return True

    def _write_blocks(
        self, job: Job, noise: MomentumCentredNoise, slope: float, back: float
    ) -> None:
        slot = job.slot
        weights, momentum = slot.matrix, slot.state["m"]

        def write(rows: slice) -> None:
            s, fresh, past = noise.parts(rows)
            below = root(second_moment(noise, fresh, past).add_(self.delta))
            if job.written is not None and slope:
                first = torch.zeros_like(below)
                job.written.add_rows(first, rows.start, rows.stop, 1.0 / slope, weights[rows])
            else:
                first = noise.mixed(s, rows)
            wide = weights[rows].to(slot.compute_dtype)
            wide = noise.added(wide, s, rows, back) if back else wide
            wide = (wide * job.scale).add_((first * (-job.lr * slope)).div_(below))
            store(slot, wide, job.rounding, rows)
            momentum[rows] = first

        write_rows(slot, slot.rows_per_block, write)


def second_moment(noise: MomentumCentredNoise, fresh: Tensor, past: Tensor) -> Tensor:
    """Return beta2 z0^2 + (1 - beta2) z1^2; z0 and z1 are overwritten."""
    share = fresh.square_().mul_(noise.beta2)
    return past.square_().mul_(1.0 - noise.beta2).add_(share)


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
            below = root(second_moment(self.noise, fresh, past).add_(self.delta))
            step = self.noise.mixed(s, rows).mul_(self.slope).div_(below)
            out[low - start : rows.stop - start].add_(step, alpha=weight)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        return self.dense()[rows]
