"""Moments that can be merged."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator:
    """Count, mean and sums of powers of deviations, m_p = sum_i (x_i - mean)^p, p = 2, 3, 4.

    `mean`, `m2`, `m3`, `m4` are float64 arrays of one shape: () for a scalar statistic, (k,) for
    k statistics drawn together. Merging uses the pairwise formulas of Chan, Golub and LeVeque
    (1983), extended to higher moments by Pebay (2008, Sandia report SAND2008-6212).
    """

    count: int
    mean: np.ndarray
    m2: np.ndarray
    m3: np.ndarray
    m4: np.ndarray

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
        square = deviation * deviation
        return cls(
            count=len(x),
            mean=np.asarray(mean),
            m2=np.asarray(square.sum(axis=0)),
            m3=np.asarray((square * deviation).sum(axis=0)),
            m4=np.asarray((square * square).sum(axis=0)),
        )

    def merge(self, other: "Accumulator") -> "Accumulator":
        """Moments of both sets of samples together."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"cannot merge shapes {self.mean.shape} and {other.mean.shape}")
        a, b = self.count, other.count
        n = a + b
        delta = other.mean - self.mean
        step = delta / n
        m2 = self.m2 + other.m2 + a * b * delta * step
        m3 = (
            self.m3
            + other.m3
            + a * b * (a - b) * delta * step**2
            + 3 * step * (a * other.m2 - b * self.m2)
        )
        m4 = (
            self.m4
            + other.m4
            + a * b * (a * a - a * b + b * b) * delta * step**3
            + 6 * step**2 * (a * a * other.m2 + b * b * self.m2)
            + 4 * step * (a * other.m3 - b * self.m3)
        )
        return Accumulator(n, self.mean + b * step, m2, m3, m4)

    @property
    def variance(self) -> np.ndarray:
        """Unbiased sample variance, m2 / (count - 1); NaN for one sample."""
        return self.m2 / (self.count - 1) if self.count > 1 else np.full_like(self.m2, np.nan)

    @property
    def skewness(self) -> np.ndarray:
        """Sample skewness, sqrt(count) m3 / m2^(3/2)."""
        return np.sqrt(self.count) * self.m3 / self.m2**1.5

    @property
    def kurtosis(self) -> np.ndarray:
        """Sample kurtosis (3 for a Gaussian), count m4 / m2^2."""
        return self.count * self.m4 / self.m2**2


def merge(shards: Iterable[Accumulator]) -> Accumulator:
    """All shards together, merged from the first to the last (rounding depends on the order).

    Raises ValueError when there are none.
    """
    shards = list(shards)
    if not shards:
        raise ValueError("no shards to merge")
    return reduce(Accumulator.merge, shards)
