"""Sub-Gaussian intervals for heavy tails, from a bound on the variance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from zotheory.montecarlo import Accumulator
from zotheory.statistics.intervals import (
    Interval,
    bracketed_root,
    check_alpha,
    common_size,
    shard_means,
)


@dataclass(frozen=True, eq=False)
class Catoni:
    """Catoni's interval for the mean of any law whose variance is at most `variance`.

    With x_1, ..., x_n the means of n shards of B samples, v = variance / B, L = log(2 / alpha),
    psi(y) = sign(y) log(1 + |y| + y^2 / 2) and a = sqrt(2 L / (n v)), the interval is

        { mu : |sum_i psi(a (x_i - mu))| <= n log(1 + a^2 v / 2) + L }.

    It holds with probability >= 1 - alpha for every n, with no condition on the tails or on the
    skew, because E exp(+-psi(a (x_i - E x_i))) <= 1 + a^2 v / 2 (Catoni 2012, "Challenging the
    empirical mean and empirical variance", Sec. 2; inverting the inequality itself, as Wang and
    Ramdas 2023, "Catoni-style confidence sequences for heavy-tailed mean estimation", do, needs
    no lower limit on n). Its half-width tends to sqrt(2 variance L / (n B)), where a normal
    interval with known variance has the quantile z(alpha/2) < sqrt(2 L). Below about n = 2 L
    shards it is wide.

    Args:
        variance: upper bound on the variance of one sample, > 0; a number, or shape (k,).
    """

    variance: float | np.ndarray
    name: ClassVar[str] = "Catoni"
    assumption: ClassVar[str] = "the variance is at most the stated bound"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.variance).all() and np.all(np.asarray(self.variance) > 0)):
            raise ValueError(f"variance must be positive and finite, got {self.variance}")

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        check_alpha(alpha)
        size, x = common_size(shards), shard_means(shards)
        variance = _per_column("variance", self.variance, x.shape[1]) / size
        level = np.log(2 * x.shape[1] / alpha)
        ends = [_interval(column, v, level) for column, v in zip(x.T, variance, strict=True)]
        lower, estimate, upper = np.array(ends).T.reshape(3, *shards[0].mean.shape)
        return Interval(estimate, lower, upper)


def _per_column(label: str, bound: float | np.ndarray, columns: int) -> np.ndarray:
    """A bound for every column, from one for all or one for each."""
    if np.shape(bound) not in ((), (columns,)):
        raise ValueError(f"{label} has shape {np.shape(bound)}, for {columns} statistics")
    return np.broadcast_to(np.asarray(bound, dtype=float), (columns,))


def _psi(y: np.ndarray) -> np.ndarray:
    """Catoni's widest influence function, sign(y) log(1 + |y| + y^2 / 2)."""
    size = np.abs(y)
    return np.copysign(np.log1p(size + size * size / 2), y)


def _influence(n: int, variance: float, level: float) -> tuple[float, float]:
    """Catoni's a, and the threshold that sum_i psi(a (x_i - mean)) passes with probability at
    most exp(-level), for n independent x_i of at most this variance."""
    a = np.sqrt(2 * level / (n * variance))
    return a, n * np.log1p(level / n) + level


def _interval(x: np.ndarray, variance: float, level: float) -> tuple[float, float, float]:
    """The mu at which sum_i psi(a (x_i - mu)) is threshold, 0 and -threshold."""
    a, threshold = _influence(len(x), variance, level)
    # At this distance from all points every psi exceeds threshold / n.
    reach = np.sqrt(2 * np.exp(threshold / len(x))) / a
    low, high = x.min() - reach, x.max() + reach

    def end(value: float) -> float:
        return bracketed_root(lambda mu: _psi(a * (x - mu)).sum() - value, low, high)

    return end(threshold), end(0.0), end(-threshold)
