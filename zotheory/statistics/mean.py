"""The mean of values that one has at hand, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from zotheory.arguments import shown
from zotheory.montecarlo import Accumulator
from zotheory.statistics.bounded import Bernstein
from zotheory.statistics.catoni import Catoni
from zotheory.statistics.intervals import IntervalMethod, student

BATCHES = 30


@dataclass(frozen=True, repr=False)
class Mean:
    """An estimated mean, an interval [low, high] for it, and what is claimed of it, if known.

    `interval` names its level and its method.
    A list of them makes a pandas frame: ``pd.DataFrame([mean(a), mean(b)], index=["a", "b"])``.
    """

    estimate: float
    low: float
    high: float
    claimed: float | None
    samples: int
    interval: str

    def __repr__(self) -> str:
        claimed = "" if self.claimed is None else f", claimed {self.claimed:.4g}"
        return (
            f"{self.estimate:.4g} in [{self.low:.4g}, {self.high:.4g}]{claimed}"
            f" ({self.samples:,} samples, {self.interval})"
        )


def mean(
    values: ArrayLike,
    *,
    claimed: object = None,
    bounds: tuple[float, float] | None = None,
    variance: float | None = None,
    level: float = 0.99,
) -> Mean:
    """The mean of independent values of one law, with an interval at `level`.

    With `bounds` that hold every value, by the empirical Bernstein inequality; with an upper bound
    on the law's `variance`, by Catoni's estimator: both hold for every number of samples, however
    heavy the tails. With neither, Student's interval of the means of 30 batches, which holds in
    the limit of many samples.

    `claimed`, a number or a SymPy expression without symbols, is kept beside the estimate.

    Raises ValueError for values that are not finite, not one row of numbers, outside the bounds,
    or, with neither, fewer than 60; for both bounds and variance; and for another argument that is
    no number, or no pair of numbers.

    Example:
        >>> mean(np.random.default_rng(0).standard_normal(3_000) ** 2, claimed=1, variance=2)
        0.9877 in [0.9035, 1.072], claimed 1 (3,000 samples, 99% Catoni)
    """
    level = _number("level", level)
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    x = _row(values)
    told = None if claimed is None else _number("claimed", claimed)
    if bounds is not None and variance is not None:
        raise ValueError("give bounds or a variance, not both")
    if bounds is None and variance is None:
        if len(x) < 2 * BATCHES:
            raise ValueError(f"{len(x)} values are too few for {BATCHES} batches")
        batches = x[: len(x) // BATCHES * BATCHES].reshape(BATCHES, -1)
        low, high = student(batches.mean(axis=1), 1 - level)
        estimate, method = batches.mean(), f"Student, {BATCHES} batches"
    else:
        interval: IntervalMethod
        if bounds is not None:
            interval, shards = Bernstein(*_pair("bounds", bounds)), [Accumulator.of(x)]
        else:
            interval = Catoni(_number("variance", variance))
            shards = [Accumulator.of(value[None]) for value in x]
        found = interval(shards, 1 - level)
        estimate, method = found.estimate, interval.name
        low, high = float(found.lower), float(found.upper)
    named = f"{100 * level:.4g}% {method}"
    return Mean(float(estimate), low, high, told, len(x), named)


def _row(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a PyTorch tensor, which NumPy refuses if it needs a gradient
        values = values.detach().cpu()
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        x = None
    if x is None or x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"a mean needs one row of finite values, got {shown(values)}")
    return x


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        told = "a number, or an expression without symbols"
        raise ValueError(f"{name} must be {told}, got {shown(value)}") from error


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = value
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a pair (low, high), got {shown(value)}") from error
    return _number(name, low), _number(name, high)
