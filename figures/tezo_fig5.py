"""TeZO Fig. 5: spectra of batch gradients, and how many values reach 2% of the largest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import SERIES, VERDICT_COLOURS, claimed, judged, legend_above, lettered, panels
from zotheory.papers import claim
from zotheory.papers.tezo.layers import FAST
from zotheory.vocabulary import DRAWN, Kind, Verdict

CLAIM = "tezo.fig5.low_rank"
THRESHOLD = 0.02
LINES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)))


def draw(data: Data) -> tuple[Figure, str]:
    """Spectra of each attention matrix in four layers; numbers of large values in all layers."""
    found = data.number(CLAIM, Kind.MODEL, DRAWN)
    gradients = data.number(CLAIM, Kind.MODEL, "all attention matrices", "gradients")
    most = int(claim(CLAIM).statement.bound)
    entry = data.claim(CLAIM)
    modules = list(found["numbers"])

    figure, axes = panels(3, 2, height=5.4, gridspec_kw={"height_ratios": (3, 3, 3.4)})
    grid = axes[2, 0].get_gridspec()
    for ax in axes[2]:
        ax.remove()
    below = figure.add_subplot(grid[2, :])
    sns.despine(ax=below)
    below.grid(axis="y")
    spectra = axes[:2].ravel()
    for ax, module in zip(spectra, modules, strict=False):
        _spectra(ax, found["by matrix"], module)
        _region(ax, most, entry.verdict)
        ax.set(xlabel="index", ylabel=r"$\sigma_i / \sigma_1$")
    for (module, layers), look in zip(found["numbers"].items(), SERIES, strict=False):
        numbers = [int(name.removeprefix("layer ")) for name in layers]
        rows = np.array(list(layers.values()))
        below.fill_between(numbers, rows[:, 0], rows[:, 4], color=look.colour, alpha=0.15, lw=0)
        line = {**look.on_points(), "linestyle": "-", "ms": 2.4, "lw": 0.7}
        below.plot(numbers, rows[:, 2], label=module, **line)
    label = judged(f"claimed: at most {most}", entry)
    claimed(below, most, f"claimed: at most {most}", entry)
    below.set(xlabel="layer", ylabel="singular values", yscale="log")
    legend_above(figure, [spectra[0], below], columns=3)
    lettered([*spectra, below], [*modules, f"values at or above {THRESHOLD:.0%} of the largest"])
    return figure, (
        f"(a) to (d) Singular values of the gradients of attention matrices over the largest, in "
        f"four layers of a language model, along fine-tuning ({FAST}; batches of different text): "
        "median over the steps (lines) and the greatest (edge of the shade). "
        f"Hatched: where the claim leaves no median ({label}).\n\n(e) Number of singular values "
        f"at or above {THRESHOLD:.0%} of the largest, in every layer: median over the steps "
        f"(points), least and greatest (shade). {gradients:,} gradients."
    )


def _spectra(ax: Axes, curves: Mapping[str, Mapping], module: str) -> None:
    """One module's spectra, a line a layer."""
    shades = sns.color_palette("crest", len(LINES))
    chosen = {n: c for n, c in curves.items() if n.endswith(f" {module}")}
    for (name, curve), line, shade in zip(chosen.items(), LINES, shades, strict=False):
        x = np.array(curve["index"])
        ax.plot(x, curve["median"], color=shade, ls=line, lw=0.9, label=name.rsplit(" ", 1)[0])
        ax.fill_between(x, curve["median"], curve["max"], color=shade, alpha=0.2, lw=0)
    ax.set(xscale="log", yscale="log", ylim=(2e-4, 1.3), xlim=(0.9, None))


def _region(ax: Axes, most: int, verdict: Verdict) -> None:
    """What the claim leaves empty: at or above the threshold, beyond so many values."""
    colour, end = VERDICT_COLOURS[verdict], ax.get_xlim()[1]
    x, y = (most + 1, end), (THRESHOLD, 1.3)
    ax.fill_between(x, *y, facecolor="none", edgecolor=colour, hatch="////", lw=0, alpha=0.5)
    ax.plot([x[0], x[0], end], [y[1], y[0], y[0]], color=colour, ls=(0, (4, 2)), lw=0.9)


PICTURE = Picture("tezo_fig5", "Spectra of batch gradients", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
