"""SVD-0 Table 13: cosine of singular values over rank and batch size, beside pure noise."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import NOISE, SERIES, intervals, legend_above, lettered, panels
from zotheory.vocabulary import Kind

CLAIM = "svd0.fig1.metric"
BATCH_SIZES = (1, 2, 4, 8, 16)
PRINTED = {  # Table 13, by rank; the columns are the batch sizes
    8: (0.87, 0.86, 0.50, 0.72, 0.67),
    24: (0.85, 0.84, 0.45, 0.70, 0.63),
    48: (0.85, 0.84, 0.45, 0.70, 0.63),
}


def draw(data: Data) -> tuple[Figure, str]:
    """A panel a rank: the printed value, the measured one, and what noise gives."""
    found = data.drawn(CLAIM, Kind.MODEL, "by batch size")
    figure, axes = panels(1, 3, height=2.4, sharey=True)
    places = np.arange(len(BATCH_SIZES))
    for ax, (rank, printed) in zip(axes, PRINTED.items(), strict=True):
        ax.plot(places, printed, label="paper", mfc="white", lw=0.6, **_printed())
        for of, shift, look in (("MeZO", -0.14, SERIES[0]), ("noise", 0.14, NOISE)):
            rows = np.array([found[str(size)][f"top {rank}"][of] for size in BATCH_SIZES])
            label = of if of == "MeZO" else "pure noise"
            intervals(ax, places + shift, rows[:, 2], rows[:, [1, 3]], look, label, ms=3)
        ax.set(xticks=places, xticklabels=BATCH_SIZES, ylim=(0, 1))
    axes[0].set_ylabel("cosine of singular values")
    figure.supxlabel("batch size")
    lettered(axes, [f"rank {rank}" for rank in PRINTED])
    legend_above(figure, axes, columns=3)
    matrices = "medians and quartiles over the matrices of a language model"
    return figure, (
        "Cosine between the vectors of the largest singular values (rank: how many) of the true "
        "gradient and of a MeZO estimate of the same batch, one estimate at each batch size; "
        f"pure Gaussian noise in the estimate's place; {matrices}. Hollow: as Table 13 prints "
        "them, for another model."
    )


def _printed() -> dict:
    return {**SERIES[4].on_points(), "linestyle": SERIES[4].line}


PICTURE = Picture(
    "svd0_table13", "Cosine of singular values over rank and batch size", (CLAIM,), draw
)

if __name__ == "__main__":
    main(PICTURE)
