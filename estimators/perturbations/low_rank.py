"""Low-rank directions U V^T (LOZO)."""

from estimators.bases import RightBasis
from estimators.perturbations.base import LowRankPerturbation, check_interval
from estimators.slots import Slot


class LowRank(LowRankPerturbation):
    """Z = U V^T, U (m x r) and V (n x r) Gaussian; V is kept for `interval` steps.

    LOZO (Chen et al. 2025, Algorithm 1). E[<G, Z> Z] = r G over U and V. The paper divides the
    estimate by r, its released code does not: nor do we, the factor belongs to the learning rate.
    """

    def __init__(self, rank: int, interval: int) -> None:
        self.rank = rank
        self.interval = check_interval(interval)

    def validate(self, slot: Slot) -> None:
        if slot.is_matrix:
            slot.check_rank(self.rank)

    def new_basis(self, slot: Slot, seed: int, epoch: int) -> dict:
        stream = slot.stream(seed, "V", epoch)
        return {"V": stream.normal((slot.n, self.rank), slot.dtype)}

    def basis(self, slot: Slot) -> RightBasis:
        return RightBasis(slot.state["V"])

    def coordinate_shape(self, slot: Slot) -> tuple[int, int]:
        return slot.m, self.rank
