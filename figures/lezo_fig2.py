"""LeZO Fig. 2: where the time of a MeZO step goes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import SERIES, claimed, legend_above, panels
from zotheory.budget import ALPHA
from zotheory.papers import claim
from zotheory.papers.lezo.timing import OURS, PUBLISHED
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import Kind

CLAIM = "lezo.fig2.half"
PARTS = ("perturbing and updating", "two forward passes")


def draw(data: Data) -> tuple[Figure, str]:
    """The shares of both loops as bars, with the interval of the median share."""
    shares = data.drawn(CLAIM, Kind.TIMED, f"16 review prompts, {PUBLISHED}")
    figure, ax = panels(height=1.75)
    ax.grid(axis="x")
    for place, by in enumerate((PUBLISHED, OURS)):
        share = float(np.median(shares[by]))
        ends = np.array([median_interval(np.array(shares[by]), ALPHA)]).T
        ax.barh(place, share, label=PARTS[0], height=0.5, **SERIES[0].on_bars())
        ax.barh(place, 1 - share, left=share, label=PARTS[1], height=0.5, **SERIES[1].on_bars())
        ax.errorbar(share, place, xerr=np.abs(ends - share), color="black", elinewidth=1.1)
    half = float(claim(CLAIM).statement.bound)
    claimed(ax, half, f"claimed: above {half:g}", data.claim(CLAIM), axis="x", zorder=3)
    ax.set(yticks=[0, 1], yticklabels=["published\nloop", "this\ntoolkit"], ylim=(1.5, -0.5))
    ax.set(xlim=(0, 1), xlabel="share of a step's time")
    legend_above(figure, [ax])
    return figure, (
        "Shares of a MeZO step's time on 16 short review prompts, in the published loop and in "
        f"this toolkit's step: medians over {len(shares[PUBLISHED])} interleaved rounds on one "
        f"machine, with {LEVEL} intervals of the median."
    )


PICTURE = Picture("lezo_fig2", "Where a step's time goes", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
