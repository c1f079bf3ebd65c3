"""Evaluation with the noise written into the weights: works for any closure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor

from estimators.assignment import Assignment, Terms, assign
from estimators.noise import Noise
from estimators.slots import Slot

Offsets = dict[Slot, dict[Noise, float]]


class Applier(ABC):
    """A way to have the loss evaluated at theta + noise."""

    moves_weights: bool

    @abstractmethod
    def evaluate(self, call: Callable[[], Any], offsets: Offsets) -> Any:
        """Return what `call` returns at theta + sum of weighted noise, tensor by tensor."""

    @abstractmethod
    def finish(self) -> dict[Slot, Terms]:
        """End a step: return the noise that still has to be added to come back to theta."""

    @abstractmethod
    def restore(self) -> None:
        """Bring the weights back to theta now."""


class InPlace(Applier):
    """Moves the weights from point to point by adding differences of noise.

    The way back regenerates the noise, which in floating point returns weights up to rounding.
    Tensors for which `keeps_copy` is true are copied before they are touched instead; they come
    back bit for bit, and every point is computed from the copy.
    """

    moves_weights = True

    def __init__(self, keeps_copy: Callable[[Slot], bool]) -> None:
        self.keeps_copy = keeps_copy
        self._offsets: Offsets = {}
        self._copies: dict[Slot, Tensor] = {}

    def evaluate(self, call: Callable[[], Any], offsets: Offsets) -> Any:
        self._move(offsets)
        return call()

    def finish(self) -> dict[Slot, Terms]:
        for slot, copy in self._copies.items():
            slot.matrix.copy_(copy)
        left = {
            slot: [(-weight, noise) for noise, weight in offset.items()]
            for slot, offset in self._offsets.items()
            if slot not in self._copies
        }
        self._offsets, self._copies = {}, {}
        return left

    def restore(self) -> None:
        left = self.finish()
        assign([Assignment(s, s.matrix, s.matrix, 1.0, terms) for s, terms in left.items()])

    def _move(self, target: Offsets) -> None:
        assignments = []
        for slot in {**self._offsets, **target}:
            new, old = target.get(slot, {}), self._offsets.get(slot, {})
            weights = slot.matrix
            if self.keeps_copy(slot):
                if slot not in self._copies:
                    self._copies[slot] = weights.clone()
                base, terms = self._copies[slot], [(w, z) for z, w in new.items()]
            else:
                base = weights
                moves = {z: new.get(z, 0.0) - old.get(z, 0.0) for z in {**old, **new}}
                terms = [(w, z) for z, w in moves.items() if w]
            if base is not weights or terms:
                assignments.append(Assignment(slot, weights, base, 1.0, terms))
        self._offsets = target
        assign(assignments)
