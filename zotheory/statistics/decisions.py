"""Verdicts on statements about means.

Each `decide_*` asks an interval method for simultaneous bounds at level alpha and compares them
with the statement by the one rule of `zotheory.statistics.rule`. Under the method's assumption the
bounds fail with probability at most alpha. Unless they do, what is `refuted` is false, and what is
`confirmed` is true up to its tolerance.
For a statistic with k coordinates the statement is about all of them: one coordinate refutes it,
all are needed to confirm it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zotheory.montecarlo import Accumulator
from zotheory.statistics.intervals import Interval, IntervalMethod
from zotheory.statistics.rule import Ends, decided

Verdict = Literal["confirmed", "refuted", "inconclusive"]
Numbers = float | tuple[float, ...]

DEFAULT_ALPHA = 1e-4


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on.

    `estimate`, the two ends of `interval`, and `target` are numbers for a scalar statistic and
    tuples for one with k coordinates. `alpha` bounds the probability of a wrong verdict;
    `samples` counts the samples seen, `looks` the times a verdict was attempted, `telling` is the
    coordinate that refutes, or the first that is not confirmed, or 0.
    """

    verdict: Verdict
    estimate: Numbers
    interval: tuple[Numbers, Numbers]
    target: Numbers
    tolerance: float
    alpha: float
    samples: int
    looks: int
    method: str
    assumption: str
    telling: int = 0


def decide_equal(
    shards: Sequence[Accumulator],
    *,
    method: IntervalMethod,
    target: float | np.ndarray,
    tolerance: float,
    scale: float | np.ndarray | None = None,
    alpha: float = DEFAULT_ALPHA,
) -> Decision:
    """Judge "mean = target".

    refuted: the interval excludes the target. confirmed: it contains the target and lies within
    target +- tolerance * scale. `scale` is |target| unless given, as it must be for a target 0.
    """
    band = _band(target, tolerance, scale)
    return _against(shards, method, alpha, "==", target, tolerance, band, sharp=True)


def decide_within(
    shards: Sequence[Accumulator],
    *,
    method: IntervalMethod,
    target: float | np.ndarray,
    tolerance: float,
    scale: float | np.ndarray | None = None,
    alpha: float = DEFAULT_ALPHA,
) -> Decision:
    """Judge "mean lies within target +- tolerance * scale".

    refuted: the interval and the band are disjoint. confirmed: the interval lies in the band.
    `scale` is |target| unless given, as it must be for a target 0.
    """
    band = _band(target, tolerance, scale)
    return _against(shards, method, alpha, "==", target, tolerance, band)


def decide_at_most(
    shards: Sequence[Accumulator],
    *,
    method: IntervalMethod,
    bound: float | np.ndarray,
    tolerance: float = 0.0,
    alpha: float = DEFAULT_ALPHA,
) -> Decision:
    """Judge "mean <= bound".

    refuted: the interval lies above the bound. confirmed: it does not, and ends below bound +
    tolerance * |bound|. A sharp bound (mean = bound) needs a tolerance > 0 to be confirmed.
    """
    return _bounded(shards, method, alpha, "<=", bound, tolerance)


def decide_at_least(
    shards: Sequence[Accumulator],
    *,
    method: IntervalMethod,
    bound: float | np.ndarray,
    tolerance: float = 0.0,
    alpha: float = DEFAULT_ALPHA,
) -> Decision:
    """Judge "mean >= bound", as `decide_at_most` judges the opposite."""
    return _bounded(shards, method, alpha, ">=", bound, tolerance)


def decide_less(
    shards: Sequence[Accumulator],
    *,
    method: IntervalMethod,
    margin: float = 1.0,
    alpha: float = DEFAULT_ALPHA,
) -> Decision:
    """Judge "mean of A < margin * mean of B" for a statistic with the two columns A, B.

    Each mean has an interval at level alpha / 2. refuted: A's lies at or above margin times B's.
    confirmed: it lies below. `target` is margin times the estimate of B, for both columns'
    comparison. Raises ValueError unless the statistic has shape (2,) and margin > 0.
    """
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be positive, got {margin}")
    interval = method(shards, alpha)
    if interval.estimate.shape != (2,):
        raise ValueError(f"need a statistic of shape (2,), got {interval.estimate.shape}")
    less, greater = (Ends(interval.lower[i], interval.upper[i]) for i in (0, 1))
    found = decided("<", less, Ends(margin * greater.low, margin * greater.high))
    target = margin * interval.estimate[1]
    return _decision(shards, method, alpha, interval, found, target, tolerance=0.0)


def _band(
    target: float | np.ndarray, tolerance: float, scale: float | np.ndarray | None
) -> np.ndarray:
    """Half-width of the band round the target."""
    _check_finite("target", target)
    band = np.asarray(tolerance * (np.abs(target) if scale is None else scale), dtype=float)
    if not (np.isfinite(band).all() and (band > 0).all()):
        raise ValueError(
            "tolerance and scale must be positive and finite (a target 0 needs a scale): "
            f"tolerance {tolerance}, scale {scale}, target {target}"
        )
    return band


def _check_finite(label: str, number: float | np.ndarray) -> None:
    if not np.isfinite(number).all():
        raise ValueError(f"{label} must be finite, got {number}")


def _bounded(
    shards: Sequence[Accumulator],
    method: IntervalMethod,
    alpha: float,
    sign: str,
    bound: float | np.ndarray,
    tolerance: float,
) -> Decision:
    _check_finite("bound", bound)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be finite and at least 0, got {tolerance}")
    beyond = tolerance * np.abs(bound)
    return _against(shards, method, alpha, sign, bound, tolerance, beyond)


def _against(
    shards: Sequence[Accumulator],
    method: IntervalMethod,
    alpha: float,
    sign: str,
    target: float | np.ndarray,
    tolerance: float,
    band: np.ndarray,
    sharp: bool = False,
) -> Decision:
    """The method's interval against a number, by the rule."""
    interval, at = _interval(shards, method, alpha, target), np.asarray(target, dtype=float)
    found = decided(sign, Ends(interval.lower, interval.upper), Ends(at, at), band, sharp)
    return _decision(shards, method, alpha, interval, found, target, tolerance)


def _interval(
    shards: Sequence[Accumulator], method: IntervalMethod, alpha: float, target: float | np.ndarray
) -> Interval:
    """The method's interval, once it is known to have the target's shape."""
    interval = method(shards, alpha)
    if np.ndim(target) and np.shape(target) != interval.estimate.shape:
        raise ValueError(
            f"target has shape {np.shape(target)}, the statistic {interval.estimate.shape}"
        )
    return interval


def _decision(
    shards: Sequence[Accumulator],
    method: IntervalMethod,
    alpha: float,
    interval: Interval,
    found: tuple[np.ndarray, np.ndarray],
    target: float | np.ndarray,
    tolerance: float,
) -> Decision:
    holds, fails = found
    verdict: Verdict = (
        "refuted" if np.any(fails) else "confirmed" if np.all(holds) else "inconclusive"
    )
    return Decision(
        verdict=verdict,
        estimate=_plain(interval.estimate),
        interval=(_plain(interval.lower), _plain(interval.upper)),
        target=_plain(target),
        tolerance=tolerance,
        alpha=alpha,
        samples=sum(shard.count for shard in shards),
        looks=1,
        method=method.name,
        assumption=method.assumption,
        telling=int(np.argmax(fails) if np.any(fails) else np.argmin(holds)),
    )


def _plain(numbers: float | np.ndarray) -> Numbers:
    values = np.asarray(numbers, dtype=float).tolist()
    return tuple(values) if isinstance(values, list) else values
