"""What an interval is, and what all methods share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import t

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

    @property
    def name(self) -> str: ...

    @property
    def assumption(self) -> str: ...

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


def median_interval(values: ArrayLike, alpha: float) -> tuple[float, float]:
    """Bounds for the median of independent values, good after every value taken.

    Of values that come one after the other, of any continuous law, the bounds after the first n
    miss the median for some n at all with probability at most `alpha`: one may look after every
    value and stop as soon as one has seen enough.

    The first n values have S ~ Bin(n, 1/2) of them below the median. Were it Bin(n, p), with p
    drawn from the arcsine law, the likelihood ratio against 1/2 would be

        M_n = 2^n B(S + 1/2, n - S + 1/2) / B(1/2, 1/2),

    a positive martingale of mean 1, which ever reaches 1/alpha with probability at most alpha
    (Ville). So the bounds are the k-th smallest and the k-th largest value, where k is the number
    of S below n/2 with M_n >= 1/alpha. At 1e-4 they are the least and the greatest from n = 17 on
    (15 would do if n were fixed) and leave one out on either side from 22 on (19). Until then they
    are infinite. Raises ValueError without values and for values that are not finite.

    Mixtures over sign tests: Robbins (1970); for quantiles Howard & Ramdas (2022).
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    if ordered.ndim != 1 or not ordered.size or not np.isfinite(ordered).all():
        raise ValueError("a median needs a sequence of finite numbers")
    n = len(ordered)
    k = int(np.count_nonzero(log_sign_ratio(np.arange(n / 2), n) >= -np.log(alpha)))
    return (float(ordered[k - 1]), float(ordered[n - k])) if k else (-np.inf, np.inf)


def log_sign_ratio(below: np.ndarray, n: int) -> np.ndarray:
    """log M_n, the evidence against the median of n values of which so many lie below it."""
    ratio = betaln(below + 0.5, n - below + 0.5) - betaln(0.5, 0.5)
    return n * np.log(2) + ratio


def fewest_for_a_median(alpha: float) -> int:
    """The least number of values for which `median_interval` is finite."""
    check_alpha(alpha)
    return next(n for n in count(1) if log_sign_ratio(np.zeros(1), n)[0] >= -np.log(alpha))


# Student's interval, for few independent means whose law is near normal but otherwise unknown.


def student(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """Two-sided bounds for the mean of independent values, at error alpha if they are normal.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("Student's interval needs at least two values")
    half = t.ppf(1 - alpha / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def student_of_logs(values: np.ndarray, alpha: float) -> tuple[float, float]:
    """Student's interval for a geometric mean: the powers of e at the ends of the logarithms' one.

    values: positive, shape (n,), n >= 2. Of two values an end can be infinite, or 0.
    """
    with np.errstate(over="ignore"):
        low, high = np.exp(student(np.log(values), alpha))
    return float(low), float(high)


def jackknife(
    statistic: Callable[[np.ndarray], float], rows: np.ndarray, alpha: float
) -> tuple[float, float, float]:
    """A smooth function of means of independent rows, with Student's bounds for it.

    The standard error is the jackknife's, from the statistic of all rows but one. The bounds are
    infinite where the statistic is not finite, of all rows or without some. Raises ValueError for
    fewer than two rows.
    """
    count = len(rows)
    if count < 2:
        raise ValueError("the jackknife needs at least two rows")
    value = float(statistic(rows))
    left_out = np.array([statistic(np.delete(rows, i, axis=0)) for i in range(count)])
    if not np.isfinite([value, *left_out]).all():
        return value, -np.inf, np.inf
    half = t.ppf(1 - alpha / 2, count - 1) * np.sqrt((count - 1) * left_out.var())
    return value, float(value - half), float(value + half)
