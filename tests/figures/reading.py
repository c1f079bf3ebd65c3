"""What a figure shows, read back from its axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer


def points(ax: Axes) -> list[np.ndarray]:
    """(x, y) of the points of every series with intervals, in the order drawn."""
    return [np.array(bars.lines[0].get_xydata()) for bars in _errorbars(ax)]


def ends(ax: Axes) -> list[np.ndarray]:
    """(points, 2) lower and upper ends of the intervals of every series, in the order drawn."""
    found = []
    for bars in _errorbars(ax):
        along = 0 if bars.has_xerr else 1
        segments = bars.lines[2][0].get_segments()
        found.append(np.array([np.sort(segment[:, along]) for segment in segments]))
    return found


def lines(ax: Axes) -> dict[str, np.ndarray]:
    """(x, y) of the labelled lines."""
    labelled = (line for line in ax.get_lines() if not line.get_label().startswith("_"))
    return {line.get_label(): np.array(line.get_xydata()) for line in labelled}


def _errorbars(ax: Axes) -> list[ErrorbarContainer]:
    return [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
