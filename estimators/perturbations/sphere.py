"""Directions on a sphere."""

import math

from estimators import philox
from estimators.kept import kept
from estimators.noise import DenseNoise, Entries
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot


class SphereNoise(DenseNoise):
    """Gaussian entries scaled to the norm sqrt(mn), tensor by tensor."""

    @kept
    def entries(self) -> Entries:
        return Entries(((self.factor, self.stream.key),))

    @kept
    def factor(self) -> float:
        """sqrt(mn) / ||Z||, from one more pass over the Gaussian entries."""
        slot = self.slot
        if slot.device.type == "meta":
            return 1.0
        count = slot.m * slot.n
        return math.sqrt(count / float(philox.gram([self.stream.key], count, device=slot.device)))


class Sphere(Perturbation):
    """vec(Z) uniform on the sphere of radius sqrt(mn) of each tensor.

    E[<G, Z> Z] = G, as for Gaussian Z, with ||Z||^2 = mn exactly (Nesterov & Spokoiny 2017,
    with the factor mn of the unit sphere taken into Z).
    """

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> SphereNoise:
        noise = SphereNoise(slot, slot.stream(seed, "z", step, query))
        noise.entries  # noqa: B018  computed here, not inside the workers
        return noise
