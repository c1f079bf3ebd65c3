"""Sub-Gaussian intervals for heavy tails, from a bound on the variance or on the kurtosis."""

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


@dataclass(frozen=True, eq=False)
class CatoniKurtosis:
    """Catoni's interval when only the kurtosis E(X - mu)^4 / sigma^4 is bounded.

    Half of alpha buys an upper bound on sigma^2. The unbiased variances w_i of the n shards of B
    samples have mean sigma^2 and, exactly, relative variance

        Var(w_i) / sigma^4 = (kurtosis - (B - 3) / (B - 1)) / B,

    so w_i / sigma^2 has mean 1 and a known bound on its variance, and Catoni's inequality for its
    lower tail is free of scale; the largest sigma^2 that it does not reject is the bound (the
    idea of Catoni 2012, Sec. 3, "Mean and variance estimates depending on the kurtosis"). It is
    infinite while n B is below about 2 (kurtosis - 1) log(2 k / alpha); while it is for one
    coordinate, the interval is the whole line for all. The other half of alpha goes to `Catoni`
    with that bound.

    Args:
        kurtosis: upper bound, >= 1 (3 for a Gaussian); a number, or shape (k,).

    Raises ValueError for shards of one sample.
    """

    kurtosis: float | np.ndarray
    name: ClassVar[str] = "Catoni, variance bounded through the kurtosis"
    assumption: ClassVar[str] = "the kurtosis is at most the stated bound"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.kurtosis).all() and np.all(np.asarray(self.kurtosis) >= 1)):
            raise ValueError(f"kurtosis must be finite and at least 1, got {self.kurtosis}")

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        check_alpha(alpha)
        variance = self.variance_bound(shards, alpha / 2)
        if np.isinf(variance).any():
            estimate = shard_means(shards).mean(axis=0).reshape(shards[0].mean.shape)
            nothing = np.full_like(estimate, np.inf)
            return Interval(estimate, -nothing, nothing)
        return Catoni(variance)(shards, alpha / 2)

    def variance_bound(self, shards: Sequence[Accumulator], alpha: float) -> np.ndarray:
        """Upper bounds of shape (k,), all valid at once with probability >= 1 - alpha."""
        size = common_size(shards)
        if size < 2:
            raise ValueError("a variance needs shards of at least two samples")
        w = np.stack([np.atleast_1d(shard.variance) for shard in shards])
        kurtosis = _per_column("kurtosis", self.kurtosis, w.shape[1])
        relative = (kurtosis - (size - 3) / (size - 1)) / size
        level = np.log(w.shape[1] / alpha)
        bounds = [_scale_bound(column, r, level) for column, r in zip(w.T, relative, strict=True)]
        return np.array(bounds)


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


def _scale_bound(w: np.ndarray, relative: float, level: float) -> float:
    """Upper bound on E w_i for nonnegative w_i whose variance is at most relative * (E w_i)^2."""
    a, threshold = _influence(len(w), relative, level)
    # As the mean grows every w_i / mean - 1 tends to -1: can such a mean be rejected at all?
    if len(w) * _psi(a) <= threshold or w.mean() == 0:
        return np.inf

    def excess(log_mean: float) -> float:
        return _psi(a * (w / np.exp(log_mean) - 1)).sum() + threshold

    low = high = np.log(w.mean())
    step = 1.0
    while excess(low) <= 0 or excess(high) >= 0:
        low, high, step = low - step, high + step, 2 * step
    return np.exp(bracketed_root(excess, low, high))
