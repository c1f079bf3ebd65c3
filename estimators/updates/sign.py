"""Sign descent."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from estimators.slots import Slot
from estimators.updates.base import Elementwise, Job


class Sign(Elementwise):
    """w <- w - lr sign(g), entry by entry (ZO-SGD-Sign; Liu et al. 2019, Algorithm 1).

    Some released code multiplies Z by the sign of the projected gradient instead; the paper's
    rule is the one here.
    """

    dense_entries = True
    homogeneous = False

    def direction(self, state: dict[str, Tensor], gradient: Tensor, job: Job) -> Tensor:
        return gradient.sign_()

    def in_one_pass(self, job: Job) -> tuple[str, Sequence[float]]:
        return "sign", ()

    def alone(self, slot: Slot, gradient: Tensor, rows: Any) -> Tensor:
        return gradient.sign()
