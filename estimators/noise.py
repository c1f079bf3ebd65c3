"""Noise: one draw Z for one tensor, as an operator that is never held in full.

Dense noise is regenerated while it is added; low-rank noise keeps its factors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from estimators import philox
from estimators.bases import Basis
from estimators.kept import kept
from estimators.products import add_product
from estimators.slots import Slot
from estimators.streams import Stream
from estimators.threads import parallel


class Noise(ABC):
    """One draw Z (m x n) for the tensor of `slot`."""

    slot: Slot
    reads_weights = False  # whether Z depends on the unperturbed weights (magnitude masks)
    low_rank = False  # whether Z is made of factors, by products of matrices

    @property
    def entries(self) -> Entries | None:
        """Z as one pass over memory makes it, None if it cannot."""
        return None

    @abstractmethod
    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        """Add `weight` times rows start..stop of Z to `out`; `base` is those rows of the weights.

        For low-rank noise, `start` and `stop` lie on block boundaries (or are m).
        """

    @abstractmethod
    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        """Return the rows of Z with the given indices, shape (len(rows), n)."""

    def block(self, index: int, base: Tensor) -> Tensor:
        """Return the rows of block `index` of Z; `base` is those rows of the weights."""
        out = torch.zeros(base.shape, dtype=self.slot.compute_dtype, device=base.device)
        start = index * self.slot.rows_per_block
        self.add_rows(out, start, start + len(base), 1.0, base)
        return out

    def dense(self) -> Tensor:
        """Return Z as an m x n matrix in the computing type."""
        slot = self.slot
        out = torch.empty(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
        weights = slot.matrix
        height = slot.rows_per_block

        def fill(index: int) -> None:
            rows = slice(index * height, min(slot.m, (index + 1) * height))
            out[rows] = self.block(index, weights[rows])

        parallel(fill, slot.blocks, slot.device, slot.m * slot.n)
        return out


@dataclass(eq=False)
class Entries:
    """sum_j w_j z_j where masks are on, plus w M: what `philox.Sum` adds to a tensor in one pass.

    terms: (w_j, key of z_j). signs: whether z_j are signs, not normal numbers. dense: (w, M).
    mask, threshold, sparse: where z_j are added, as in `philox.Sum`. squares: H, by the square
    roots of whose entries those of z_j are divided. factor: 1 / sqrt(H), once rows are picked.
    Tensors are m x n.
    """

    terms: tuple[tuple[float, int], ...] = ()
    signs: bool = False
    dense: tuple[float, Tensor] | None = None
    mask: Tensor | None = None
    threshold: float | None = None
    sparse: tuple[int, int] | None = None
    squares: Tensor | None = None
    factor: Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a sum of streams and nothing else: most are, and small tensors many."""
        masked = self.mask is not None or self.threshold is not None or self.sparse is not None
        return not masked and self.dense is None and self.squares is None and self.factor is None

    def scaled(self, weight: float) -> Entries:
        """Return `weight` times this."""
        terms = tuple([(weight * w, key) for w, key in self.terms])
        if self.plain:
            return Entries(terms, self.signs)
        dense = self.dense and (weight * self.dense[0], self.dense[1])
        return replace(self, terms=terms, dense=dense)

    def at(self, rows: slice | Tensor, base: Tensor | None = None) -> Entries:
        """Return these rows of it; with `base`, those of the weights, its threshold is a mask."""
        if self.plain:
            return self
        mask, threshold = None if self.mask is None else self.mask[rows], self.threshold
        if base is not None and threshold is not None:
            mask, threshold = base.abs() <= threshold, None
        dense = self.dense and (self.dense[0], self.dense[1][rows])
        factor = None if self.squares is None else self.squares[rows].rsqrt()
        return replace(self, mask=mask, threshold=threshold, dense=dense, factor=factor)

    def added(
        self,
        out: Tensor,
        base: Tensor | None,
        rows: slice | Tensor,
        *,
        scale: float = 1.0,
        rounding: Stream | None = None,
    ) -> philox.Sum:
        """Return what writes `scale` base + this to `out`; all of them are these rows."""
        offset = 0 if isinstance(rows, Tensor) else rows.start * out.shape[1]
        return philox.Sum(
            out,
            base,
            self.terms,
            offset=offset,
            scale=scale,
            signs=self.signs,
            rounding=None if rounding is None else rounding.key,
            dense=self.dense,
            factor=self.factor,
            mask=self.mask,
            threshold=self.threshold,
            sparse=self.sparse,
            rows=rows if isinstance(rows, Tensor) else None,
        )


def joined(terms: Sequence[tuple[float, Noise]]) -> Entries | None:
    """Return weighted noise as one pass over memory makes it, None if that takes several."""
    if not terms:
        return Entries()
    if len(terms) == 1:
        ((weight, noise),) = terms
        return None if noise.entries is None else noise.entries.scaled(weight)
    parts = [part for _, noise in terms if (part := noise.entries) is not None]
    if len(parts) < len(terms):
        return None
    first = parts[0]
    for other in parts[1:]:
        if other.signs != first.signs or other.threshold != first.threshold:
            return None
        if other.mask is not first.mask or other.sparse != first.sparse:
            return None
        if other.squares is not first.squares:
            return None
    scaled = [part.scaled(weight) for part, (weight, _) in zip(parts, terms, strict=True)]
    tensors = [part.dense for part in scaled if part.dense is not None]
    if any(tensor is not tensors[0][1] for _, tensor in tensors):
        return None
    dense = (sum(weight for weight, _ in tensors), tensors[0][1]) if tensors else None
    return replace(first, terms=tuple(t for part in scaled for t in part.terms), dense=dense)


class DenseNoise(Noise):
    """Independent standard normal entries, or what `entries` of a subclass makes of a stream."""

    def __init__(self, slot: Slot, stream: Stream) -> None:
        self.slot = slot
        self.stream = stream

    @kept
    def entries(self) -> Entries:
        return Entries(((1.0, self.stream.key),))

    def add_rows(self, out: Tensor, start: int, stop: int, weight: float, base: Tensor) -> None:
        rows = slice(start, stop)
        entries = self.entries.at(rows, base).scaled(weight)
        philox.write([entries.added(out, out, rows)])

    def lookup(self, rows: Tensor, base: Tensor) -> Tensor:
        shape = len(rows), self.slot.n
        out = torch.empty(shape, dtype=self.slot.compute_dtype, device=rows.device)
        entries = self.entries
        base = base if entries.threshold is None else base[rows]
        philox.write([entries.at(rows, base).added(out, None, rows)])
        return out

    def dense(self) -> Tensor:
        slot, rows = self.slot, slice(0, self.slot.m)
        out = torch.empty(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
        philox.write([self.entries.at(rows, slot.matrix).added(out, None, rows)])
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
