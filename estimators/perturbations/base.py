"""Perturbation: which Z for one tensor, from (seed, step, query)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from estimators.bases import Basis
from estimators.evaluation import Evaluation
from estimators.noise import DenseNoise, LowRankNoise, Noise, Source
from estimators.slots import Slot

Rebase = Callable[[Slot, Basis, Basis], None]


class Perturbation(Source):
    """A distribution of Z for every tensor; what it keeps lives in `slot.state`.

    reads_weights: whether Z is made of the unperturbed weights wherever it is added, so that these
    have to be there.
    """

    @property
    def reads_weights(self) -> bool:
        return False

    def validate(self, slot: Slot) -> None:
        """Raise ValueError if the tensor cannot be perturbed this way."""

    def check(self, slots: Sequence[Slot]) -> None:
        """Raise ValueError if these tensors, all that are trained, cannot be perturbed this way."""

    def kept(self, slots: Sequence[Slot]) -> list[dict[str, Any]]:
        """Return what a first step would keep of each tensor because of its weights' values."""
        return [{} for _ in slots]

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        """Refresh what is kept, before the draws of a step, at unperturbed weights.

        `rebase` moves the update's moments when the basis of a tensor changes.
        """


class LowRankPerturbation(Perturbation):
    """Z = basis.expand(coordinates) for matrices, Gaussian Z for vectors.

    The basis is drawn at the start and every `interval` steps (never again if None); the
    coordinates are drawn anew for every query.
    """

    gaussian = True

    interval: int | None

    @abstractmethod
    def new_basis(self, slot: Slot, seed: int, epoch: int) -> dict:
        """Draw the factors of epoch number `epoch`, as entries of `slot.state`."""

    @abstractmethod
    def basis(self, slot: Slot) -> Basis:
        """Return the basis made of the factors in `slot.state`."""

    @abstractmethod
    def coordinate_shape(self, slot: Slot) -> tuple[int, ...]:
        """Return the shape of the coordinates of one draw."""

    def prepare(self, slots: Sequence[Slot], evaluation: Evaluation, rebase: Rebase) -> None:
        epoch = evaluation.step // self.interval if self.interval else 0
        for slot in slots:
            if slot.is_matrix and slot.state.get("epoch") != epoch:
                self.renew(slot, self.new_basis(slot, evaluation.seed, epoch), epoch, rebase)

    def renew(self, slot: Slot, factors: dict, epoch: int, rebase: Rebase) -> None:
        """Replace the basis of a tensor, and tell the update."""
        old = self.basis(slot) if "epoch" in slot.state else None
        # Row by row, as checkpoints bring them back: products round by the layout of their factors.
        slot.state.update(
            {key: factor.contiguous() for key, factor in factors.items()}, epoch=epoch
        )
        if old is not None:
            rebase(slot, old, self.basis(slot))

    def draw(self, slot: Slot, seed: int, step: int, query: int) -> Noise:
        stream = slot.stream(seed, "z", step, query)
        if not slot.is_matrix:
            return DenseNoise(slot, stream)
        coordinates = stream.normal(self.coordinate_shape(slot), slot.dtype)
        return LowRankNoise(slot, self.basis(slot), coordinates)


def check_interval(interval: int | None) -> int | None:
    """Return `interval`, or raise ValueError unless it is None or at least 1."""
    if interval is not None and interval < 1:
        raise ValueError(f"interval must be at least 1 step, got {interval}")
    return interval


def check_sparsity(sparsity: float) -> float:
    """Return `sparsity`, or raise ValueError unless it lies in [0, 1)."""
    if not 0.0 <= sparsity < 1.0:
        raise ValueError(f"sparsity must lie in [0, 1), got {sparsity}")
    return sparsity
