"""Writing weights: out <- scale * base + sum_j w_j Z_j, in one pass over memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor

from estimators import philox
from estimators.interrupts import write_all
from estimators.kept import kept
from estimators.noise import Entries, LowRankNoise, Noise, joined
from estimators.products import add_product
from estimators.rounding import narrowed
from estimators.slots import Slot
from estimators.streams import Stream

Terms = Sequence[tuple[float, Noise]]

_PIECE = 1 << 20  # entries of a 16-bit matrix that are widened to 32 bits at once
_SQUARES = 1 << 22  # entries of a diagonal whose square roots are held at once


@dataclass(eq=False)
class Assignment:
    """out <- scale * base + sum of weighted noise, for one tensor or some rows of it.

    `out` may be `base`. With `rounding`, a 16-bit result is rounded stochastically from that
    stream; without, to nearest. `start` is the row of the tensor where both begin; for low-rank
    noise it lies on a block boundary.
    """

    slot: Slot
    out: Tensor
    base: Tensor
    scale: float
    terms: Terms
    rounding: Stream | None = None
    start: int = 0

    @kept
    def low_rank(self) -> bool:
        return bool(self.terms) and all(noise.low_rank for _, noise in self.terms)

    @kept
    def entries(self) -> Entries | None:
        """The noise as one pass over memory makes it, None if that takes more."""
        return joined(self.terms)

    def parts(self, height: int) -> list[slice]:
        """Return the rows, so many at a time."""
        return [
            slice(low, min(len(self.out), low + height)) for low in range(0, len(self.out), height)
        ]

    def sum(self, entries: Entries, rows: slice) -> philox.Sum:
        """Return what writes some rows in one pass."""
        there = slice(self.start + rows.start, self.start + rows.stop)
        out, base = self.out, self.base
        if rows.stop - rows.start < out.shape[0]:
            out = out[rows]
            base = out if self.out is self.base else base[rows]
        return entries.at(there).added(out, base, there, scale=self.scale, rounding=self.rounding)

    def run_rows(self, rows: slice) -> None:
        """Write the rows of one block; if noise cannot be drawn, they stay as they were."""
        out, base = self.out[rows], self.base[rows]
        in_place = self.out is self.base
        if in_place and any(z.reads_weights for _, z in self.terms):
            base = base.clone()
        wide = out if out.dtype == self.slot.compute_dtype else base.to(self.slot.compute_dtype)
        # A single draw is made before it is added; of several, the first would be there already.
        before = out.clone() if in_place and wide is out and self._writes_often else None
        start, stop = self.start + rows.start, self.start + rows.stop
        try:
            if wide is out and not in_place:
                out.copy_(base)
            if self.scale != 1.0:
                wide.mul_(self.scale)
            for weight, noise in self.terms:
                noise.add_rows(wide, start, stop, weight, base)
        except BaseException:
            if before is not None:
                out.copy_(before)
            raise
        if wide is not out:
            out.copy_(narrowed(self.slot, wide, self.rounding, slice(start, stop)))

    @property
    def _writes_often(self) -> bool:
        return len(self.terms) > 1 or self.scale != 1.0

    def run_low_rank(self) -> None:
        """Write all rows with one matrix product per basis."""
        slot = self.slot
        if slot.rounds:
            whole = replace(self, terms=merge(self.terms))
            height = slot.rows_within(_PIECE)
            for low in range(0, len(self.out), height):
                whole._round_rows(low, min(len(self.out), low + height))
            return
        products = [(w, z.basis.factors(z.coordinates)) for w, z in low_rank(self.terms)]
        if self.out is not self.base:
            self.out.copy_(self.base)
        scale = self.scale
        for weight, (left, right) in products:
            left = left[self.start : self.start + len(self.out)]
            add_product(self.out, left, right, weight, scale)
            scale = 1.0

    def undo(self, rows: slice) -> None:
        """Take back what has been written to some rows in place, up to rounding.

        Noise that depends on the weights stays: those that it has read are there no more.
        """
        if self.out is not self.base or any(noise.reads_weights for _, noise in self.terms):
            return
        back = replace(self, scale=1.0, terms=[(-w, z) for w, z in self.terms], rounding=None)
        if back.low_rank:
            back.run_low_rank()
        elif back.entries is not None:
            philox.write([back.sum(back.entries, rows)])
        else:
            back.run_rows(rows)
        self.out[rows].div_(self.scale)

    def _round_rows(self, low: int, high: int) -> None:
        slot, base = self.slot, self.base[low:high]
        wide = base.to(slot.compute_dtype, copy=True)
        if self.scale != 1.0:
            wide.mul_(self.scale)
        for weight, noise in self.terms:
            noise.add_rows(wide, self.start + low, self.start + high, weight, base)
        rows = slice(self.start + low, self.start + high)
        self.out[low:high] = narrowed(slot, wide, self.rounding, rows)


def merge(terms: Terms) -> list[tuple[float, Noise]]:
    """Add the coordinates of low-rank terms that share a basis; a term alone is left as it is.

    Terms of other kinds stay, at the front.
    """
    others = [(weight, noise) for weight, noise in terms if not isinstance(noise, LowRankNoise)]
    by_basis: dict[tuple[int, ...], list[tuple[float, LowRankNoise]]] = {}
    for weight, noise in terms:
        if isinstance(noise, LowRankNoise):
            factors = tuple(map(id, vars(noise.basis).values()))
            by_basis.setdefault(factors, []).append((weight, noise))
    merged = [group[0] if len(group) == 1 else (1.0, _sum(group)) for group in by_basis.values()]
    return [*others, *merged]


def low_rank(terms: Terms) -> list[tuple[float, LowRankNoise]]:
    """Merge terms that are all coordinates in a basis; TypeError for any other."""
    merged = merge(terms)
    found = [(weight, noise) for weight, noise in merged if isinstance(noise, LowRankNoise)]
    if len(found) < len(merged):
        raise TypeError("only LowRankNoise has coordinates in a basis")
    return found


def _sum(group: Sequence[tuple[float, LowRankNoise]]) -> LowRankNoise:
    first = group[0][1]
    wide = first.slot.compute_dtype
    total = cast(Tensor, sum(noise.coordinates.to(wide) * weight for weight, noise in group))
    return LowRankNoise(first.slot, first.basis, total)


def assign(assignments: Sequence[Assignment]) -> None:
    """Run assignments: dense ones in one pass over memory if they can be, else block by block in
    parallel; low-rank ones as products.

    If noise cannot be drawn, `write_all` tries once more; if it cannot be drawn then, weights are
    back where they were (up to rounding) when the error is raised.
    """
    sums: list[philox.Sum] = []
    pieces: list[tuple[Assignment, Entries, slice]] = []  # with a tensor more for each
    blocks: list[tuple[Assignment, slice]] = []
    for one in assignments:
        if one.low_rank:
            continue
        entries = one.entries
        if entries is None:
            blocks += [(one, rows) for rows in one.parts(one.slot.rows_per_block)]
        elif entries.squares is not None:
            pieces += [(one, entries, rows) for rows in one.parts(one.slot.rows_within(_SQUARES))]
        else:
            sums.append(one.sum(entries, slice(0, one.out.shape[0])))
    whole = philox.Writing(sums)
    begun: dict[int, philox.Writing] = {}
    written: list[tuple[Assignment, slice]] = []

    def write_piece(index: int) -> None:
        one, entries, rows = pieces[index]
        if index not in begun:
            begun[index] = philox.Writing([one.sum(entries, rows)])
        philox.write(begun[index])
        del begun[index]
        written.append((one, rows))

    def write_block(index: int) -> None:
        one, rows = blocks[index]
        one.run_rows(rows)
        written.append((one, rows))

    try:
        if whole:
            write_all(lambda _: philox.write(whole), 1, whole[0].out.device, 0)
        if pieces:  # one after the other: what writes them has threads of its own
            write_all(write_piece, len(pieces), pieces[0][0].slot.device, 0)
        if blocks:
            entries_in_all = sum(one.out[rows].numel() for one, rows in blocks)
            write_all(write_block, len(blocks), blocks[0][0].slot.device, entries_in_all)
        for one in assignments:
            if one.low_rank:
                one.run_low_rank()
                written.append((one, slice(0, len(one.out))))
    except BaseException:
        for writing in (whole, *begun.values()):
            writing.take_back()
        for one, rows in written:
            one.undo(rows)
        raise
