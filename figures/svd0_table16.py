"""SVD-0 Table 16: the variance of 1,000 estimates, beside how far 1,000 tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import EXACT, NOISE, SERIES, intervals, legend_above, panels
from proofs_check.cards import card

MOMENT, SUBSPACE = "svd0.thm2.second_moment", "svd0.lemma16.algorithm1"
PRINTED = {"MeZO": 5.5, "SubZero": 5.6, "SVD-0": 5.0}  # Table 16
SAMPLES = 1_000  # of each method, as printed
WIDTH, RANK = 2048, 24  # of OPT-1.3B's square attention matrices; of the subspaces
CARDS: dict[str, tuple[str, dict[str, Any]]] = {
    "MeZO": ("gaussian", {}),
    "SubZero": ("subspace", {"r": RANK}),
    "SVD-0": ("svd_subspace", {"r": RANK}),
}


def draw(data: Data) -> tuple[Figure, str]:
    """Ratios to MeZO's variance: printed, exact, and of equal samples drawn again and again."""
    tables = data.count(1_000, 4_000)
    rng = data.rng(16)
    drawn = {name: variances(rng, name, tables) for name in PRINTED}
    figure, ax = panels(height=2.3)
    others = list(PRINTED)[1:]
    places = np.arange(len(others))
    ratios = [drawn[name] / drawn["MeZO"] for name in others]
    bounds = np.quantile(ratios, [0.025, 0.975], axis=1).T
    label = f"{SAMPLES:,} samples each, 95% of tables"
    intervals(ax, places + 0.1, np.median(ratios, axis=1), bounds, NOISE, label)
    printed = [PRINTED[name] / PRINTED["MeZO"] for name in others]
    ax.plot(places - 0.1, printed, label="printed", **SERIES[4].on_points())
    for place, name in zip(places, others, strict=True):
        exact = relative(name) / relative("MeZO")
        once = "exact" if place == 0 else None
        ax.plot([place - 0.3, place + 0.3], [exact, exact], lw=0.9, label=once, **EXACT.on_line())
    ax.set(xticks=places, xticklabels=others, xlim=(-0.6, 1.6), ylabel="variance / MeZO's")
    legend_above(figure, [ax])
    return figure, (
        f"Variance of an estimate over MeZO's. Triangles: Table 16's values. Lines: exact, for one "
        f"{WIDTH} x {WIDTH} matrix and rank {RANK}, each estimate scaled so that its mean is the "
        f"gradient. Diamonds: 95% of {tables:,} tables made from {SAMPLES:,} samples of each "
        "method, drawn from the normal and chi-square variables that make up its squared norm, "
        "every subspace keeping its mean share of the gradient: what so few samples can tell."
    )


def relative(name: str) -> float:
    """Exact variance of one estimate over the squared norm of the gradient."""
    build, sizes = CARDS[name]
    return float(card(build, m=WIDTH, n=WIDTH, **sizes).relative_variance)


def variances(rng: np.random.Generator, name: str, tables: int) -> np.ndarray:
    """Mean of ||g||^2 over `SAMPLES` estimates, less 1: (tables,), in units of ||G||^2.

    In the k coordinates of its subspace an estimate is a (a, b): a = <G, Z>/||P G||, b Gaussian
    across it, so that ||g||^2 is a^2 (a^2 + chi^2_(k-1)) times (||P G|| / scale)^2.
    """
    build, sizes = CARDS[name]
    found = card(build, m=WIDTH, n=WIDTH, **sizes)
    if found.support is None:
        raise ValueError(f"the estimate of {name} has no support of its own")
    coordinates, share = float(found.support.coordinates), float(found.support.share)
    unit = share / float(found.scale) ** 2
    means = np.empty(tables)
    for table in range(tables):
        along = rng.standard_normal(SAMPLES) ** 2
        means[table] = np.mean(along * (along + rng.chisquare(coordinates - 1, SAMPLES)))
    return unit * means - 1


PICTURE = Picture(
    "svd0_table16", "Variance of estimates, relative to MeZO's", (MOMENT, SUBSPACE), draw
)

if __name__ == "__main__":
    main(PICTURE)
