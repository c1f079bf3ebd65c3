"""Stochastic rounding to 16-bit floats: E[round(x)] = x, so that small numbers are not lost.

It serves twice: an update smaller than the spacing of the weights counts on average, and noise
smaller than the spacing is evaluated on average. What an evaluation then saw is not theta + eps Z
but its rounded value, and that is what is written: see `Written`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.noise import Noise
from estimators.philox.rounding import stochastic_round
from estimators.slots import Slot
from estimators.streams import Stream

_WORDS = 4  # 16-bit words in a random number of 64 bits


def dither(shape: Sequence[int], stream: Stream, block: int, device: torch.device) -> Tensor:
    """Return uniform 16-bit integers (int16), those of one block of a stream."""
    count = 1
    for size in shape:
        count *= size
    drawn = torch.empty(-(-count // _WORDS), dtype=torch.int64, device=device)
    drawn.random_(-(2**63), None, generator=stream.generator(block))
    return drawn.view(torch.int16)[:count].view(*shape)


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
        slot, height = self.slot, self.slot.rows_per_block
        for share, point in self.points:
            wide = base.to(slot.compute_dtype, copy=True)
            for scale, noise in point.terms:
                noise.add_rows(wide, start, stop, scale, base)
            for low in range(start, stop, height):
                rows = slice(low - start, min(stop, low + height) - start)
                seen = narrowed(slot, wide[rows], point.rounding, low // height)
                moved = seen.to(out.dtype) - base[rows].to(out.dtype)
                out[rows].add_(moved, alpha=weight * share)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        return self.dense()[rows]


def narrowed(slot: Slot, wide: Tensor, rounding: Stream | None, block: int) -> Tensor:
    """Return `wide` in the type of the weights: rounded stochastically if that has 16 bits."""
    if slot.param.element_size() != 2 or rounding is None:
        return wide.to(slot.dtype)
    return stochastic_round(wide, slot.dtype, dither(wide.shape, rounding, block, wide.device))


def narrowed_rows(slot: Slot, wide: Tensor, index: Tensor, rounding: Stream | None) -> Tensor:
    """Return `wide`, the rows of a tensor that `index` names, as `narrowed` returns them."""
    if slot.param.element_size() != 2 or rounding is None:
        return wide.to(slot.dtype)
    block_of, height = index // slot.rows_per_block, slot.rows_per_block
    random = torch.empty(wide.shape, dtype=torch.int16, device=wide.device)
    for block in block_of.unique().tolist():
        rows = min(slot.m, (block + 1) * height) - block * height
        here = (block_of == block).nonzero().squeeze(1)
        random[here] = dither((rows, slot.n), rounding, block, wide.device)[
            index[here] - block * height
        ]
    return stochastic_round(wide, slot.dtype, random)
