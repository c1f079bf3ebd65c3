"""SVD-0 Table 14: cosines after reducing both gradients, beside what unrelated ones give."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import EXACT, NOISE, SERIES, legend_above, lettered, panels
from zotheory.vocabulary import Kind

CLAIM = "svd0.fig1.metric"
WIDTH, RANK = 2048, 24  # of OPT-1.3B's square attention matrices; of the reduction
PRINTED = {  # Table 14: mean and standard deviation
    "Origin": (0.0000, 0.0005),
    "PCA": (-0.0003, 0.0044),
    "Factor Analysis": (0.0001, 0.0045),
    "Random Proj": (-0.0002, 0.0045),
    "t-SNE": (-0.0009, 0.0157),
    "NMF": (0.2464, 0.0442),
    "After SVD": (0.4249, 0.0257),
}
COLUMNS = {  # numbers of either sign in each of the rows that are compared
    "Origin": WIDTH,
    "PCA": RANK,
    "Factor Analysis": RANK,
    "Random Proj": RANK,
    "t-SNE": 2,
}


def draw(data: Data) -> tuple[Figure, str]:
    """The printed means; the printed deviations in units of those of unrelated directions."""
    rows = [estimate["top 24"]["noise"] for estimate in _estimates(data)]
    low, middle, high = np.median(rows, axis=0)[[1, 2, 3]]
    figure, (means, deviations) = panels(1, 2, height=2.6, sharey=True)
    places = np.arange(len(PRINTED))
    mean, deviation = np.array(list(PRINTED.values())).T
    paper = {**SERIES[4].on_points(), "elinewidth": 0.9}
    means.errorbar(mean, places + 0.12, xerr=deviation, label="paper, mean and s.d.", **paper)
    control = {**NOISE.on_points(), "elinewidth": 0.9}
    expected = np.array([spread(name) for name in COLUMNS])
    zeros = np.zeros(len(COLUMNS))
    means.errorbar(zeros, places[: len(COLUMNS)] - 0.2, xerr=expected, **control)
    last = len(PRINTED) - 1
    sides = [[middle - low], [high - middle]]
    means.errorbar([middle], [last - 0.2], xerr=sides, label="pure noise", **control)
    means.set(xlabel="cosine", yticks=places, yticklabels=list(PRINTED), ylim=(last + 0.6, -0.6))

    ratios = [PRINTED[name][1] / spread(name) for name in COLUMNS]
    deviations.plot(ratios, places[: len(COLUMNS)], **SERIES[4].on_points())
    deviations.axvline(1, label="unrelated directions, exact", lw=0.9, **EXACT.on_line())
    deviations.set(xlabel=r"printed s.d. $\times\sqrt{N}$", xlim=(0, 1.6))
    deviations.tick_params(axis="y", length=0)
    lettered((means, deviations), ("cosine", "its s.d."))
    for ax in (means, deviations):
        ax.grid(axis="x")
    legend_above(figure, (means, deviations))
    return figure, (
        "(a) Mean and standard deviation that Table 14 prints, after each reduction of a MeZO "
        "estimate and of the true gradient; above it, what noise gives: the exact deviation of the "
        "cosine between unrelated directions where the reduced numbers have either sign, and "
        "after SVD the ledger's median and quartiles over the matrices of a language model. NMF "
        "and singular values are never negative, so that their cosines cannot be.\n\n(b) The "
        f"printed deviations times the root of the number N of reduced values ({WIDTH} rows, "
        f"{RANK} columns, 2 for t-SNE, {WIDTH} for the matrix itself): 1 if the two have nothing "
        "in common."
    )


def spread(name: str) -> float:
    """Standard deviation of the cosine between unrelated directions: 1/sqrt(N)."""
    return 1 / np.sqrt(WIDTH * COLUMNS[name])


def _estimates(data: Data) -> list[dict]:
    return data.drawn(CLAIM, Kind.MODEL, "by estimate")


PICTURE = Picture("svd0_table14", "Cosines after other reductions", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
