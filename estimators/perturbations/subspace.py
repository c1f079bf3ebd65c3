"""Directions in a random subspace U Z V^T (SubZO)."""

import torch

from estimators.bases import CoreBasis
from estimators.perturbations.base import LowRankPerturbation, check_interval
from estimators.slots import Slot


class Subspace(LowRankPerturbation):
    """Z = U S V^T, S (r x r) Gaussian, U (m x r) and V (n x r) with random orthonormal columns.

    SubZO / SubZero (Yu et al. 2024, Algorithms 1 to 3): U and V are the Q factors of Gaussian
    matrices, redrawn every `interval` steps. For fixed U, V: E[<G, Z> Z] = U U^T G V V^T; over
    Haar U, V: (r^2 / mn) G.
    """

    def __init__(self, rank: int, interval: int) -> None:
        self.rank = rank
        self.interval = check_interval(interval)

    def validate(self, slot: Slot) -> None:
        if slot.is_matrix:
            slot.check_rank(self.rank)

    def new_basis(self, slot: Slot, seed: int, epoch: int) -> dict:
        factors = {}
        for key, size in (("U", slot.m), ("V", slot.n)):
            drawn = slot.stream(seed, key, epoch).normal((size, self.rank), slot.compute_dtype)
            factors[key] = orthonormal(drawn).to(slot.dtype)
        return factors

    def basis(self, slot: Slot) -> CoreBasis:
        return CoreBasis(slot.state["U"], slot.state["V"])

    def coordinate_shape(self, slot: Slot) -> tuple[int, int]:
        return self.rank, self.rank


def orthonormal(matrix: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis of the columns; Haar for Gaussian columns.

    The diagonal of R is made positive: only then is Q of a Gaussian matrix Haar distributed.
    """
    if matrix.device.type == "meta":
        return matrix
    q, r = torch.linalg.qr(matrix)
    return q * torch.where(r.diagonal() < 0, -1.0, 1.0).to(q.dtype)
