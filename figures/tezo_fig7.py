"""TeZO Fig. 7: ranks of weights and of their gradients."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import INK, SERIES, claimed, legend_above, lettered, panels
from zotheory.budget import ALPHA
from zotheory.papers import claim
from zotheory.papers.tezo.measurements import spearman_interval
from zotheory.vocabulary import Kind

CLAIM = "tezo.fig7.rank_correlation"
SHOWN, OTHER = "threshold 25%", "threshold 30%"


def draw(data: Data) -> tuple[Figure, str]:
    """Every matrix of the model; the correlations, over layers of a kind with intervals."""
    modules = data.drawn(CLAIM, Kind.MODEL, SHOWN)
    within = data.number(CLAIM, Kind.MODEL, SHOWN, "within module types")
    figure, (ranks, rhos) = panels(1, 2, height=2.9)
    for (module, found), look in zip(modules.items(), SERIES, strict=False):
        points = {**look.on_points(), "ms": 2.6, "mew": 0.3, "mec": "white"}
        ranks.plot(found["weight"], found["gradient"], label=module, **points)
    ranks.set(xlabel="Eq. 7's rank", ylabel="rank of the gradient", yscale="log")

    count = sum(len(found["layer"]) for found in modules.values())
    rows = []
    for threshold in (SHOWN, OTHER):
        rho = data.number(CLAIM, Kind.MODEL, threshold, "correlation")
        rows.append((f"all, {threshold.removeprefix('threshold ')}", rho, (rho, rho), INK, "o"))
    for (module, found), look in zip(modules.items(), SERIES, strict=False):
        ends = spearman_interval(within[module], len(found["layer"]), 1 - ALPHA)
        rows.append((module, within[module], ends, look.colour, look.marker))
    for place, (_, rho, ends, colour, marker) in enumerate(rows):
        sides = np.abs(np.array([ends]).T - rho)
        rhos.errorbar(rho, place, xerr=sides, color=colour, marker=marker, elinewidth=0.9)
    least = float(claim(CLAIM).statement.bound)
    claimed(rhos, least, f"claimed: above {least:g}", data.claim(CLAIM), axis="x")
    rhos.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlim=(-1, 1))
    rhos.set(xlabel="rank correlation", ylim=(len(rows) - 0.5, -0.5))
    rhos.grid(axis="y", visible=False)
    rhos.grid(axis="x")
    lettered((ranks, rhos), ("matrices", "correlation"))
    legend_above(figure, (ranks, rhos), columns=3)
    return figure, (
        f"(a) Eq. 7's ranks of {count} matrices of a language model, the least of their block, and "
        "mean ranks of their gradients along fine-tuning: how many singular values are above "
        f"{SHOWN.removeprefix('threshold ')} of the largest.\n\n(b) Spearman's correlation over "
        "all matrices, at both thresholds of the paper, and over the layers within each kind of "
        f"module, with {LEVEL} intervals."
    )


PICTURE = Picture("tezo_fig7", "Ranks of weights and of their gradients", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
