"""Adam, in the coordinates of the noise."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from estimators.bases import Basis
from estimators.slots import Slot
from estimators.updates.base import Elementwise, Job, check_beta, root


class Adam(Elementwise):
    """Adam with bias correction and decoupled decay (Kingma & Ba 2015; Loshchilov & Hutter 2019).

    For dense noise this is MeZO-Adam. For SVD-0 (whose paper names Adam without defining it) the
    moments are those of the r x r core: the coordinates U^T G V of the gradient. They start again
    at every refresh, since second moments do not carry over to another basis.
    """

    moments = ("m", "v")
    homogeneous = False

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, delta: float = 1e-8) -> None:
        self.beta1 = check_beta("beta1", beta1)
        self.beta2 = check_beta("beta2", beta2)
        if delta <= 0.0:
            raise ValueError(f"delta must be positive, got {delta}")
        self.delta = delta

    def begin(self, job: Job) -> None:
        job.slot.state["count"] = job.slot.state.get("count", 0) + 1

    def direction(self, state: dict[str, Tensor], gradient: Tensor, job: Job) -> Tensor:
        v_share, m_share = self._shares(job)
        share = gradient * (1.0 - self.beta1)
        square = gradient.square().mul_(1.0 - self.beta2)
        first = state["m"].mul_(self.beta1).add_(share)
        second = state["v"].mul_(self.beta2).add_(square)
        return first / root(second * v_share).add_(self.delta).mul_(m_share)

    def in_one_pass(self, job: Job) -> tuple[str, Sequence[float]]:
        v_share, m_share = self._shares(job)
        betas = (self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2)
        return "adam", (*betas, v_share, self.delta, m_share)

    def _shares(self, job: Job) -> tuple[float, float]:
        """Return what corrects the bias: v is multiplied by the one, m divided by the other."""
        count = job.slot.state["count"]
        return 1.0 / (1.0 - self.beta2**count), 1.0 - self.beta1**count

    def alone(self, slot: Slot, gradient: Tensor, rows: Any) -> Tensor:
        count = slot.state.get("count", 0) + 1
        second = gradient.square().mul_(1.0 - self.beta2)
        if "v" in slot.state:
            second.add_(slot.state["v"][rows], alpha=self.beta2)
        return gradient / second.div_(1.0 - self.beta2**count).sqrt_().add_(self.delta)

    def rebase(self, slot: Slot, old: Basis, new: Basis) -> None:
        for name in ("m", "v", "count"):
            slot.state.pop(name, None)
