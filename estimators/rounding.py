"""Noise as 16-bit weights show it: rounded stochastically, so that small numbers are not lost.

Rounding with E[round(x)] = x (`estimators.philox.rounding`) serves twice: an update smaller than
the spacing of the weights counts on average, and noise smaller than the spacing is evaluated on
average. What an evaluation then saw is not theta + eps Z but its rounded value, and that is what
is written: see `Written`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators import philox
from estimators.noise import Entries, Noise, joined
from estimators.slots import Slot
from estimators.streams import Stream


@dataclass(frozen=True)
class Point:
    """Where a loss was evaluated: theta + sum_j w_j Z_j for one tensor, rounded with a stream."""

    terms: tuple[tuple[float, Noise], ...]
    rounding: Stream


class Written(Noise):
    """sum_i c_i (P_i - theta), P_i the rounded points of evaluation: what the losses have seen.

    For a two-sided difference c = kappa / (2 eps) on the + side and -c on the other; then this is
    kappa Z, but for the noise that rounding took away, which no loss has seen, and that which it
    added, which every loss has. Entries that no evaluation moved are zero exactly.
    """

    reads_weights = True

    def __init__(self, slot: Slot, points: Sequence[tuple[float, Point]]) -> None:
        self.slot = slot
        self.points = points
        self.low_rank = all(z.low_rank for _, point in points for _, z in point.terms)

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        for share, point in self.points:
            seen = self._seen(point, start, stop, base)
            moved = seen.to(out.dtype).sub_(base.to(out.dtype))
            philox.write([philox.Sum(out, out, dense=(weight * share, moved))])

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        return self.dense()[rows]

    def _seen(self, point: Point, start: int, stop: int, base: Tensor) -> Tensor:
        """Return some rows of a point."""
        slot, rows = self.slot, slice(start, stop)
        entries = joined(point.terms)
        if entries is not None:
            seen = torch.empty(base.shape, dtype=slot.dtype, device=base.device)
            philox.write([entries.at(rows).added(seen, base, rows, rounding=point.rounding)])
            return seen
        wide = base.to(slot.compute_dtype, copy=True)
        for scale, noise in point.terms:
            noise.add_rows(wide, start, stop, scale, base)
        return narrowed(slot, wide, point.rounding, rows)


def narrowed(slot: Slot, wide: Tensor, rounding: Stream | None, rows: slice | Tensor) -> Tensor:
    """Return `wide`, some rows of a tensor (by their numbers or from one to another), in the type
    of the weights: rounded stochastically if that has 16 bits.
    """
    if slot.param.element_size() != 2 or rounding is None:
        return wide.to(slot.dtype)
    narrow = torch.empty(wide.shape, dtype=slot.dtype, device=wide.device)
    philox.write([Entries().added(narrow, wide, rows, rounding=rounding)])
    return narrow


def store(slot: Slot, wide: Tensor, rounding: Stream | None, rows: slice) -> None:
    """Write some rows of the weights: `narrowed`, or nothing where `wide` is their own memory."""
    weights = slot.matrix[rows]
    if wide.data_ptr() != weights.data_ptr() or slot.device.type == "meta":
        weights.copy_(narrowed(slot, wide, rounding, rows))
