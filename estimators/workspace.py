"""Perturbed tensors in reused buffers, for as long as the modules run that use them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.assignment import Assignment, Terms, assign
from estimators.slots import Slot
from estimators.streams import Stream


@dataclass
class _Share:
    """A buffer in which some tensors live, and how many of them are still needed."""

    buffer: Tensor
    needed: int


class Perturbed:
    """theta + noise of one parameter; `tensor` is it while there is one, in a shared buffer."""

    def __init__(self, slot: Slot, terms: Terms, rounding: Stream | None) -> None:
        self.slot = slot
        self.terms = terms
        self.rounding = rounding
        self.tensor: Tensor | None = None
        self.share: _Share | None = None


class Workspace:
    """Perturbs tensors into reused buffers, those of small modules together.

    Threads that draw noise get in the way of those of OpenMP, which spin for milliseconds after
    every operation: a few tensors at a time, both meet less often. `waiting` holds what an
    evaluation will need and has no tensor yet, in the order of the modules.
    """

    piece = 1 << 22  # entries that are perturbed at once, of one matrix or of several tensors

    def __init__(self) -> None:
        self.waiting: list[Perturbed] = []
        self.free: list[Tensor] = []

    def perturb(self, wanted: Perturbed) -> None:
        """Make a tensor, and those that wait behind it while there is space."""
        batch, entries = [wanted], wanted.slot.param.numel()
        if wanted in self.waiting:  # not if its module runs again
            place = self.waiting.index(wanted)
            for other in self.waiting[place + 1 :]:
                entries += other.slot.param.numel()
                kinds = {(one.slot.dtype, one.slot.device) for one in (wanted, other)}
                if entries > self.piece or len(kinds) > 1:
                    break
                batch.append(other)
            del self.waiting[place : place + len(batch)]
        sizes = [member.slot.param.numel() for member in batch]
        share = _Share(self.take(sum(sizes), wanted.slot), len(batch))
        assignments = []
        for member, part in zip(batch, share.buffer[: sum(sizes)].split(sizes), strict=True):
            slot = member.slot
            out = part.view(slot.m, slot.n)
            assignments.append(
                Assignment(slot, out, slot.matrix, 1.0, member.terms, member.rounding)
            )
            member.tensor, member.share = part.view(slot.param.shape), share
        assign(assignments)
        for assignment in assignments:
            for row in assignment.slot.fixed:
                assignment.out[row] = assignment.base[row]

    def leave(self, used: Perturbed) -> None:
        """Give back the place of one tensor."""
        share, used.tensor, used.share = used.share, None, None
        if share is not None:
            share.needed -= 1
            if not share.needed:
                self.free.append(share.buffer)

    def take(self, entries: int, like: Slot) -> Tensor:
        """Return a buffer of at least so many entries."""
        for index, buffer in enumerate(self.free):
            if buffer.dtype == like.dtype and buffer.device == like.device:
                found = self.free.pop(index)
                if found.numel() >= entries:
                    return found
                break  # replace the small buffer by a larger one, do not hold both
        with torch.inference_mode(False):
            return torch.empty(entries, dtype=like.dtype, device=like.device)

    def clear(self) -> None:
        """Forget all buffers."""
        self.waiting.clear()
        self.free.clear()
