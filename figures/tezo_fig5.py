"""TeZO Fig. 5: spectra of batch gradients, and where they fall below 2% of the largest value."""

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
from zotheory.vocabulary import Kind, Verdict

CLAIM = "tezo.fig5.low_rank"
THRESHOLD = 0.02
LINES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)))


def draw(data: Data) -> tuple[Figure, str]:
    """Spectra of each attention matrix in four layers; crossings in all layers."""
    found = data.drawn(CLAIM, Kind.MODEL, str(FAST))
    gradients = data.numbers(CLAIM, Kind.MODEL, str(FAST), "gradients")
    within = float(claim(CLAIM).statement.formula.rhs)
    verdict = data.verdict(CLAIM)
    modules = list(found["crossings"])

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
        _region(ax, within, verdict)
        ax.set(xlabel="index / length", ylabel=r"$\sigma_i / \sigma_1$")
    for (module, layers), look in zip(found["crossings"].items(), SERIES, strict=False):
        numbers = [int(name.removeprefix("layer ")) for name in layers]
        rows = np.array(list(layers.values()))
        below.fill_between(numbers, rows[:, 0], rows[:, 4], color=look.colour, alpha=0.15, lw=0)
        line = {"marker": look.marker, "ms": 2.4, "lw": 0.7}
        below.plot(numbers, rows[:, 2], label=module, color=look.colour, **line)
    label = judged(f"claimed: within {within:.0%}", verdict)
    claimed(below, within, f"claimed: within {within:.0%}", verdict)
    below.set(xlabel="layer", ylabel="index / length", yscale="log")
    legend_above(figure, [spectra[0], below], columns=3)
    lettered([*spectra, below], [*modules, f"first below {THRESHOLD:.0%}"])
    return figure, (
        f"(a) to (d) Singular values of the gradients of attention matrices over the largest, in "
        f"four layers of a language model, along fine-tuning ({FAST}; batches of different text): "
        "median over the batches (lines) and the greatest (edge of the shade). "
        f"Hatched: where the claim leaves no value ({label}).\n\n(e) Index of the first "
        f"singular value below {THRESHOLD:.0%} of the largest over their number, in every layer: "
        f"median over the batches (points), least and greatest (shade). {gradients:,} gradients."
    )


def _spectra(ax: Axes, curves: Mapping[str, Mapping], module: str) -> None:
    """One module's spectra, a line a layer."""
    shades = sns.color_palette("crest", len(LINES))
    chosen = {n: c for n, c in curves.items() if n.endswith(f" {module}")}
    for (name, curve), line, shade in zip(chosen.items(), LINES, shades, strict=False):
        x = np.array(curve["index"]) / curve["length"]
        ax.plot(x, curve["median"], color=shade, ls=line, lw=0.9, label=name.rsplit(" ", 1)[0])
        ax.fill_between(x, curve["median"], curve["max"], color=shade, alpha=0.2, lw=0)
    ax.set(xscale="log", yscale="log", ylim=(2e-4, 1.3), xlim=(1.5e-3, 1))


def _region(ax: Axes, within: float, verdict: Verdict) -> None:
    """What the claim leaves empty: above the threshold, beyond a share of the spectrum."""
    colour = VERDICT_COLOURS[verdict]
    corner = {"xmin": within, "xmax": 1, "ymin": THRESHOLD, "ymax": 1.3}
    x, y = (corner["xmin"], corner["xmax"]), (corner["ymin"], corner["ymax"])
    ax.fill_between(x, *y, facecolor="none", edgecolor=colour, hatch="////", lw=0, alpha=0.5)
    ax.plot([within, within, 1], [y[1], y[0], y[0]], color=colour, ls=(0, (4, 2)), lw=0.9)


PICTURE = Picture("tezo_fig5", "Spectra of batch gradients", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
