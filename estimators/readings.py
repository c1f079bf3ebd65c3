"""What readings along updates say: the best step of one batch, and what others agree on of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LEAST = 2  # readings without which a spread has no meaning
_OUTLYING = 3.0  # times what all say of a curvature: more of it does not count
_FAINTEST = 3.0  # times its rounding error, known to a factor of two or so, is a second difference
_SHARES = [0.01 ** (index / 1000) for index in range(1001)]  # of a log-uniform prior


@dataclass(frozen=True)
class Reading:
    """What was measured along one update D, made on a batch B.

    step: of the update. own: its slope <g_B, D> on B. fresh, curvature: <g_B', D> and D^T H_B' D
    on another batch. radius: h of these.
    """

    step: int
    own: float
    fresh: float
    curvature: float
    radius: float


def best_step(readings: Sequence[Reading]) -> tuple[float, float] | None:
    """Return the best step of one batch and its relative standard error, None where none follows.

    Updates are shortened to the median slope; then no curvature counts as more than three times
    what the mean of all says for its slope.
    """
    few = max(0.0, len(readings) / 2 - math.sqrt(len(readings)))  # two standard errors below half
    if len(readings) < LEAST or convex(readings) <= few:
        return None
    middle = median(abs(r.own) for r in readings)
    weights = [min(1.0, middle / abs(r.own)) if r.own else 1.0 for r in readings]
    slopes = [w * r.own for w, r in zip(weights, readings, strict=True)]
    sizes = [w * abs(r.curvature) for w, r in zip(weights, readings, strict=True)]
    if min(math.fsum(slopes), math.fsum(r.own for r in readings)) <= 0.0:
        return None
    bend = math.fsum(sizes) / math.fsum(slopes)
    cut = [min(x, _OUTLYING * bend * abs(s)) for x, s in zip(sizes, slopes, strict=True)]
    if not math.fsum(cut):  # all of it is where the slope is none
        return None
    best, error = ratio(slopes, cut)
    return best, error / best


def convex(readings: Sequence[Reading]) -> int:
    """Return how many of them have a positive curvature."""
    return sum(reading.curvature > 0.0 for reading in readings)


def ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, float]:
    """Return mean(above) / mean(below) of paired numbers, and its standard error.

    The error is that of the linearised ratio, sqrt(sum (x - r y)^2 n / (n - 1)) / |sum y|; both are
    infinite where the numbers below have the sum 0.
    """
    count, total = len(below), sum(below)
    if not total:
        return math.inf, math.inf
    value = sum(above) / total
    rest = sum((x - value * y) ** 2 for x, y in zip(above, below, strict=True))
    return value, math.sqrt(rest * count / (count - 1)) / abs(total)


def expected_share(share: float, error: float) -> float:
    """Return the mean of a share that was measured as `share` with a Gaussian `error`.

    Before, its logarithm is uniform between those of 0.01 and 1.

    Example:
        >>> round(expected_share(0.4, 0.01), 2), round(expected_share(0.1, 100.0), 2)
        (0.4, 0.22)
    """
    error = max(error, 0.005)  # the spacing of the shares
    fits = [-0.5 * ((share - s) / error) ** 2 for s in _SHARES]
    best = max(fits)
    chances = [math.exp(fit - best) for fit in fits]
    return sum(c * s for c, s in zip(chances, _SHARES, strict=True)) / sum(chances)


def faint(readings: Sequence[Reading], rounding: float | None) -> tuple[float, float] | None:
    """Return the size of second differences and of their rounding, None if the first is larger.

    rounding: the standard error of one loss; None if it is not known.
    """
    seen = [r.curvature * r.radius**2 for r in readings if r.radius]
    if not seen or rounding is None:
        return None
    size = math.sqrt(math.fsum(x * x for x in seen) / len(seen))
    noise = math.sqrt(6.0) * rounding
    return (size, noise) if size < _FAINTEST * noise else None
