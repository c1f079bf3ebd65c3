"""What an estimator is compared by, with intervals, from sums over batches of estimates.

Means of estimates are biased where they are squared: E||mean of g||^2 exceeds ||E g||^2 by the
variance over the count. Products <g_i, g_j> of different estimates are not: their mean over all
pairs i != j (a U-statistic) is unbiased for ||E g||^2, and so is its part across G.

Standard errors come from the jackknife over batches. It errs on the large side for every
statistic (Efron and Stein 1981), also at the edge: an unbiased estimator's mean has no part across
G, where bootstraps fail. The intervals are t intervals; since nothing is known of an estimator's
tails they hold as the samples grow, more slowly for heavy tails (CP's are).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from scipy import stats

from zotheory.probing.measure import Sums

LEVEL = 0.95
NAN = float("nan")


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95% interval, and the exact value where it is known."""

    value: float
    low: float
    high: float
    exact: float | None = None

    def beside(self, exact: float | None) -> Interval:
        """The same with the exact value beside it."""
        return Interval(self.value, self.low, self.high, exact)


@dataclass(frozen=True)
class Quantities:
    """Measured properties of an estimate g of G, ||G|| = 1, d entries, B loss values spent.

    losses: B, the mean where it varies.
    scale: <E g, G>/||G||^2.
    angle: between E g and G, in degrees; 0 if unbiased up to a factor.
    variance: E||g - E g||^2 / ||E g||^2.
    cos2: E cos^2(G, g), cos = 0 where g = 0.
    efficiency: E cos^2 d / (B - 1); NaN unless B > 1.
    """

    losses: float
    scale: Interval
    angle: Interval
    variance: Interval
    cos2: Interval
    efficiency: Interval


def quantities(batches: Sequence[Sums]) -> Quantities:
    """The quantities with their intervals, from independent batches of equal size (about)."""
    whole = reduce(add, batches)
    rest = [whole - batch for batch in batches]

    def jackknife(statistic: Callable[[Sums], float], level: float = LEVEL) -> Interval:
        left_out = np.array([statistic(sums) for sums in rest])
        spread = len(rest) - 1
        error = math.sqrt(spread * left_out.var())
        half = error * float(stats.t.ppf((1 + level) / 2, spread))
        value = statistic(whole)
        return Interval(value, value - half, value + half)

    return Quantities(
        whole.losses / whole.count,
        jackknife(_scale),
        # Two statistics make the angle; each has half of the error probability.
        _angle(*(jackknife(s, (1 + LEVEL) / 2) for s in (_scale, _across))),
        _variance(jackknife(_signal)),
        jackknife(_cos2),
        jackknife(_efficiency),
    )


def _scale(sums: Sums) -> float:
    return sums.along / sums.count


def _cos2(sums: Sums) -> float:
    return sums.cos2 / sums.count


def _efficiency(sums: Sums) -> float:
    spent = sums.losses / sums.count - 1
    return _cos2(sums) * sums.total.size / spent if spent > 0 else NAN


def _pairs(square_of_sum: float, sum_of_squares: float, count: int) -> float:
    """The mean of x_i x_j over pairs i != j."""
    return (square_of_sum - sum_of_squares) / (count * (count - 1))


def _norm2(sums: Sums) -> float:
    """||E g||^2, unbiased."""
    return _pairs(float(sums.total @ sums.total), sums.squares, sums.count)


def _across(sums: Sums) -> float:
    """||E g||^2 - <E g, G>^2, unbiased."""
    return _norm2(sums) - _pairs(sums.along**2, sums.along2, sums.count)


def _signal(sums: Sums) -> float:
    """||E g||^2 / E||g||^2, which is 1/(1 + relative variance)."""
    return _norm2(sums) / (sums.squares / sums.count) if sums.squares else NAN


def _variance(signal: Interval) -> Interval:
    def of(share: float) -> float:
        return math.inf if share <= 0 else 1 / min(share, 1.0) - 1

    if math.isnan(signal.value):
        return Interval(NAN, NAN, NAN)
    return Interval(of(signal.value), of(signal.high), of(signal.low))


def _angle(scale: Interval, across: Interval) -> Interval:
    """From <E g, G> and the squared length of the part of E g across G."""

    def between(along: float, across2: float) -> float:
        return math.degrees(math.atan2(math.sqrt(max(0.0, across2)), along))

    if scale.value == 0 and across.value == 0:
        return Interval(NAN, 0.0, 180.0)
    # For a negative part along G the angle falls as the part across grows.
    corners = [between(a, x) for a in (scale.low, scale.high) for x in (across.low, across.high)]
    return Interval(between(scale.value, across.value), min(corners), max(corners))
