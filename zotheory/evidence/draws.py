"""Repeated estimates of a gradient by the code that trains.

The one way in which samplers, the probe and `zotheory.draw` have estimates made: of an optimiser
of `estimators`, each with a seed of its own, so that a fresh optimiser's factors, subspaces and
random masks are drawn anew for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import estimators
from estimators.streams import stream_key
from estimators.zeroth_order import ZerothOrder
from zotheory.arguments import function, shown, whole

SEEDS = 1 << 62  # seeds are signed numbers of 64 bits


@dataclass(frozen=True)
class Recipe:
    """A recipe of `estimators` by name, with options as pairs; its seed is 0 unless they give one.

    A seed by default would be drawn from PyTorch's global generator.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def build(self, named: list[tuple[str, Tensor]], **more: Any) -> ZerothOrder:
        """The optimiser over named parameters; `more` are further options."""
        return getattr(estimators, self.name)(named, **{"seed": 0} | dict(self.options) | more)


def estimate(
    optimizer: ZerothOrder, closure: Callable[[], Any], seed: int, *, step: int | None = None
) -> dict[str, Tensor]:
    """The estimate {name: tensor} that a step with this seed would use; nothing is changed."""
    return optimizer.estimate(closure, seed=int(seed), step=step)


def estimates(
    optimizer: ZerothOrder, closure: Callable[[], Any], seeds: Iterable[int]
) -> Iterator[dict[str, Tensor]]:
    """An estimate {name: tensor} for each seed."""
    return (estimate(optimizer, closure, seed) for seed in seeds)


def joined(found: Iterable[Tensor]) -> Tensor:
    """The parts of an estimate side by side, in 64 bits on the CPU."""
    return torch.cat([part.detach().cpu().double().flatten() for part in found])


def rows(optimizer: ZerothOrder, closure: Callable[[], Any], seeds: Iterable[int]) -> np.ndarray:
    """An estimate for each seed, one a row, all parameters side by side: (seeds, d), 64 bits."""
    drawn = estimates(optimizer, closure, seeds)
    return torch.stack([joined(found.values()) for found in drawn]).numpy()


def draw(
    optimizer: ZerothOrder, closure: Callable[[], Any], samples: int, *, seed: int = 0
) -> np.ndarray:
    """`samples` independent estimates of the gradient, one a row, all parameters side by side.

    Every one is `optimizer.estimate(closure)` with a seed of its own: a fresh optimiser's factors,
    subspaces and random masks are drawn anew for each, those of one that has made a step are kept.
    The optimiser and its parameters stay as they are. Shape (samples, d), in 64 bits.

    Raises ValueError for an argument of another kind, and what the closure raises.

    Example:
        >>> weight = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
        >>> draw(estimators.tezo([weight], rank=2), lambda: weight.sum(), 100).shape
        (100, 24)
    """
    if not isinstance(optimizer, ZerothOrder):
        made = "an optimiser that a recipe of `estimators` made, such as estimators.mezo([weight])"
        raise ValueError(f"optimizer must be {made}, got {shown(optimizer)}")
    closure = function("closure", closure)
    samples, seed = whole("samples", samples, 1), whole("seed", seed, 0)
    return rows(optimizer, closure, (stream_key("draw", seed, i) >> 2 for i in range(samples)))
