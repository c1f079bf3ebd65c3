"""Repeated estimates of one optimiser on one loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from estimators.streams import stream_key
from estimators.zeroth_order import ZerothOrder
from zotheory.arguments import function, shown, whole


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
    rows = []
    for number in range(samples):
        key = stream_key("draw", seed, number) >> 2  # seeds are signed
        found = optimizer.estimate(closure, seed=key)
        rows.append(torch.cat([part.detach().cpu().double().flatten() for part in found.values()]))
    return torch.stack(rows).numpy()
