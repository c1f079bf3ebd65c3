"""Descent along Hessian-scaled noise (HiZOO)."""

from collections.abc import Sequence

from estimators.perturbations.hessian_scaled import HessianScaledNoise
from estimators.updates.base import Job, write_rows
from estimators.updates.sgd import SGD


class HessianSGD(SGD):
    """w <- w - lr kappa Z with Z = H^(-1/2) u, then H <- (1 - alpha) H + alpha |c| H u^2.

    HiZOO (Zhao et al. 2024, Algorithm 1) with c = (f(+) - 2 f(0) + f(-)) / (2 eps^2) and
    u ~ N(0, I). Printed and released, the update divides by the root of
    the *new* H although the losses were taken along the old one; here the direction written is
    the direction evaluated, and H changes afterwards.
    """

    def __init__(self, smoothing: float = 1e-8) -> None:
        if not 0.0 <= smoothing <= 1.0:
            raise ValueError(f"smoothing must lie in [0, 1], got {smoothing}")
        self.smoothing = smoothing

    def write(self, jobs: Sequence[Job]) -> None:
        super().write(jobs)
        for job in jobs:
            self._average(job)

    def _average(self, job: Job) -> None:
        slot, alpha = job.slot, self.smoothing
        hessian = slot.state["H"]
        ((_, noise),) = job.terms
        if not isinstance(noise, HessianScaledNoise):
            raise TypeError("HiZOO's update needs the noise of HessianScaled")
        weight = alpha * abs(job.estimate.curvature)

        def write(rows: slice) -> None:
            u = noise.standard(rows)
            hessian[rows].mul_(u.square_().mul_(weight).add_(1.0 - alpha))

        write_rows(slot, slot.rows_per_block, write)
