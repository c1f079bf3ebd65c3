"""Directions scaled by a diagonal Hessian (HiZOO)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from estimators.evaluation import Evaluation
from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation, Rebase
from estimators.slots import Slot


class HessianScaledNoise(DenseNoise):
    """Gaussian entries divided by the square roots of a diagonal H."""

    def block(self, index: int, base: Tensor) -> Tensor:
        low = index * self.slot.rows_per_block
        return super().block(index, base).div_(self.slot.state["H"][low : low + len(base)].sqrt())


class HessianScaled(Perturbation):
    """Z = H^(-1/2) N(0, I), H a diagonal estimate kept by the update, 1 at the start.

    HiZOO (Zhao et al. 2024, Algorithm 1), where Sigma = H^(-1). One number a weight is kept.
    """

    gaussian = True

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        for slot in slots:
            if "H" not in slot.state:
                shape = slot.m, slot.n
                slot.state["H"] = torch.ones(shape, dtype=slot.compute_dtype, device=slot.device)

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> HessianScaledNoise:
        return HessianScaledNoise(slot, slot.stream(seed, "z", step, query))
