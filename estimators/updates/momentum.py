"""Momentum, in the coordinates of the noise."""

from collections.abc import Sequence

from torch import Tensor

from estimators.bases import Basis
from estimators.slots import Slot
from estimators.updates.base import Elementwise, Job, check_beta


class Momentum(Elementwise):
    """M <- beta M + (1 - beta) g, w <- w - lr M, M = 0 at the start.

    For dense noise this is MeZO-m. For low-rank noise M is kept as coordinates: tau_M of TeZO-m
    (Algorithm 1, lines 12 and 13), N of LOZO-m (Chen et al. 2025, Algorithm 2). As long as the
    basis stays, M expanded is the dense momentum exactly; when it changes, M is projected.
    """

    linear = True
    moments = ("momentum",)

    def __init__(self, beta: float = 0.9) -> None:
        self.beta = check_beta("beta", beta)

    def direction(self, state: dict[str, Tensor], gradient: Tensor, job: Job) -> Tensor:
        moment = state["momentum"]
        if self.in_coordinates(job):
            return moment.lerp_(gradient, 1.0 - self.beta)
        # Rounded term by term, as in one pass: `lerp_` rounds as the width of vectors has it.
        return moment.mul_(self.beta).add_(gradient * (1.0 - self.beta))

    def in_one_pass(self, job: Job) -> tuple[str, Sequence[float]]:
        return "momentum", (self.beta, 1.0 - self.beta)

    def rebase(self, slot: Slot, old: Basis, new: Basis) -> None:
        if "momentum" in slot.state:
            slot.state["momentum"] = old.transport(slot.state["momentum"], new)
