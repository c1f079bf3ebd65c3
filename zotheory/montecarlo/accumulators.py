"""Moments that can be merged."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator:
    """Count, mean and the sum of squared deviations, m2 = sum_i (x_i - mean)^2.

    `mean` and `m2` are float64 arrays of one shape: () for a scalar statistic, (k,) for k
    statistics drawn together. Merging uses the pairwise formulas of Chan, Golub and LeVeque (1983).
    """

    count: int
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray) -> "Accumulator":
        """Moments of `samples`, shape (size,) or (size, k), by the two-pass formula.

        Raises ValueError on another shape, on no samples, and on values that are not finite;
        TypeError on complex numbers and on what is no number.
        """
        x = np.asarray(samples).astype(np.float64, casting="same_kind", copy=False)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"samples must have shape (size,) or (size, k), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("samples contain NaN or infinity")
        mean = x.mean(axis=0)
        deviation = x - mean
        return cls(len(x), np.asarray(mean), np.asarray((deviation * deviation).sum(axis=0)))

    def merge(self, other: "Accumulator") -> "Accumulator":
        """Moments of both sets of samples together."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"cannot merge shapes {self.mean.shape} and {other.mean.shape}")
        a, b = self.count, other.count
        n = a + b
        delta = other.mean - self.mean
        step = delta / n
        m2 = self.m2 + other.m2 + a * b * delta * step
        return Accumulator(n, self.mean + b * step, m2)

    @property
    def variance(self) -> np.ndarray:
        """Unbiased sample variance, m2 / (count - 1); NaN for one sample."""
        return self.m2 / (self.count - 1) if self.count > 1 else np.full_like(self.m2, np.nan)


def merge(shards: Iterable[Accumulator]) -> Accumulator:
    """All shards together, merged from the first to the last (rounding depends on the order).

    Raises ValueError when there are none.
    """
    shards = list(shards)
    if not shards:
        raise ValueError("no shards to merge")
    return reduce(Accumulator.merge, shards)
