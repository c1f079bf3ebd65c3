"""Whether two methods have one law: quantiles of their runs, and the ledger's two-sample test.

One method is a band, the other one hollow points, a control that has another law dashed lines: the
points lie in the middle of what they should cover, with or without colour.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import binom

from figures.data import LEVEL
from figures.style import INK, NOISE, SERIES, Look, intervals
from zotheory.budget import ALPHA

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BAND, POINTS, CONTROL = Look("#b4b4b4"), SERIES[0], SERIES[4]
TOLD = "5%, 25%, 50%, 75% and 95% quantiles"


def quantiles(values: np.ndarray) -> np.ndarray:
    """(quantiles, columns) of independent rows."""
    return np.quantile(values, QUANTILES, axis=0)


def quantile_bounds(values: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """(quantiles, columns, 2) bounds, each at error alpha whatever the law.

    Order statistics: the number of n values below the q-quantile is binomial (n, q).
    """
    ordered, n = np.sort(values, axis=0), len(values)
    ends = []
    for q in QUANTILES:
        low = int(binom.ppf(alpha / 2, n, q)) - 1
        high = int(binom.ppf(1 - alpha / 2, n, q))
        ends.append((ordered[max(low, 0)], ordered[min(high, n - 1)]))
    return np.moveaxis(np.array(ends), 1, 2)


def band(ax: Axes, at: ArrayLike, values: np.ndarray, label: str) -> None:
    """Quantiles over `at` as two bands and a median; values: (runs, places)."""
    found = quantiles(values)
    for outer, alpha in ((0, 0.45), (1, 0.85)):
        ends = found[outer], found[-1 - outer]
        ax.fill_between(at, *ends, color=BAND.colour, alpha=alpha, lw=0, zorder=1)
    ax.plot(at, found[2], color=INK, lw=0.9, zorder=2)
    ax.fill_between([], [], [], color=BAND.colour, lw=0, label=label)


def points(ax: Axes, at: ArrayLike, values: np.ndarray, label: str) -> None:
    """Quantiles over `at` as hollow points with their intervals; values: (runs, places)."""
    found, bounds = quantiles(values), quantile_bounds(values)
    for q, row in enumerate(found):
        told = label if q == 0 else ""
        intervals(ax, at, row, bounds[q], POINTS, told, mfc="white", ms=3.2, zorder=4)


def control(ax: Axes, at: ArrayLike, values: np.ndarray, label: str) -> None:
    """Quantiles over `at` as dashed lines, the median's with points; values: (runs, places)."""
    for q, row in enumerate(quantiles(values)):
        width = 1.1 if q == 2 else 0.7
        ax.plot(at, row, lw=width, zorder=3, **CONTROL.on_line())
    marked = {**CONTROL.on_line(), "marker": CONTROL.marker, "ms": 3.2}
    ax.plot(at, quantiles(values)[2], label=label, lw=1.1, zorder=3, **marked)


def differences(ax: Axes, found: ArrayLike, bounds: ArrayLike, look: Look, at: np.ndarray) -> None:
    """Differences of the means of a test's features at places `at`; bounds: all low, all high."""
    hollow = {"mfc": "white"} if look is POINTS else {}
    intervals(ax, at, found, np.asarray(bounds).T, look, zorder=4, ms=3.2, **hollow)


def one_law(ax: Axes, tolerance: float) -> None:
    """Zero, and how far from it the test takes two laws for one."""
    look = {"alpha": 0.25, "lw": 0, "zorder": 0}
    ax.axhspan(-tolerance, tolerance, label="taken for one law", color=NOISE.colour, **look)
    ax.axhline(0, color=INK, lw=0.6, zorder=1)


def told(runs: int) -> str:
    """What the caption says of the quantiles."""
    return f"{TOLD} of {runs:,} independent runs each, intervals of order statistics at {LEVEL}"
