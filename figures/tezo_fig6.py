"""TeZO Fig. 6: cosines between gradients of different batches at different steps."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import HEAT, SERIES, claimed, legend_above, lettered, panels
from zotheory import papers
from zotheory.papers.tezo.layers import FAST, SLOW, WORDS_FAST, WORDS_SLOW
from zotheory.vocabulary import Kind

VOCABULARY, WORDS = "tezo.fig6.similarity", "tezo.fig6.label_words"
RUNS = {VOCABULARY: (FAST, SLOW), WORDS: (WORDS_FAST, WORDS_SLOW)}
LOSSES = {VOCABULARY: "vocabulary", WORDS: "label words"}
LOWEST = -0.2


def draw(data: Data) -> tuple[Figure, str]:
    """A heat map a run, and every run's mean with its interval under the claim."""
    figure, axes = panels(3, 2, height=5.0, gridspec_kw={"height_ratios": (4, 4, 2)})
    below = figure.add_subplot(axes[2, 0].get_gridspec()[2, :])
    for ax in axes[2]:
        ax.remove()
    maps = axes[:2].ravel()
    found = [(claim, run) for claim, runs in RUNS.items() for run in runs]
    means = [data.number(claim, Kind.MODEL, str(run), "mean cosine") for claim, run in found]
    bounds = [data.number(claim, Kind.MODEL, str(run), "interval") for claim, run in found]
    for ax, (claim, run) in zip(maps, found, strict=True):
        image = _map(ax, data.drawn(claim, Kind.MODEL, str(run), "cosine of each pair"))
        ax.set(xlabel="step", ylabel="step")
    bar = figure.colorbar(image, ax=axes[:2], label="cosine", aspect=40, shrink=0.9, extend="min")
    bar.outline.set_visible(False)

    sns.despine(ax=below)
    below.grid(axis="x")
    places = np.arange(len(found))[::-1]
    line = {**SERIES[0].on_points(), "elinewidth": 0.9}
    below.errorbar(means, places, xerr=np.abs(np.array(bounds).T - means), **line)
    for claim, looks in zip(RUNS, ((0, (4, 2)), (4, (2, 4))), strict=True):
        least = float(papers.claim(claim).statement.bound)
        label = f"{LOSSES[claim]}: above {least:g}"
        claimed(below, least, label, data.claim(claim), axis="x", linestyle=looks)
    below.set(yticks=places, ylim=(-0.5, 3.5), xlabel="mean pairwise cosine")
    below.set_yticklabels([f"({letter})" for letter in "abcd"])
    titles = [f"{LOSSES[claim]}\nrate {run.learning_rate:g}" for claim, run in found]
    legend_above(figure, [below], columns=1)
    lettered([*maps, below], [*titles, "means"])
    return figure, (
        "(a) to (d) Cosine of every pair of normalised batch gradients along fine-tuning of a "
        "language model, mean over the matrices of four layers, by the loss that is trained and "
        f"the learning rate ({len(_rows(data)) + 1} batches of different text).\n\n(e) Mean over "
        f"all pairs with {LEVEL} jackknife intervals over the batches."
    )


def _rows(data: Data) -> list:
    return data.drawn(VOCABULARY, Kind.MODEL, str(FAST), "cosine of each pair")


def square(rows: list[list[float]]) -> np.ndarray:
    """The symmetric matrix with ones on its diagonal from the rows below the diagonal."""
    matrix = np.eye(len(rows) + 1)
    for t, row in enumerate(rows, start=1):
        matrix[t, :t] = matrix[:t, t] = row
    return matrix


def _map(ax: Axes, rows: list[list[float]]) -> AxesImage:
    ax.grid(False)
    image = ax.imshow(square(rows), cmap=HEAT, vmin=LOWEST, vmax=1, origin="lower")
    ticks = range(0, len(rows) + 1, 8)
    ax.set(xticks=ticks, yticks=ticks)
    return image


PICTURE = Picture("tezo_fig6", "Cosines between batch gradients", (VOCABULARY, WORDS), draw)

if __name__ == "__main__":
    main(PICTURE)
