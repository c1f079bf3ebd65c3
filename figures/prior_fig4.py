"""MeZO-GV Fig. 4: squared cosine of its direction with a language model's gradient, and MeZO's."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import INK, SERIES, Look, judged, legend_above, panels
from zotheory.vocabulary import Kind

CLAIM = "prior.step.gv"
METHODS = {"MeZO": 1, "MeZO-GV, M = 4": 0}  # places in the evidence's pair of means
QUARTILES = {"MeZO": "d cos^2 of plain, quartiles", "MeZO-GV, M = 4": "d cos^2 of GV, quartiles"}
LOOKS = dict(zip(METHODS, (SERIES[0], SERIES[2]), strict=True))


def draw(data: Data) -> tuple[Figure, str]:
    """d cos^2 by layer as boxes, beside the exact means on a linear loss."""
    layers = data.number(CLAIM, Kind.MODEL)
    exact = exact_means(data)
    figure, ax = panels(height=2.7)
    for i, method in enumerate(METHODS):
        look, places = LOOKS[method], [x + (i - 0.5) * 0.36 for x in range(len(layers))]
        _boxes(ax, places, [box(row, method) for row in layers.values()], look)
        ax.axhline(exact[method], linewidth=1.0, color=INK, linestyle=look.line, zorder=1.5)
        ax.bar(0, 0, label=method, alpha=0.55, **look.on_bars())
    ax.plot([], [], "D", ms=3, mfc="white", mec=INK, mew=0.8, label="mean of the draws")
    for method, look in LOOKS.items():
        exactly = f"exact mean, {method.partition(',')[0]}"
        ax.plot([], [], label=exactly, linewidth=1.0, color=INK, linestyle=look.line)
    ax.plot([], [], " ", label=judged("claimed: GV larger", data.claim(CLAIM)))
    ax.set(
        xlabel="decoder layer",
        ylabel=r"$d\,\cos^2$ with the true gradient",
        xticks=range(len(layers)),
        xticklabels=[name.rpartition(".")[2] for name in layers],
        ylim=0,
    )
    legend_above(figure, [ax])
    sizes = {row["d"] for row in layers.values()}
    draws = {row["draws"] for row in layers.values()}
    best = max(mean(row, method) / row["d"] for row in layers.values() for method in METHODS)
    return figure, (
        f"d cos^2 of one direction with the gradient of a language model's layer of "
        f"d = {_listed(sizes)} weights, {_listed(draws)} draws a layer: quartiles (boxes), range "
        "(whiskers) and mean (diamonds), as the ledger has them. Lines: the exact means on a "
        f"linear loss as d grows, {_told(exact)}. Even the largest of these means is an angle of "
        f"{math.degrees(math.acos(math.sqrt(best))):.2f} degrees to the gradient."
    )


def exact_means(data: Data) -> dict[str, float]:
    """lim d E cos^2 of either method, from the claim's exact evidence."""
    limits = list(data.number(CLAIM, Kind.EXACT, "limit of d E cos^2").values())
    return {"MeZO": limits[1], "MeZO-GV, M = 4": limits[0]}


def mean(row: dict[str, Any], method: str) -> float:
    """A method's mean of d cos^2 in one layer."""
    return row["mean d cos^2 of GV and plain"][METHODS[method]]


def box(row: dict[str, Any], method: str) -> dict[str, Any]:
    """What matplotlib's `bxp` draws of one layer: quartiles, range, mean."""
    names = ("whislo", "q1", "med", "q3", "whishi")
    quartiles = dict(zip(names, row[QUARTILES[method]], strict=True))
    return {**quartiles, "mean": mean(row, method), "fliers": []}


def _boxes(ax: Axes, places: list[float], boxes: list[dict[str, Any]], look: Look) -> None:
    line = {"color": INK, "linewidth": 0.7}
    ax.bxp(
        boxes,
        positions=places,
        widths=0.28,
        patch_artist=True,
        showfliers=False,
        showmeans=True,
        manage_ticks=False,
        boxprops={**look.on_bars(), "edgecolor": INK, "linewidth": 0.7, "alpha": 0.55},
        medianprops=line,
        whiskerprops=line,
        capprops=line,
        meanprops={"marker": "D", "ms": 3, "mfc": "white", "mec": INK, "mew": 0.8},
    )


def _listed(sizes: set[int]) -> str:
    return " or ".join(f"{size:,}" for size in sorted(sizes))


def _told(means: dict[str, float]) -> str:
    return " and ".join(f"{value:.3g} for {name}" for name, value in means.items())


PICTURE = Picture("prior_fig4", "Alignment of one step with the gradient", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
