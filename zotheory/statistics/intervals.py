"""What an interval is, and what all methods share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq

from zotheory.montecarlo import Accumulator


@dataclass(frozen=True, eq=False)
class Interval:
    """Bounds for the mean of a statistic, arrays of its shape: () or (k,); may be infinite."""

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class IntervalMethod(Protocol):
    """A confidence interval computed from shards.

    `method(shards, alpha)` contains the means of all k coordinates at once with probability at
    least 1 - alpha, for every number of shards fixed in advance, under `assumption`. The k
    coordinates share alpha equally (Bonferroni).
    """

    name: str
    assumption: str

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval: ...


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1, got {alpha}")


def common_size(shards: Sequence[Accumulator]) -> int:
    """Samples per shard. Raises ValueError without shards or when their sizes differ."""
    sizes = {shard.count for shard in shards}
    if len(sizes) != 1:
        raise ValueError(f"need shards of one size, got sizes {sorted(sizes)}")
    return sizes.pop()


def shard_means(shards: Sequence[Accumulator]) -> np.ndarray:
    """Means of the shards, shape (number of shards, k), k = 1 for a scalar statistic."""
    return np.stack([np.atleast_1d(shard.mean) for shard in shards])


def bracketed_root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of a monotone function between `low` and `high`, to 1e-12 of their distance."""
    return brentq(function, low, high, xtol=1e-12 * (high - low))
