"""LeZO Fig. 6: the speed-up of a step over the length of the input."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import EXACT, SERIES, intervals, judged, legend_above, panels
from zotheory.budget import ALPHA
from zotheory.papers.lezo.timing import LENGTHS, OURS, SPARSITY
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import Kind

CLAIM = "lezo.fig6.length"


def draw(data: Data) -> tuple[Figure, str]:
    """Medians with intervals; without any saving the speed-up is 1."""
    rounds = data.drawn(CLAIM, Kind.TIMED, f"one row of review tokens, {OURS}")
    found = [np.array(rounds[str(length)]) for length in LENGTHS]
    medians = [float(np.median(values)) for values in found]
    figure, ax = panels(height=2.1)
    ax.plot(LENGTHS, medians, lw=0.7, **SERIES[0].on_line())
    bounds = [median_interval(values, ALPHA) for values in found]
    label = judged("measured; claimed: falls", data.claim(CLAIM))
    intervals(ax, LENGTHS, medians, bounds, SERIES[0], label)
    ax.axhline(1, label="no saving", lw=0.9, **EXACT.on_line())
    ax.set(xscale="log", xlabel="tokens of the input", ylabel="speed-up of a step")
    ax.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
    ax.minorticks_off()
    legend_above(figure, [ax])
    return figure, (
        f"Time of a MeZO step over a LeZO step's that leaves {SPARSITY:.0%} of the layers out, on "
        f"one row of review tokens: medians over {len(found[0])} interleaved rounds on one "
        f"machine, with {LEVEL} intervals."
    )


PICTURE = Picture("lezo_fig6", "Speed-up over the length of the input", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
