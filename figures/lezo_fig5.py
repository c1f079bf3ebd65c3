"""LeZO Fig. 5: the speed-up of a step, measured and by Amdahl's law."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import EXACT, SERIES, VERDICT_COLOURS, intervals, judged, legend_above, panels
from zotheory.budget import ALPHA
from zotheory.papers.lezo.timing import OURS, PUBLISHED, SPARSITY, WITHIN
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import Kind

CLAIM = "lezo.fig5.amdahl"


def draw(data: Data) -> tuple[Figure, str]:
    """Both loops: medians with intervals over the band that the claim allows."""
    figure, ax = panels(height=2.3)
    entry, within = data.claim(CLAIM), float(WITHIN)
    for place, by in enumerate((PUBLISHED, OURS)):
        rounds = data.drawn(CLAIM, Kind.TIMED, f"16 review prompts, {by}")
        measured, predicted = (np.array(rounds[name]) for name in ("speed-up", "predicted"))
        middle = float(np.median(predicted))
        ends = (middle * (1 - within), middle * (1 + within))
        side = [place - 0.3, place + 0.3]
        band = {"facecolor": "none", "edgecolor": VERDICT_COLOURS[entry.verdict], "hatch": "////"}
        label = judged(f"claimed: within {within:.0%}", entry)
        ax.fill_between(side, *ends, lw=0.6, alpha=0.6, label=label, **band)
        ax.plot(side, [middle, middle], label="by Amdahl's law", lw=0.9, **EXACT.on_line())
        bounds = median_interval(measured, ALPHA)
        intervals(ax, [place], [np.median(measured)], [bounds], SERIES[0], "measured", zorder=3)
    ax.set(xticks=[0, 1], xticklabels=["published loop", "this toolkit"], xlim=(-0.6, 1.6))
    ax.set(ylabel="speed-up of a step", ylim=(0.8, None))
    legend_above(figure, [ax])
    return figure, (
        f"Time of a MeZO step over a LeZO step's that leaves {SPARSITY:.0%} of the layers out, on "
        f"16 review prompts: medians over {len(measured)} interleaved rounds on one machine with "
        f"{LEVEL} intervals; and 1/(1 - share of weights left out x share of perturbing and "
        "updating), with the band of the claim."
    )


PICTURE = Picture("lezo_fig5", "Speed-up of a step", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
