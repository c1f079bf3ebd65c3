"""Directions on a sphere."""

from functools import cached_property

import torch
from torch import Tensor

from estimators.noise import DenseNoise
from estimators.perturbations.base import Perturbation
from estimators.slots import Slot
from estimators.streams import parallel


class SphereNoise(DenseNoise):
    """Gaussian entries scaled to the norm sqrt(mn), tensor by tensor."""

    @cached_property
    def factor(self) -> float:
        """sqrt(mn) / ||Z||, from one more pass over the Gaussian entries."""
        slot = self.slot
        if slot.device.type == "meta":
            return 1.0
        squares = torch.zeros(slot.blocks, dtype=torch.float64, device=slot.device)

        def measure(index: int) -> None:
            rows = min(slot.m, (index + 1) * slot.rows_per_block) - index * slot.rows_per_block
            entries = torch.empty(rows, slot.n, dtype=slot.compute_dtype, device=slot.device)
            entries.normal_(generator=self.stream.generator(index))
            squares[index] = entries.double().square().sum()

        parallel(measure, slot.blocks, slot.device, slot.m * slot.n)
        return float((slot.m * slot.n / squares.sum()).sqrt())

    def sample(self, out: Tensor, generator: torch.Generator | None) -> Tensor:
        return out.normal_(generator=generator).mul_(self.factor)


class Sphere(Perturbation):
    """vec(Z) uniform on the sphere of radius sqrt(mn) of each tensor.

    E[<G, Z> Z] = G, as for Gaussian Z, with ||Z||^2 = mn exactly (Nesterov & Spokoiny 2017,
    with the factor mn of the unit sphere taken into Z).
    """

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> SphereNoise:
        noise = SphereNoise(slot, slot.stream(seed, "z", step, query))
        noise.factor  # noqa: B018  computed here, not inside the workers
        return noise
