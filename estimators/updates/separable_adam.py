"""Adam with separable second moments (TeZO-Adam)."""

from typing import Any

from torch import Tensor

from estimators.assignment import Assignment, Terms, assign, low_rank
from estimators.bases import Basis, CPBasis
from estimators.noise import LowRankNoise, Noise
from estimators.rounding import store
from estimators.slots import Slot
from estimators.updates.base import Displacement, Elementwise, Job, check_beta, coordinates

_PIECE = 1 << 20  # entries of M and V that are expanded at once


class SeparableAdam(Elementwise):
    """w <- w - lr M / sqrt(V + delta), M and V expanded from factor-space moments.

    TeZO-Adam (Algorithm 1, lines 14 to 18, and Eq. 8): tau_M and tau_V average kappa tau and
    (kappa tau)^2, M = sum_s tau_M,s u_s v_s^T, V = sum_s tau_V,s u_s^2 (v_s^2)^T, the cross terms
    left out. No bias correction, delta inside the root, as printed. Vectors, of which the paper
    says nothing, get the same rule with dense moments. Needs the noise of `CP`. If u and v are
    redrawn, the moments start again.
    """

    moments = ("m", "v")
    homogeneous = False

    def __init__(self, beta1: float = 0.9, beta2: float = 0.99, delta: float = 1e-5) -> None:
        self.beta1 = check_beta("beta1", beta1)
        self.beta2 = check_beta("beta2", beta2)
        if delta <= 0.0:
            raise ValueError(f"delta must be positive, got {delta}")
        self.delta = delta

    def average(self, state: dict[str, Tensor], gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Update both moments and return them."""
        first = state["m"].lerp_(gradient, 1.0 - self.beta1)
        second = state["v"].mul_(self.beta2).addcmul_(gradient, gradient, value=1.0 - self.beta2)
        return first, second

    def direction(self, state: dict[str, Tensor], gradient: Tensor, job: Job) -> Tensor:
        first, second = self.average(state, gradient)
        return first / (second + self.delta).sqrt_()

    def write_coordinates(self, job: Job) -> None:
        slot, weights = job.slot, job.slot.matrix
        tau, basis = coordinates(job)
        if not isinstance(basis, CPBasis):
            raise TypeError("separable second moments need the CP perturbation")
        if job.restore:
            assign([Assignment(slot, weights, weights, 1.0, job.restore)])
        first, second = self.average(self.state(job, tuple(tau.shape)), tau)
        left, right = (t.to(slot.compute_dtype) for t in (basis.left, basis.right))
        mean, square = right * first, right.square() * second
        height = slot.rows_within(_PIECE)
        for low in range(0, slot.m, height):
            rows = slice(low, min(slot.m, low + height))
            u = left[rows]
            root = (u.square() @ square.T).add_(self.delta).sqrt_()
            step = (u @ mean.T).div_(root)
            wide = weights[rows].to(slot.compute_dtype).mul_(job.scale).sub_(step, alpha=job.lr)
            store(slot, wide, job.rounding, rows)

    def alone(self, slot: Slot, gradient: Tensor, rows: Any) -> Tensor:
        return gradient / self._second(slot, gradient, rows).add_(self.delta).sqrt_()

    def displacement(self, slot: Slot, terms: Terms) -> Noise:
        if not all(isinstance(noise, LowRankNoise) for _, noise in terms):
            return super().displacement(slot, terms)
        ((weight, noise),) = low_rank(terms)
        basis, wide = noise.basis, slot.compute_dtype
        if not isinstance(basis, CPBasis):
            raise TypeError("separable second moments need the CP perturbation")
        left, right = basis.left.to(wide), basis.right.to(wide)
        square = right.square() * self._second(slot, noise.coordinates.to(wide) * weight, ...)

        def step(gradient: Tensor, base: Tensor, rows: Any) -> Tensor:
            root = (left[rows].square() @ square.T).add_(self.delta).sqrt_()
            return gradient.div_(root)

        return Displacement(slot, terms, step)

    def _second(self, slot: Slot, gradient: Tensor, rows: Any) -> Tensor:
        second = gradient.square().mul_(1.0 - self.beta2)
        if "v" in slot.state:
            second.add_(slot.state["v"][rows], alpha=self.beta2)
        return second

    def rebase(self, slot: Slot, old: Basis, new: Basis) -> None:
        for name in self.moments:
            slot.state.pop(name, None)
