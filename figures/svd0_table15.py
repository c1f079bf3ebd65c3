"""SVD-0 Table 15: squared cosine of each method's direction with the true gradient."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import EXACT, NOISE, SERIES, intervals, judged, legend_above, lettered, panels
from zotheory.vocabulary import Kind

CLAIM = "svd0.table15.order"
METHODS = ("MeZO", "SubZero", "SVD-0")
PRINTED = (0.0, 0.73, 1.0)  # Table 15, "normalized to the [0, 1] range"


def draw(data: Data) -> tuple[Figure, str]:
    """The printed values beside those of equal methods; the means measured on a language model."""
    count = data.count(2_000, 20_000)
    middle = middles(data.rng(15), count)
    bounds = [data.number(CLAIM, Kind.MODEL, f"cos2 of {m}", "interval") for m in METHODS]
    means = [(low + high) / 2 for low, high in bounds]

    figure, (printed, found) = panels(1, 2, height=2.6)
    low, mid, high = np.quantile(middle, [0.025, 0.5, 0.975])
    control = "equal methods, normalised alike (95%)"
    intervals(printed, [1.15], [mid], [(low, high)], NOISE, control)
    order = judged("printed order", data.claim(CLAIM))
    printed.plot(range(3), PRINTED, label=order, clip_on=False, **SERIES[4].on_points(), zorder=4)
    printed.set(ylabel="normalised cosine", ylim=(0, 1.04))
    intervals(found, range(3), means, bounds, SERIES[0], "measured mean, interval")
    found.axhline(1, label="exact, for every gradient", lw=0.9, **EXACT.on_line())
    found.set(ylabel=r"mean $\cos^2$, units of $1/(mn)$")
    found.margins(y=0.25)
    for ax in (printed, found):
        ax.set(xticks=range(3), xticklabels=METHODS, xlim=(-0.5, 2.5))
        ax.tick_params(axis="x", rotation=25)
    lettered((printed, found), ("the paper", "measured"))
    legend_above(figure, (printed, found), columns=1)
    return figure, (
        f"(a) The values that Table 15 prints, after normalising them to [0, 1]. Normalising "
        f"{len(METHODS)} values always gives a 0 and a 1; for methods with equal means the one "
        f"between lies in [{low:.2f}, {high:.2f}] with 95% ({count:,} draws of three Gaussian "
        "values).\n\n(b) Mean squared cosine with the gradient of a language model's matrices, "
        f"in units of 1/(mn), with {LEVEL} Student intervals over independent refreshes, as the "
        "ledger has them. The line is the exact value."
    )


def middles(rng: np.random.Generator, count: int) -> np.ndarray:
    """The middle one of three equally distributed values, after (x - min) / (max - min)."""
    values = np.sort(rng.standard_normal((count, 3)), axis=1)
    return (values[:, 1] - values[:, 0]) / (values[:, 2] - values[:, 0])


PICTURE = Picture("svd0_table15", "Squared cosine with the true gradient", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
