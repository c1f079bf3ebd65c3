"""Writing weights: out <- scale * base + sum_j w_j Z_j, in one pass over memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from estimators.noise import LowRankNoise, Noise
from estimators.products import add_product
from estimators.rounding import stochastic_round
from estimators.slots import Slot
from estimators.streams import Stream, parallel

Terms = Sequence[tuple[float, Noise]]

_PIECE = 1 << 20  # entries of a 16-bit matrix that are widened to 32 bits at once


@dataclass(frozen=True, eq=False)
class Assignment:
    """out <- scale * base + sum of weighted noise, for one tensor or some rows of it.

    `out` may be `base`. With `rounding`, a 16-bit result is rounded stochastically from that
    stream; without, to nearest. `start` is the row of the tensor where both begin, on a block
    boundary.
    """

    slot: Slot
    out: Tensor
    base: Tensor
    scale: float
    terms: Terms
    rounding: Stream | None = None
    start: int = 0

    @property
    def blocks(self) -> int:
        return -(-len(self.out) // self.slot.rows_per_block)

    @property
    def low_rank(self) -> bool:
        return bool(self.terms) and all(isinstance(z, LowRankNoise) for _, z in self.terms)

    def rows(self, block: int) -> slice:
        height = self.slot.rows_per_block
        return slice(block * height, min(len(self.out), (block + 1) * height))

    def run_block(self, block: int) -> None:
        """Write the rows of one block."""
        self._run_rows(self.rows(block), block)

    def _run_rows(self, rows: slice, block: int) -> None:
        out, base = self.out[rows], self.base[rows]
        if self.out is self.base and any(z.reads_weights for _, z in self.terms):
            base = base.clone()
        wide = out if out.dtype == self.slot.compute_dtype else base.to(self.slot.compute_dtype)
        if wide is out and self.out is not self.base:
            out.copy_(base)
        if self.scale != 1.0:
            wide.mul_(self.scale)
        for weight, noise in self.terms:
            noise.add_rows(wide, self.start + rows.start, self.start + rows.stop, weight, base)
        if wide is not out:
            store(out, wide, self.rounding, block)

    def run_low_rank(self) -> None:
        """Write all rows with one matrix product per basis."""
        slot = self.slot
        terms = merge(self.terms)
        if self.out.dtype != slot.compute_dtype:
            merged = replace(self, terms=terms)
            height = slot.rows_within(_PIECE)
            for low in range(0, len(self.out), height):
                merged._run_rows(slice(low, min(len(self.out), low + height)), low)
            return
        if self.out is not self.base:
            self.out.copy_(self.base)
        scale = self.scale
        for weight, noise in terms:
            left, right = noise.basis.factors(noise.coordinates)
            left = left[self.start : self.start + len(self.out)]
            add_product(self.out, left, right, weight, scale)
            scale = 1.0


def merge(terms: Terms) -> list[tuple[float, LowRankNoise]]:
    """Add the coordinates of low-rank terms that share a basis; a term alone is left as it is."""
    by_basis: dict[tuple[int, ...], list[tuple[float, LowRankNoise]]] = {}
    for weight, noise in terms:
        factors = tuple(map(id, vars(noise.basis).values()))
        by_basis.setdefault(factors, []).append((weight, noise))
    return [group[0] if len(group) == 1 else (1.0, _sum(group)) for group in by_basis.values()]


def _sum(group: Terms) -> LowRankNoise:
    first = group[0][1]
    wide = first.slot.compute_dtype
    total = sum(noise.coordinates.to(wide) * weight for weight, noise in group)
    return LowRankNoise(first.slot, first.basis, total)


def store(out: Tensor, wide: Tensor, rounding: Stream | None, block: int) -> None:
    """Narrow `wide` into `out`, stochastically if `rounding` is given and `out` has 16 bits."""
    if rounding is not None and out.element_size() == 2:
        wide = stochastic_round(wide, out.dtype, rounding.generator(block))
    out.copy_(wide)


def assign(assignments: Sequence[Assignment]) -> None:
    """Run assignments: dense ones block by block in parallel, low-rank ones as products."""
    blocks = [(a, b) for a in assignments if not a.low_rank for b in range(a.blocks)]
    if blocks:
        device = blocks[0][0].slot.device
        entries = sum(a.out.numel() for a in assignments)
        parallel(
            lambda index: blocks[index][0].run_block(blocks[index][1]), len(blocks), device, entries
        )
    for assignment in assignments:
        if assignment.low_rank:
            assignment.run_low_rank()
