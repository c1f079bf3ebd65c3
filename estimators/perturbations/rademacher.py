"""Rademacher directions."""

import torch
from torch import Tensor

from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot


class RademacherNoise(DenseNoise):
    """Independent entries, +1 or -1 with probability 1/2 each."""

    def sample(self, out: Tensor, generator: torch.Generator | None) -> Tensor:
        return out.random_(0, 2, generator=generator).mul_(2.0).sub_(1.0)


class Rademacher(Perturbation):
    """Z with independent signs (SPSA, Spall 1992). E[<G, Z> Z] = G; ||Z||^2 = mn exactly."""

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> RademacherNoise:
        return RademacherNoise(slot, slot.stream(seed, "z", step, query))
