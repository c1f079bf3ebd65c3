"""Rademacher directions."""

from estimators.kept import kept
from estimators.noise import DenseNoise, Entries
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot


class RademacherNoise(DenseNoise):
    """Independent entries, +1 or -1 with probability 1/2 each."""

    @kept
    def entries(self) -> Entries:
        return Entries(((1.0, self.stream.key),), signs=True)


class Rademacher(Perturbation):
    """Z with independent signs (SPSA, Spall 1992). E[<G, Z> Z] = G; ||Z||^2 = mn exactly."""

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> RademacherNoise:
        return RademacherNoise(slot, slot.stream(seed, "z", step, query))
