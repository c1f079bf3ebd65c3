"""Gaussian directions."""

from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot


class Gaussian(Perturbation):
    """Z with independent N(0, 1) entries (MeZO, Malladi et al. 2023, Algorithm 1).

    E[<G, Z> Z] = G. `purpose` separates the streams of two uses in one step.
    """

    gaussian = True

    def __init__(self, purpose: str = "z") -> None:
        self.purpose = purpose

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> DenseNoise:
        return DenseNoise(slot, slot.stream(seed, self.purpose, step, query))
