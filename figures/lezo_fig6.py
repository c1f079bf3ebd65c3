"""LeZO Fig. 6: the speed-up of a step over the length of the input."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import EXACT, SERIES, intervals, judged, legend_above, panels
from zotheory.budget import ALPHA
from zotheory.papers.lezo.timing import LENGTHS, OURS, PUBLISHED, SPARSITY
from zotheory.statistics.intervals import median_interval
from zotheory.vocabulary import Kind

CLAIM = "lezo.fig6.length"
SHARED = ALPHA / (2 * len(LENGTHS))


def draw(data: Data) -> tuple[Figure, str]:
    """Medians with intervals; without any saving the speed-up is 1."""
    figure, ax = panels(height=2.1)
    shown = judged("claimed: falls", data.claim(CLAIM))
    ax.plot([], [], " ", label=shown)
    counts = []
    for by, look in zip((PUBLISHED, OURS), SERIES, strict=False):
        rounds = data.drawn(CLAIM, Kind.TIMED, f"one row of review tokens, {by}")
        found = [np.array(rounds[str(length)]) for length in LENGTHS]
        medians = [float(np.median(values)) for values in found]
        ax.plot(LENGTHS, medians, lw=0.7, **look.on_line())
        bounds = [median_interval(values, SHARED) for values in found]
        intervals(ax, LENGTHS, medians, bounds, look, by)
        counts.append(len(found[0]))
    ax.axhline(1, label="no saving", lw=0.9, **EXACT.on_line())
    ax.set(xscale="log", xlabel="tokens of the input", ylabel="speed-up of a step")
    ax.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
    ax.minorticks_off()
    legend_above(figure, [ax])
    return figure, (
        f"Time of a MeZO step over a LeZO step's that leaves {SPARSITY:.0%} of the layers out, on "
        f"one row of review tokens: medians over {counts[0]} and {counts[1]} interleaved rounds on "
        f"one machine, with intervals that hold together at {LEVEL}."
    )


PICTURE = Picture("lezo_fig6", "Speed-up over the length of the input", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
