"""Sparse-MeZO Fig. 2b: how often a step on one batch raises its own loss, and another batch's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import (
    NOISE,
    SERIES,
    VERDICT_COLOURS,
    intervals,
    judged,
    legend_above,
    panels,
)
from zotheory import papers
from zotheory.evidence.exact import conjuncts
from zotheory.papers.smezo.batches import NAMES
from zotheory.vocabulary import Kind

CLAIMS = {"its own batch": "smezo.fig2b.same_batch", "another batch": "smezo.fig2b.held_out"}
LAW = "1/2 + arcsin(cos)/pi, averaged over the pairs"
LOOKS = dict(zip(NAMES, SERIES, strict=False))
SHIFTS = dict(zip(NAMES, (-0.17, 0.17), strict=True))


def draw(data: Data) -> tuple[Figure, str]:
    """Shares of steps, in all and by pair of batches, with the claimed shares as bands."""
    figure, ax = panels(height=2.8)
    for x, (batch, claim) in enumerate(CLAIMS.items()):
        entry = data.claim(claim)
        label = judged(f"claimed for {batch}", entry)
        _claimed(ax, x, printed(claim), label, VERDICT_COLOURS[entry.verdict])
        for loss in NAMES:
            at, look = x + SHIFTS[loss], LOOKS[loss]
            share, bounds = raised(data, claim, loss)
            pairs = by_pair(data, claim, loss)
            spread = at + np.linspace(-0.09, 0.09, len(pairs))
            ax.plot(spread, pairs, ".", ms=3, mfc="none", mec=look.colour, mew=0.6, alpha=0.8)
            bar = replace(look, marker="")  # a share may lie beside its interval, see the caption
            intervals(ax, [at], [np.mean(bounds)], [bounds], bar, zorder=4)
            ax.plot([at], [share], label=loss, zorder=5, **look.on_points())
    for loss in NAMES:
        law = 100 * (1 - data.number(CLAIMS["another batch"], Kind.MODEL, LAW, loss))
        ends = 1 + SHIFTS[loss] - 0.13, 1 + SHIFTS[loss] + 0.13
        ax.plot(ends, (law, law), color=NOISE.colour, label="1/2 - arcsin(cos)/π")
    ax.set(
        xticks=range(len(CLAIMS)),
        xticklabels=CLAIMS,
        xlim=(-0.5, len(CLAIMS) - 0.5),
        ylim=(-3, None),
        ylabel="steps that raise the loss (%)",
    )
    legend_above(figure, [ax], columns=1)
    draws = sum(data.drawn(CLAIMS["another batch"], Kind.MODEL, "draws by pair"))
    pairs = len(data.drawn(CLAIMS["another batch"], Kind.MODEL, "pairs of batches"))
    return figure, (
        f"Share of {draws} small MeZO steps, each along one Gaussian direction, that raise the "
        "loss of the batch they were made on, and of another batch, on a language model's two "
        f"losses: counted shares, and bars with {LEVEL} intervals of the probability, for the "
        "step's own batch from the counts alone, for another batch as the claim has them: from the "
        "law of the losses' linear parts, and from how often the losses themselves differ from "
        f"that, so that a share may lie beside its bar. Small dots: the {pairs} ordered pairs of "
        "batches. Bands: the claimed shares. Grey: what the cosines of the gradients predict."
    )


def printed(claim: str) -> tuple[float, float]:
    """The claimed share of steps that raise the loss, as a band in percent."""
    relations = conjuncts(papers.claim(claim).statement.formula)
    ends = {relation.rel_op: float(relation.rhs) for relation in relations}
    low, high = ends[">="], ends.get("<=", 1.0)
    return 100 * (1 - high), 100 * (1 - low)


def raised(data: Data, claim: str, loss: str) -> tuple[float, tuple[float, float]]:
    """Percent of steps that raise the loss, and its interval."""
    share = data.number(claim, Kind.MODEL, "share", loss)
    low, high = data.number(claim, Kind.MODEL, "interval", loss)
    return 100 * (1 - share), (100 * (1 - high), 100 * (1 - low))


def by_pair(data: Data, claim: str, loss: str) -> np.ndarray:
    """The same share for each ordered pair of batches."""
    lowered = np.array(data.drawn(claim, Kind.MODEL, "outcomes by pair", loss))
    return 100 * (1 - lowered / data.drawn(claim, Kind.MODEL, "draws by pair"))


def _claimed(ax: Axes, x: int, band: tuple[float, float], label: str, colour: str) -> None:
    low, high = band
    look = {"facecolor": to_rgba(colour, 0.12), "edgecolor": colour, "linestyle": (0, (4, 2))}
    ax.add_patch(Rectangle((x - 0.4, low), 0.8, high - low, label=label, linewidth=0.8, **look))


PICTURE = Picture("smezo_fig2b", "Whom a step on one batch harms", tuple(CLAIMS.values()), draw)

if __name__ == "__main__":
    main(PICTURE)
