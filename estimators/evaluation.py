"""One step's evaluations: noise made once, losses checked, weights brought back on failure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from torch import Tensor

from estimators.inplace import Applier
from estimators.noise import Noise
from estimators.probe import Draw, Probe, Weights
from estimators.slots import Slot

if TYPE_CHECKING:
    from estimators.perturbations.base import Perturbation

Exchange = Callable[[Callable[[int], float], int], list[float]]


def in_order(compute: Callable[[int], float], count: int) -> list[float]:
    """Return [compute(0), ..., compute(count - 1)], the losses at the points of a direction."""
    return [compute(index) for index in range(count)]


class Evaluation:
    """Evaluates the closure at perturbed weights.

    `exchange` is `in_order`, or what shares that work out among ranks. `recorded` replaces the
    closure when a run is replayed.
    """

    def __init__(
        self,
        closure: Callable[[], Any] | None,
        slots: Sequence[Slot],
        applier: Applier,
        exchange: Exchange,
        seed: int,
        step: int,
        recorded: Sequence[float] | None = None,
    ) -> None:
        self.closure = closure
        self.slots = slots
        self.applier = applier
        self.exchange = exchange
        self.seed = seed
        self.step = step
        self.losses: list[float] = []
        self._recorded: Iterator[float] | None = None if recorded is None else iter(recorded)
        self._noise: dict[tuple[Slot, Draw], Noise | None] = {}

    def probe(self, perturbation: Perturbation, eps: float) -> Probe:
        """Return the view that a direction gets of this step."""
        return Probe(perturbation, eps, self.seed, self.step, self.slots, self.noise, self.evaluate)

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

    def evaluate(self, points: Sequence[Weights], by_rate: bool) -> list[float]:
        """Return the loss at every point."""
        losses = self.exchange(lambda index: self._loss(points[index], by_rate), len(points))
        self.losses.extend(losses)
        return losses

    def _loss(self, point: Weights, by_rate: bool) -> float:
        offsets = {}
        for slot in self.slots:
            scale = float(slot.group["lr"]) if by_rate else 1.0
            terms = self.terms(slot, point, scale)
            if terms:
                offsets[slot] = terms
        if self._recorded is None:
            return self._checked(self.applier.evaluate(self.closure, offsets))
        if self.applier.moves_weights:
            self.applier.evaluate(lambda: None, offsets)
        try:
            return next(self._recorded)
        except StopIteration:
            raise ValueError(f"the log has too few losses for step {self.step}") from None

    def _checked(self, value: Any) -> float:
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
