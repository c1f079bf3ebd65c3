"""Noise: one draw Z for one tensor, as an operator that is never held in full.

Dense noise is regenerated block by block; low-rank noise keeps its factors.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.bases import Basis
from estimators.products import add_product
from estimators.slots import Slot
from estimators.streams import Stream, parallel


class Noise(ABC):
    """One draw Z (m x n) for the tensor of `slot`."""

    slot: Slot
    reads_weights = False  # whether Z depends on the unperturbed weights (magnitude masks)
    low_rank = False  # whether Z is made of factors, by products of matrices

    @abstractmethod
    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        """Add `weight` times rows start..stop of Z to `out`; `base` is those rows of the weights.

        `start` and `stop` lie on block boundaries (or are m).
        """

    @abstractmethod
    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        """Return the rows of Z with the given indices, shape (len(rows), n)."""

    def dense(self) -> Tensor:
        """Return Z as an m x n matrix in the computing type."""
        slot = self.slot
        out = torch.zeros(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
        weights = slot.matrix
        height = slot.rows_per_block

        def add(block: int) -> None:
            rows = slice(block * height, min(slot.m, (block + 1) * height))
            self.add_rows(out[rows], rows.start, rows.stop, 1.0, weights[rows])

        parallel(add, slot.blocks, slot.device, slot.m * slot.n)
        return out


class DenseNoise(Noise):
    """Independent standard normal entries, or what `transform` of a subclass makes of them."""

    def __init__(self, slot: Slot, stream: Stream) -> None:
        self.slot = slot
        self.stream = stream
        self._kept: Tensor | None = None

    def block(self, index: int, base: Tensor) -> Tensor:
        """Return the rows of block `index`; `base` is those rows of the weights.

        The noise of a short vector is kept as long as the draw: preparing a generator costs more.
        """
        if self._kept is not None:
            return self._kept.clone()
        out = torch.empty(base.shape, dtype=self.slot.compute_dtype, device=base.device)
        out = self.sample(out, self.stream.generator(index))
        if self.slot.blocks == 1 and not self.slot.is_matrix:
            self._kept = out.clone()
        return out

    def sample(self, out: Tensor, generator: torch.Generator | None) -> Tensor:
        """Fill `out` with independent entries and return it."""
        return out.normal_(generator=generator)

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        height = self.slot.rows_per_block
        for low in range(start, stop, height):
            rows = slice(low - start, min(stop, low + height) - start)
            out[rows].add_(self.block(low // height, base[rows]), alpha=weight)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        height = self.slot.rows_per_block
        out = torch.empty(len(rows), self.slot.n, dtype=self.slot.compute_dtype, device=rows.device)
        block_of = rows // height
        needed = block_of.unique().tolist()

        def fill(position: int) -> None:
            index = needed[position]
            low = index * height
            entries = self.block(index, base[low : low + height])
            here = (block_of == index).nonzero().squeeze(1)
            out[here] = entries[rows[here] - low]

        parallel(fill, len(needed), self.slot.device, len(needed) * height * self.slot.n)
        return out


class LowRankNoise(Noise):
    """Z = basis.expand(coordinates), of rank at most r, never formed in full."""

    low_rank = True

    def __init__(self, slot: Slot, basis: Basis, coordinates: Tensor) -> None:
        self.slot = slot
        self.basis = basis
        self.coordinates = coordinates

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        left, right = self.basis.factors(self.coordinates)
        right = right.to(out.dtype)
        # Block by block: a product's roundings may depend on its size, and no row may on the rest.
        for low in range(start, stop, self.slot.rows_per_block):
            high = min(stop, low + self.slot.rows_per_block)
            rows = left[low:high].to(out.dtype)
            add_product(out[low - start : high - start], rows, right, weight)

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        return self.basis.rows(rows, self.coordinates)


class Source(ABC):
    """Where draws come from: a distribution of Z for every tensor."""

    # Whether the draws of one step are independent, centred Gaussians with a common covariance:
    # then so are (Z_1 + Z_2) / sqrt 2 and (Z_1 - Z_2) / sqrt 2.
    gaussian = False

    @abstractmethod
    def draw(self, slot: Slot, seed: int, step: int, query: int) -> Noise | None:
        """Return the noise of one draw, or None if this tensor stays as it is."""


@dataclass(frozen=True)
class Draw:
    """Draw number `query` of a source, for all tensors at once."""

    source: Source
    query: int
