"""What an interval is, and what all methods share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, t

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


# A median's interval from order statistics: no assumption on the law of the values.


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """An interval that misses the median of independent values with probability at most `alpha`.

    The number of n values below the median of a continuous law is Bin(n, 1/2), so the interval
    between the k-th smallest and the k-th largest value misses it with probability
    2 P(Bin(n, 1/2) < k); k is the largest for which that is at most `alpha`. Raises ValueError for
    values that are not finite and for fewer than 1 + log2(1 / alpha) of them, with which not even
    their whole range would do.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.ndim != 1 or not np.isfinite(ordered).all():
        raise ValueError("a median needs a sequence of finite numbers")
    n = len(ordered)
    k = int(np.count_nonzero(2 * binom.cdf(np.arange(n // 2), n, 0.5) <= alpha)) if n else 0
    if k == 0:
        raise ValueError(f"{n} values are too few for a median's interval at {alpha:g}")
    return float(ordered[k - 1]), float(ordered[n - k])


# Student's interval, for few independent means whose law is near normal but otherwise unknown.


def student(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """Two-sided bounds for the mean of independent values, at error alpha if they are normal.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("Student's interval needs at least two values")
    half = t.ppf(1 - alpha / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)
