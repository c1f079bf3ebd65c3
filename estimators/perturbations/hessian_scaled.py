"""Directions scaled by a diagonal Hessian (HiZOO)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from estimators import philox
from estimators.evaluation import Evaluation
from estimators.kept import kept
from estimators.noise import DenseNoise, Entries
from estimators.perturbations.base import Perturbation, Rebase
from estimators.slots import Slot


class HessianScaledNoise(DenseNoise):
    """Gaussian entries divided by the square roots of a diagonal H."""

    @kept
    def entries(self) -> Entries:
        return Entries(((1.0, self.stream.key),), squares=self.slot.state["H"])

    def standard(self, rows: slice) -> Tensor:
        """Return some rows of u, the standard normal entries."""
        slot = self.slot
        shape = rows.stop - rows.start, slot.n
        out = torch.empty(shape, dtype=slot.compute_dtype, device=slot.device)
        return philox.normals(out, self.stream.key, rows.start * slot.n)


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
