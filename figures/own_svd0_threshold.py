"""Ours, for SVD-0: the top singular pair of k averaged estimates against spiked-matrix theory."""

from __future__ import annotations

from math import sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.sampled import sampled
from figures.style import EXACT, SERIES, Look, claimed, intervals, legend_above, lettered, panels
from zotheory.papers import claim
from zotheory.papers.own.svd0_threshold import SHAPES, Overlaps, predicted_overlaps
from zotheory.statistics import Bernstein

CLAIM = "own.svd0_threshold"
TIMES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)  # k over the claimed threshold
JUDGED = 2.0  # where the claim was measured
SIDES = ("left", "right")
SQUARE = [shape for shape in SHAPES if shape[0] == shape[1]]
(WIDE,) = (shape for shape in SHAPES if shape[0] < shape[1])


def draw(data: Data) -> tuple[Figure, str]:
    """Squared overlaps with G's singular vectors: of square matrices, and of a wide one."""
    samples = data.count(320, 640)
    figure, axes = panels(2, 1, height=4.3, sharex=True)
    square, wide = axes
    _predicted(square, SQUARE[0], 0, EXACT, "predicted")
    for shape, look, shift in zip(SQUARE, SERIES, (0.97, 1.03), strict=False):
        found = [measured(data, shape, times, samples) for times in TIMES]
        _measured(square, found, 0, look, f"{shape[0]} × {shape[1]}", shift)
    found = [measured(data, WIDE, times, samples) for times in TIMES]
    for side, look in enumerate((SERIES[3], SERIES[2])):
        _predicted(wide, WIDE, side, look, "")
        _measured(wide, found, side, look, f"{SIDES[side]}, {WIDE[0]} × {WIDE[1]}")
    for ax in axes:
        claimed(ax, 1, "threshold √(mn)", data.claim(CLAIM), axis="x")
        ax.set(xscale="log", ylim=(-0.03, 1.03), ylabel="squared overlap")
    wide.set(xlabel=r"directions averaged, $k\,/\,\sqrt{mn}$", xticks=TIMES)
    wide.set_xticklabels([f"{t:g}" for t in TIMES])
    wide.minorticks_off()
    lettered(axes, ("square", "wide: left and right singular vector"))
    legend_above(figure, axes)
    return figure, (
        "Squared overlap of the top singular vectors of k averaged MeZO estimates with those of a "
        "rank-one gradient G. Lines: the limit of spiked-matrix theory as m, n and k grow in "
        f"proportion. Points: measured with {LEVEL} intervals (empirical Bernstein); at "
        f"k = {JUDGED:g} √(mn) the ledger's, elsewhere {samples} averages each, drawn at once by "
        "the rotation invariance of the noise. (a) Left vectors of square matrices; (b) both "
        "vectors of a wide one. Below the threshold small matrices keep an overlap that falls as "
        "they grow."
    )


def threshold(shape: tuple[int, int]) -> float:
    """k from which the claim says that the overlap begins."""
    return float(claim(CLAIM).statement.at(m=shape[0], n=shape[1]))


def predicted(shape: tuple[int, int], times: float, side: int) -> float:
    """The limit of the squared overlap at so many times the spiked-matrix threshold."""
    return predicted_overlaps(times * sqrt(shape[0] * shape[1]), *shape)[side]


def measured(data: Data, shape: tuple[int, int], times: float, samples: int) -> np.ndarray:
    """Of both overlaps the estimate and the ends of its interval: the ledger's, or sampled."""
    if times == JUDGED:
        at = f"twice the threshold, {shape[0]} x {shape[1]} (reduced)"
        return np.array(data.quantity(CLAIM, at).each)
    sampler = Overlaps(*shape, round(times * threshold(shape)))
    name = f"own_svd0_threshold/{shape[0]} x {shape[1]} {times:g}"
    found = sampled(data, name, sampler, Bernstein(), samples)
    return np.stack([found.estimate, found.lower, found.upper], axis=1)


def _predicted(ax: Axes, shape: tuple[int, int], side: int, look: Look, label: str) -> None:
    grid = np.geomspace(min(TIMES), max(TIMES), 200)
    values = [predicted(shape, times, side) for times in grid]
    ax.plot(grid, values, label=label or None, **look.on_line())


def _measured(
    ax: Axes, found: list[np.ndarray], side: int, look: Look, label: str, shift: float = 1.0
) -> None:
    rows = np.array(found)[:, side]
    intervals(ax, shift * np.array(TIMES), rows[:, 0], rows[:, 1:], look, label)


PICTURE = Picture(
    "own_svd0_threshold", "When an averaged estimate begins to see the gradient", (CLAIM,), draw
)

if __name__ == "__main__":
    main(PICTURE)
