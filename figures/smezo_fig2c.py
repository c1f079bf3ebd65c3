"""Sparse-MeZO Fig. 2c: what noise on the largest and on the smallest weights does to the loss."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import SERIES, intervals, judged, legend_above, lettered, panels
from zotheory.budget import ALPHA
from zotheory.papers.smezo.batches import NAMES, NORMS
from zotheory.statistics.intervals import student
from zotheory.vocabulary import Kind

CLAIM = "smezo.fig2c.large_weights"
LOOKS = {"largest": SERIES[1], "smallest": SERIES[0]}
SHIFTS = {"largest": -0.18, "smallest": 0.18}
TICKS = ("whole\nvocab.", "label\nwords")


def draw(data: Data) -> tuple[Figure, str]:
    """The raise in every draw, and its mean; a panel for each norm of the noise."""
    figure, found = panels(1, len(NORMS), height=2.9)
    axes = np.ravel(found)
    for ax, norm in zip(axes, NORMS, strict=True):
        for kind in LOOKS:
            _raises(ax, data, norm, kind)
        ax.axhline(0, color="#999999", linewidth=0.6, zorder=1)
        ax.set(xticks=range(len(NAMES)), xlim=(-0.5, len(NAMES) - 0.5))
        ax.set_xticklabels(TICKS)
    figure.supylabel("raise of the loss (nats)")
    claimed = judged("claimed: more on the largest", data.claim(CLAIM))
    axes[0].plot([], [], " ", label=claimed)
    if len(NORMS) > 1:
        lettered(axes, [f"{norm:.0%}" for norm in NORMS])
    legend_above(figure, axes, columns=1)
    draws = len(raises(data, NORMS[0], NAMES[0], "largest"))
    return figure, (
        "Raise of a language model's loss by Gaussian noise on the 20% largest and on the 20% "
        f"smallest weights of every matrix of its blocks; the noise's norm is {_norms()} of that "
        f"of these matrices together. Dots: {draws} draws, each the mean of +noise and -noise. "
        f"Markers: means, with Student's intervals that hold together at {LEVEL}. Mean difference "
        f"of a draw, with the ledger's intervals: {_differences(data)}."
    )


def _norms() -> str:
    return ", ".join(f"{norm:.0%}" for norm in NORMS)


def raises(data: Data, norm: float, loss: str, kind: str) -> list[float]:
    """The raise of each draw."""
    return data.drawn(CLAIM, Kind.MODEL, _setting(norm, loss), f"{kind}, raise by draw")


def _setting(norm: float, loss: str) -> str:
    return f"noise of {norm:.0%} of the weights' norm, {loss}"


def _raises(ax: Axes, data: Data, norm: float, kind: str) -> None:
    look, shared = LOOKS[kind], ALPHA / (len(NORMS) * len(NAMES) * len(LOOKS))
    places, means, bounds = [], [], []
    for x, loss in enumerate(NAMES):
        values = np.array(raises(data, norm, loss, kind))
        places.append(x + SHIFTS[kind])
        means.append(values.mean())
        bounds.append(student(values, shared))
        spread = places[-1] + np.linspace(-0.13, 0.13, len(values))
        ax.plot(spread, values, ".", ms=2.5, mfc="none", mec=look.colour, mew=0.5, alpha=0.7)
    intervals(ax, places, means, bounds, look, f"noise on the {kind} weights", zorder=4)


def _differences(data: Data) -> str:
    told = []
    for norm in NORMS:
        for loss in NAMES:
            found = data.number(CLAIM, Kind.MODEL, _setting(norm, loss))
            low, high = found["interval of the mean"]
            told.append(f"[{low:.2g}, {high:.2g}] ({norm:.0%}, {loss})")
    return "; ".join(told)


PICTURE = Picture("smezo_fig2c", "Noise on large and on small weights", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
