"""One step's evaluations: noise made once, losses checked, weights brought back on failure."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from estimators.assignment import merge
from estimators.audit import Audit
from estimators.inplace import Applier, Offsets
from estimators.interrupts import Shield
from estimators.noise import Draw, Noise, Source
from estimators.rounding import Point, Written
from estimators.slots import Slot
from estimators.streams import Stream
from estimators.surroundings import Surroundings
from estimators.threads import parallel

Weights = dict[Draw, float]
Exchange = Callable[[Callable[[int], float], int], list[float]]


def in_order(compute: Callable[[int], float], count: int) -> list[float]:
    """Return [compute(0), ..., compute(count - 1)], the losses at the points of a direction."""
    return [compute(index) for index in range(count)]


class Evaluation:
    """The loss at theta + sum_j w_j Z_j during one step, as perturbations and directions see it.

    `source` is what draws come from, eps the scale of the noise, seed and step what it is keyed by.
    `exchange` is `in_order`, or what shares that work out among ranks. `recorded` replaces the
    closure when a run is replayed. `inspect` sees what the closure returns, `audit` its calls.
    """

    def __init__(
        self,
        closure: Callable[[], Any] | None,
        slots: Sequence[Slot],
        applier: Applier,
        exchange: Exchange,
        seed: int,
        step: int,
        *,
        source: Source,
        eps: float,
        shield: Shield,
        surroundings: Surroundings,
        recorded: Sequence[float] | None = None,
        inspect: Callable[[Any], None] | None = None,
        audit: Audit | None = None,
    ) -> None:
        self.closure = closure
        self.slots = slots
        self.applier = applier
        self.exchange = exchange
        self.seed = seed
        self.step = step
        self.source = source
        self.eps = eps
        self.losses: list[float] = []
        self._shield = shield
        self._surroundings = surroundings
        self._recorded: Iterator[float] | None = None if recorded is None else iter(recorded)
        self._inspect = inspect
        self._audit = audit
        self._noise: dict[tuple[Slot, Draw], Noise | None] = {}
        self._points: list[tuple[Weights, str | None]] = []

    def over(self, source: Source) -> Evaluation:
        """Return the same evaluation, with draws from another source."""
        other = copy.copy(self)
        other.source = source
        return other

    def draw(self, query: int) -> Draw:
        """Return draw number `query` of this step."""
        return Draw(self.source, query)

    def noise(self, slot: Slot, draw: Draw) -> Noise | None:
        """Return the noise of one tensor in one draw, made once a step."""
        key = slot, draw
        if key not in self._noise:
            self._noise[key] = draw.source.draw(slot, self.seed, self.step, draw.query)
        return self._noise[key]

    def terms(self, slot: Slot, weights: Weights, scale: float = 1.0) -> dict[Noise, float]:
        """Return the noise of one tensor with its weights."""
        pairs = ((self.noise(slot, draw), weight) for draw, weight in weights.items())
        return {noise: scale * weight for noise, weight in pairs if noise is not None}

    def position(self) -> int:
        """Return the number of points evaluated so far, which the next one is known by."""
        return len(self._points)

    def evaluate(self, points: Sequence[Weights], *, by: str | None = None) -> list[float]:
        """Return the losses at theta + sum_j w_j Z_j for each point {Z_j: w_j}.

        by: a number of its group that the weights of a tensor are multiplied by: its learning rate
        "lr", or "ratio", that to the largest of all groups.
        """
        first = len(self._points)
        self._points += [(point, by) for point in points]
        losses = self._shield.lowered(  # between losses: other ranks may never answer
            lambda: self.exchange(lambda index: self._loss(first + index), len(points))
        )
        self.losses.extend(losses)
        return losses

    def visited(self) -> list[Weights]:
        """Return the points evaluated so far, by their positions."""
        return [point for point, _ in self._points]

    def revisit(self, points: Sequence[Weights]) -> None:
        """Give points of an earlier evaluation the positions that they had there, the first."""
        self._points += [(point, None) for point in points]

    def written(self, slot: Slot, points: dict[int, float]) -> Written | None:
        """Return sum_i c_i (P_i - theta) for one tensor where its points are rounded, else None."""
        if not (slot.rounds and self.applier.keeps_theta(slot)):
            return None
        parts = [(c, self._point(slot, index)) for index, c in points.items()]
        parts = [(c, point) for c, point in parts if point.terms]
        low_rank = all(noise.low_rank for _, point in parts for _, noise in point.terms)
        return Written(slot, parts) if self.applier.writes(slot, low_rank) else None

    def dense(self, slot: Slot, terms: Weights, points: dict[int, float] | None) -> Tensor:
        """Return an estimate of one tensor, its terms or what its points have seen, in full."""
        total = torch.zeros(slot.m, slot.n, dtype=slot.compute_dtype, device=slot.device)
        written = self.written(slot, points) if points else None
        if written is not None:
            written.add_rows(total, 0, slot.m, 1.0, slot.matrix)
        else:
            for noise, weight in self.terms(slot, terms).items():
                total.add_(noise.dense(), alpha=weight)
        for row in slot.fixed:
            total[row] = 0.0
        return total.view(slot.param.shape)

    def gram(self, draws: Sequence[Draw]) -> Tensor:
        """Return the inner products <Z_i, Z_j> over all tensors (float64, on the CPU)."""
        total = torch.zeros(len(draws), len(draws), dtype=torch.float64, device="cpu")
        for slot in self.slots:
            noises = [z for draw in draws if (z := self.noise(slot, draw)) is not None]
            if noises:  # a step perturbs a tensor in all draws or in none
                total += _gram(slot, noises)
        return total

    def dimension(self) -> int:
        """Return the number of weights that draw 0 perturbs."""
        return sum(
            slot.param.numel() - len(slot.fixed) * slot.n
            for slot in self.slots
            if self.noise(slot, self.draw(0)) is not None
        )

    def _point(self, slot: Slot, index: int) -> Point:
        terms = self._offset(slot, index)
        return Point(tuple(merge([(w, z) for z, w in terms.items()])), self._rounding(slot, index))

    def _offset(self, slot: Slot, index: int) -> dict[Noise, float]:
        point, by = self._points[index]
        return self.terms(slot, point, 1.0 if by is None else float(slot.group.get(by, 1.0)))

    def _rounding(self, slot: Slot, index: int) -> Stream:
        return slot.stream(self.seed, "perturb", self.step, index)

    def _loss(self, index: int) -> float:
        offsets = {}
        for slot in self.slots:
            terms = self._offset(slot, index)
            if terms:
                offsets[slot] = terms
        if self._recorded is None:
            return self._checked(self._shield.raised(lambda: self._at(offsets, index, self._call)))
        if self.applier.moves_weights:
            self._shield.raised(lambda: self._at(offsets, index, lambda: None))
        try:
            return next(self._recorded)
        except StopIteration:
            raise ValueError(f"the log has too few losses for step {self.step}") from None

    def _at(self, offsets: Offsets, index: int, call: Callable[[], Any]) -> Any:
        return self.applier.evaluate(call, offsets, lambda slot: self._rounding(slot, index))

    def _call(self) -> Any:
        closure = self.closure
        if closure is None:
            raise ValueError("a step needs a closure, or the losses that a log has of it")
        with self._audit.watching() if self._audit is not None else nullcontext():
            try:
                return self._surroundings.call(lambda: self._shield.lowered(closure))
            except RuntimeError as error:
                if "does not require grad" not in str(error):
                    raise
                raise RuntimeError(
                    "the closure computes gradients, and a zeroth-order step needs none: return "
                    "the loss without backward(); a loss that is made of gradients takes "
                    "`with torch.enable_grad():` inside the closure"
                    + (
                        ""
                        if self.applier.moves_weights
                        else ', and apply="inplace" if these are gradients of the weights'
                    )
                ) from error

    def _checked(self, value: Any) -> float:
        if self._inspect is not None:
            self._inspect(value)
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
            value = value.item()
        if not isinstance(value, Real):
            shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
            raise ValueError(
                f"the closure must return a scalar loss, got {type(value).__name__}{shape}"
            )
        if not math.isfinite(value):
            raise ValueError(f"the closure returned {value} in step {self.step}; weights restored")
        return float(value)


def _gram(slot: Slot, noises: Sequence[Noise]) -> Tensor:
    weights, height = slot.matrix, slot.rows_per_block
    shape = slot.blocks, len(noises), len(noises)
    parts = torch.zeros(shape, dtype=torch.float64, device="cpu")

    def measure(block: int) -> None:
        low, high = block * height, min(slot.m, (block + 1) * height)
        base = weights[low:high]
        rows = torch.zeros(
            len(noises), high - low, slot.n, dtype=slot.compute_dtype, device=slot.device
        )
        for out, noise in zip(rows, noises, strict=True):
            noise.add_rows(out, low, high, 1.0, base)
            for row in slot.fixed:
                if low <= row < high:
                    out[row - low] = 0.0
        flat = rows.flatten(1).double()
        parts[block] = (flat @ flat.T).cpu()

    parallel(measure, slot.blocks, slot.device, slot.m * slot.n)
    return parts.sum(0)
