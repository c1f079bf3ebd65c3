"""Search over ways to spend B loss values of a linear loss, for a squared cosine above a bound.

In the notation of `proofs_check.queries` a strategy evaluates

- one direction, after which it stops if y_1^2 > `stop`, or else B - 1 orthonormal ones;

and its estimate stands at the angle `out` to their span and, within the span, at the angle `off` to
P g, both with other values (`out_below`, `off_below`) where c < `threshold`. Where the norm of g is
not known (`knows` 0), y_1^2 and c are not either: it never stops early, and `out` and `off` hold.
No direction is better than another one, by rotation invariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
from scipy.special import betainc

from zotheory.search import Parameter, Point, Problem, Sides

_LARGEST = 8  # dimension
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_ANGLES = ("out", "out_below", "off", "off_below")


def query_limit(limit: Callable[[Point], float]) -> Problem:
    """E cos^2 of a strategy against `limit(point)`, nan where nothing is claimed of the point.

    The point has the strategy's parameters, the dimension d and the number B of loss values.
    """
    return Problem(
        "E cos^2 of B loss values",
        lambda point: Sides(_value(point), limit(point)),
        lambda point, digits: Sides(_precise(point, digits), limit(point), 10.0**-digits),
        (
            Parameter("d", 1, _LARGEST, integer=True),
            Parameter("B", 1, _LARGEST + 1, integer=True),
            Parameter("knows", 0, 1, integer=True),
            Parameter("stop", 0.0, 1.0),
            Parameter("threshold", 0.0, 1.0),
            *(Parameter(name, 0.0, math.pi / 2) for name in _ANGLES),
        ),
    )


def _gains(point: Point, k: int, suffix: str) -> tuple[float, float]:
    """(p, q): given c the squared cosine is p c + q (1 - c) on average, k directions evaluated."""
    out = point["out" + suffix]
    off = point["off" + suffix] if k > 1 else 0.0  # one direction is all of its span
    across = math.sin(out) ** 2 / (point["d"] - k) if k < point["d"] else 0.0
    return (math.cos(out) * math.cos(off)) ** 2, across


def _value(point: Point) -> float:
    d, k = point["d"], point["B"] - 1
    if k > d:
        return math.nan
    if k == 0:
        return 1 / d  # of every vector
    if not point["knows"]:
        along, across = _gains(point, k, "")
        return along * k / d + across * (1 - k / d)
    if d == 1:
        return float(_given_first(point, k, np.ones(1))[0])
    # y_1 = sin(angle), of density cos^(d-2)
    cuts = np.sort([0.0, *np.arcsin(np.sqrt([point["stop"], point["threshold"]])), math.pi / 2])
    half = np.diff(cuts) / 2
    angle = ((cuts[1:] + cuts[:-1]) / 2 + half * _NODES[:, None]).ravel()
    density = (_WEIGHTS[:, None] * half).ravel() * np.cos(angle) ** (d - 2)
    first = np.sin(angle) ** 2
    stopped, went_on = (_given_first(point, j, first) for j in (1, k))
    values = np.where(first > point["stop"], stopped, went_on)
    return float(density @ values / density.sum())


def _given_first(point: Point, k: int, first: np.ndarray) -> np.ndarray:
    """The mean over c = x + (1 - x) b, x = y_1^2, b ~ Beta((k-1)/2, (d-k)/2), for each x."""
    low, high = _gains(point, k, "_below"), _gains(point, k, "")
    shape, rest = (k - 1) / 2, (point["d"] - k) / 2
    if shape == 0 or rest == 0:
        c = first if shape == 0 else np.ones_like(first)
        below = c < point["threshold"]
        return np.where(below, low[0] * c + low[1] * (1 - c), high[0] * c + high[1] * (1 - c))
    cut = np.clip((point["threshold"] - first) / (1 - first), 0.0, 1.0)
    mean = shape / (shape + rest)
    mass, part = betainc(shape, rest, cut), mean * betainc(shape + 1, rest, cut)
    return sum(
        (p * first + q * (1 - first)) * m + (1 - first) * (p - q) * b
        for (p, q), m, b in ((low, mass, part), (high, 1 - mass, mean - part))
    )


def _precise(point: Point, digits: int) -> mpmath.mpf:
    """The same by nested quadrature over two angles, without incomplete beta functions."""
    d, k = point["d"], point["B"] - 1
    if k == 0 or not point["knows"] or k > d or d == 1:
        return mpmath.mpf(_value(point))  # no integral
    with mpmath.workdps(digits + 8):
        stop, threshold = mpmath.mpf(point["stop"]), mpmath.mpf(point["threshold"])

        def gain(c: mpmath.mpf, directions: int) -> mpmath.mpf:
            p, q = _gains(point, directions, "_below" if c < threshold else "")
            return p * c + q * (1 - c)

        def given(x: mpmath.mpf) -> mpmath.mpf:
            if x > stop or k == 1:
                return gain(x, 1)
            if k == d:
                return gain(mpmath.mpf(1), k)
            kink = (threshold - x) / (1 - x)
            return _mean(lambda b: gain(x + (1 - x) * b, k), k - 1, d - k, [kink])

        return _mean(given, 1, d - 1, [stop, threshold])


def _mean(
    function: Callable[[mpmath.mpf], mpmath.mpf], a: int, b: int, kinks: list[mpmath.mpf]
) -> mpmath.mpf:
    """E function(s), s ~ Beta(a/2, b/2): s = sin^2 of an angle of density sin^(a-1) cos^(b-1)."""
    inner = sorted(mpmath.asin(mpmath.sqrt(s)) for s in kinks if 0 < s < 1)
    cuts = [0, *inner, mpmath.pi / 2]

    def density(angle: mpmath.mpf) -> mpmath.mpf:
        return mpmath.sin(angle) ** (a - 1) * mpmath.cos(angle) ** (b - 1)

    weighted = mpmath.quad(lambda t: function(mpmath.sin(t) ** 2) * density(t), cuts)
    return 2 * weighted / mpmath.beta(mpmath.mpf(a) / 2, mpmath.mpf(b) / 2)
