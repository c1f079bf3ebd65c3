"""Repeated estimates of one optimiser on one loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from estimators.streams import stream_key
from estimators.zeroth_order import ZerothOrder


def draw(
    optimizer: ZerothOrder, closure: Callable[[], Any], samples: int, *, seed: int = 0
) -> np.ndarray:
    """`samples` independent estimates of the gradient, one a row, all parameters side by side.

    Every one is `optimizer.estimate(closure)` with a seed of its own: a fresh optimiser's factors,
    subspaces and random masks are drawn anew for each, those of one that has made a step are kept.
    The optimiser and its parameters stay as they are. Shape (samples, d), in 64 bits.

    Example:
        >>> weight = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
        >>> draw(estimators.tezo([weight], rank=2), lambda: weight.sum(), 100).shape
        (100, 24)
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    rows = []
    for number in range(samples):
        key = stream_key("draw", seed, number) >> 2  # seeds are signed
        found = optimizer.estimate(closure, seed=key)
        rows.append(torch.cat([part.detach().cpu().double().flatten() for part in found.values()]))
    return torch.stack(rows).numpy()
