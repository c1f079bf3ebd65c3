"""Intervals for bounded and for nonnegative statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import beta

from zotheory.montecarlo import Accumulator, merge
from zotheory.statistics.intervals import (
    Interval,
    bracketed_root,
    check_alpha,
    common_size,
    shard_means,
)

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Bernstein:
    """Empirical Bernstein interval for a statistic with values in [low, high].

    mean +- (high - low) [sqrt(2 V l / n) + 7 l / (3 (n - 1))], l = log(4 / alpha), with V the
    sample variance of the n samples scaled to [0, 1] (Maurer and Pontil 2009, "Empirical
    Bernstein bounds and sample variance penalization", Theorem 4, on both sides).

    Raises ValueError when the moments cannot come from samples in [low, high].
    """

    low: float = 0.0
    high: float = 1.0
    name: ClassVar[str] = "empirical Bernstein"
    assumption: ClassVar[str] = "the statistic lies between the stated bounds"

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        check_alpha(alpha)
        total = _bounded_total(shards, self.low, self.high)
        n, level = total.count, np.log(4 * total.mean.size / alpha)
        if n < 2:
            raise ValueError("an empirical Bernstein interval needs at least two samples")
        width = self.high - self.low
        radius = np.sqrt(2 * total.variance * level / n) + width * 7 * level / (3 * (n - 1))
        lower, upper = total.mean - radius, total.mean + radius
        return Interval(total.mean, np.maximum(lower, self.low), np.minimum(upper, self.high))


@dataclass(frozen=True)
class BettingLower:
    """Lower bound for the mean of a nonnegative statistic, with no condition on its moments.

    For shard means x_1, ..., x_n >= 0 and a mean of at most b,

        E_n(b) = (1 / 13) sum_{j = 0}^{12} prod_i (1 + 2^-j (x_i / b - 1))

    is a nonnegative supermartingale that starts at 1, so it ever reaches 1 / alpha with
    probability at most alpha (Ville 1939; betting after Waudby-Smith and Ramdas 2024, the bets
    mixed as in Cover's universal portfolio). The lower bound is the b with E_n(b) = 1 / alpha.
    There is no upper bound: a claim "mean <= b" can be refuted by this method, never confirmed.

    Raises ValueError when a shard mean is negative.
    """

    name: ClassVar[str] = "betting, lower bound only"
    assumption: ClassVar[str] = "the statistic is nonnegative"

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        check_alpha(alpha)
        common_size(shards)
        x = shard_means(shards)
        if (x < 0).any():
            raise ValueError("the statistic has negative values")
        shape = shards[0].mean.shape
        share = alpha / x.shape[1]
        lower = np.array([_lower_by_betting(column, share) for column in x.T]).reshape(shape)
        return Interval(x.mean(axis=0).reshape(shape), lower, np.full(shape, np.inf))


@dataclass(frozen=True)
class ClopperPearson:
    """Exact binomial interval for the mean of a statistic with values 0 and 1.

    Clopper and Pearson (1934), by quantiles of the beta law.

    Raises ValueError when the moments cannot come from values 0 and 1.
    """

    name: ClassVar[str] = "Clopper-Pearson"
    assumption: ClassVar[str] = "the statistic is 0 or 1"

    def __call__(self, shards: Sequence[Accumulator], alpha: float) -> Interval:
        check_alpha(alpha)
        total = merge(shards)
        n, p = total.count, total.mean
        hits = np.rint(n * p)
        binary = np.abs(n * p - hits) < _ROUNDING * n
        binary &= np.abs(total.m2 - n * p * (1 - p)) < _ROUNDING * n
        if not binary.all():
            raise ValueError("Clopper-Pearson needs a statistic with values 0 and 1")
        tail = alpha / (2 * p.size)
        lower = np.where(hits == 0, 0.0, beta.ppf(tail, hits, n - hits + 1))
        upper = np.where(hits == n, 1.0, beta.isf(tail, hits + 1, n - hits))
        return Interval(p, lower, upper)


def _check_bounds(low: float, high: float) -> None:
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"bounds must be finite with low < high, got {low} and {high}")


def _bounded_total(shards: Sequence[Accumulator], low: float, high: float) -> Accumulator:
    """The shards merged, after a check that values in [low, high] can have these moments.

    m2 / n <= (high - mean)(mean - low) is necessary (Bhatia and Davis 2000).
    """
    common_size(shards)
    for shard in shards:
        slack = _ROUNDING * (high - low)
        inside = (shard.mean >= low - slack) & (shard.mean <= high + slack)
        largest = (high - shard.mean) * (shard.mean - low)
        if not (inside & (shard.m2 / shard.count <= largest + slack * (high - low))).all():
            raise ValueError(f"the statistic has values outside [{low}, {high}]")
    return merge(shards)


_FRACTIONS = 0.5 ** np.arange(13)


def _lower_by_betting(x: np.ndarray, alpha: float) -> float:
    """The b with E_n(b) = 1 / alpha for nonnegative observations x; 0 when all are 0."""
    top = x.max()
    if top == 0:
        return 0.0
    x, least = x / top, _FRACTIONS[-1]

    def log_capital(log_b: float) -> float:
        gain = x / np.exp(log_b) - 1
        with np.errstate(divide="ignore"):  # a whole stake lost on x = 0 is a capital of 0
            bets = np.log1p(_FRACTIONS[:, None] * gain).sum(axis=1)
        return np.logaddexp.reduce(bets) - np.log(len(_FRACTIONS)) + np.log(alpha)

    # The capital is at most 1 at the mean; below, the smallest bet on the largest x suffices.
    high = np.log(x.mean())
    low = np.log(least * alpha / len(_FRACTIONS)) + len(x) * np.log1p(-least)
    return float(top * np.exp(bracketed_root(log_capital, low, high)))
