"""Evaluation with the noise written into the weights: works for any closure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.assignment import Assignment, Terms, assign
from estimators.noise import Noise
from estimators.slots import Slot
from estimators.streams import Stream

Offsets = dict[Slot, dict[Noise, float]]
Rounding = Callable[[Slot], Stream]


class Applier(ABC):
    """A way to have the loss evaluated at theta + noise."""

    moves_weights: bool
    audit: bool  # whether the next evaluation looks more closely, at a closure that is new

    @abstractmethod
    def evaluate(self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding) -> Any:
        """Return what `call` returns at theta + sum of weighted noise, tensor by tensor.

        Where the weights are rounded, they are with the stream that `rounding` gives.
        """

    @abstractmethod
    def writes(self, slot: Slot, low_rank: bool) -> bool:
        """Whether the losses see theta + noise as a tensor of weights; low_rank: is the noise?"""

    @abstractmethod
    def keeps_theta(self, slot: Slot) -> bool:
        """Whether theta is known bit for bit while the losses are evaluated."""

    @abstractmethod
    def finish(self) -> dict[Slot, Terms]:
        """End the evaluations: return the noise that has to be added to come back to theta."""

    @abstractmethod
    def forget(self) -> None:
        """End a step: whoever called `finish` brings the weights back."""

    @abstractmethod
    def restore(self) -> None:
        """Bring the weights back to theta now."""


class InPlace(Applier):
    """Moves the weights from point to point by adding differences of noise.

    The way back regenerates the noise, which in floating point returns weights up to rounding.
    Tensors for which `keeps_copy` is true are copied before they are touched instead; they come
    back bit for bit, and every point is computed from the copy.

    A closure that writes a weight that is not copied raises RuntimeError: its noise cannot be
    taken off any more. `audit` has the first evaluation look at the bits themselves, since
    writes through `.data` leave no trace in PyTorch's version counters.
    """

    moves_weights = True

    def __init__(self, keeps_copy: Callable[[Slot], bool]) -> None:
        self.keeps_copy = keeps_copy
        self.audit = False
        self._offsets: Offsets = {}
        self._copies: dict[Slot, Tensor] = {}

    def evaluate(self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding) -> Any:
        self._move(offsets, rounding)
        moved = [slot for slot in offsets if slot not in self._copies]
        marks = [self._mark(slot) for slot in moved]
        audited, self.audit = self.audit, False
        bits = [checksum(slot.param) for slot in moved] if audited else []
        value = call()
        for slot, mark in zip(moved, marks, strict=True):
            if self._mark(slot) != mark:
                if slot.param.data_ptr() != mark[0]:  # other memory, on which no noise is
                    self._offsets = {s: o for s, o in self._offsets.items() if s is not slot}
                raise RuntimeError(_WRITTEN.format(slot.name))
        for slot, before in zip(moved, bits, strict=audited):
            if checksum(slot.param) != before:
                raise RuntimeError(_WRITTEN.format(slot.name))
        return value

    def writes(self, slot: Slot, low_rank: bool) -> bool:
        return True

    def keeps_theta(self, slot: Slot) -> bool:
        return self.keeps_copy(slot)

    def finish(self) -> dict[Slot, Terms]:
        for slot, copy in self._copies.items():
            slot.matrix.copy_(copy)
            slot.settle()
        return {
            slot: [(-weight, noise) for noise, weight in offset.items()]
            for slot, offset in self._offsets.items()
            if slot not in self._copies
        }

    def forget(self) -> None:
        self._offsets, self._copies = {}, {}

    def restore(self) -> None:
        left = self.finish()
        assign([Assignment(s, s.matrix, s.matrix, 1.0, terms) for s, terms in left.items()])
        self.forget()
        for slot in left:
            slot.settle()

    def _move(self, target: Offsets, rounding: Rounding) -> None:
        assignments = []
        for slot in {**self._offsets, **target}:
            new, old = target.get(slot, {}), self._offsets.get(slot, {})
            weights = slot.matrix
            slot.hold()
            if self.keeps_copy(slot):
                if slot not in self._copies:
                    self._copies[slot] = weights.clone()
                base, terms = self._copies[slot], [(w, z) for z, w in new.items()]
            else:
                base = weights
                moves = {z: new.get(z, 0.0) - old.get(z, 0.0) for z in {**old, **new}}
                terms = [(w, z) for z, w in moves.items() if w]
            if base is not weights or terms:
                stream = rounding(slot) if slot.rounds and base is not weights else None
                assignments.append(Assignment(slot, weights, base, 1.0, terms, stream))
        assign(assignments)
        self._offsets = target
        for assignment in assignments:
            assignment.slot.settle()

    @staticmethod
    def _mark(slot: Slot) -> tuple[int, int]:
        return slot.param.data_ptr(), slot.param._version


_WRITTEN = (
    '{} was written by the closure while noise was on it; use restore="copy", or freeze the '
    "weights that their module writes itself"
)


def checksum(tensor: Tensor) -> int:
    """Return the sum of a tensor's bits, read as integers."""
    kinds = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    bits = tensor.detach().contiguous().view(kinds[tensor.element_size()])
    return int(bits.sum(dtype=torch.int64))
