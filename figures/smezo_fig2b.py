"""Sparse-MeZO Fig. 2b: how often a step on one batch raises its own loss, and another batch's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    lettered,
    panels,
)
from zotheory import papers
from zotheory.evidence.exact import conjuncts
from zotheory.papers.shared.along import ALONG
from zotheory.papers.smezo.batches import COSINE, NAMES
from zotheory.papers.smezo.noise import LAW
from zotheory.vocabulary import Kind

OWN, OTHER = "smezo.fig2b.same_batch", "smezo.fig2b.held_out"
LOOKS = dict(zip(NAMES, SERIES, strict=False))


def draw(data: Data) -> tuple[Figure, str]:
    """Shares of steps with the claimed shares as bands: counted, and from measured cosines."""
    figure, (own, other) = panels(1, 2, height=2.8, gridspec_kw={"width_ratios": (1, 1.6)})
    for x, loss in enumerate(NAMES):
        share, bounds = raised(data, loss)
        pairs = by_pair(data, loss)
        spread = x + np.linspace(-0.15, 0.15, len(pairs))
        look = LOOKS[loss]
        own.plot(spread, pairs, ".", ms=3, mfc="none", mec=look.colour, mew=0.6, alpha=0.8)
        bar = replace(look, marker="")
        intervals(own, [x], [np.mean(bounds)], [bounds], bar, zorder=4)
        own.plot([x], [share], label=loss, zorder=5, **look.on_points())
    own.set(xticks=range(2), xticklabels=("whole\nvocabulary", "label\nwords"), xlim=(-0.5, 1.5))

    look = LOOKS[NAMES[0]]
    for step in ALONG.phases:
        pairs = along(data, step)
        spread = step + np.linspace(-1.5, 1.5, len(pairs))
        other.plot(spread, pairs, ".", ms=3, mfc="none", mec=look.colour, mew=0.6, alpha=0.8)
    means = [float(np.mean(along(data, step))) for step in ALONG.phases]
    other.plot(ALONG.phases, means, color=look.colour, lw=0.8, label="along fine-tuning")
    other.plot(ALONG.phases, means, **look.on_points())
    other.axhline(np.mean(means), color=NOISE.colour, lw=0.9, label="their mean")
    other.set(xlabel="steps of fine-tuning")
    for ax, claim in ((own, OWN), (other, OTHER)):
        _claimed(ax, printed(claim), data, claim)
        ax.set(ylim=(-3, 60), ylabel="steps that raise the loss (%)")
    lettered((own, other), ("its own batch", "another batch"))
    legend_above(figure, (own, other), columns=2)
    draws = sum(data.drawn(OWN, Kind.MODEL, "draws by pair"))
    return figure, (
        f"(a) Share of {draws} small MeZO steps, each along one Gaussian direction, that raise the "
        "loss of the batch they were made on, on a language model's two losses before fine-tuning: "
        f"counted shares with {LEVEL} intervals; small dots: by batch.\n\n(b) The probability that "
        "such a step raises another batch's loss, 1/2 - arcsin(cos)/π for a small step, from the "
        f"cosines of the gradients of {len(along(data, ALONG.phases[0]))} pairs of batches (dots) "
        f"after {', '.join(map(str, ALONG.phases))} steps of fine-tuning ({ALONG}); line: means. "
        "Bands: the claimed shares."
    )


def printed(claim: str) -> tuple[float, float]:
    """The claimed share of steps that raise the loss, as a band in percent."""
    relations = conjuncts(papers.claim(claim).statement.formula)
    ends = {relation.rel_op: float(relation.rhs) for relation in relations}
    low, high = ends[">="], ends.get("<=", 1.0)
    return 100 * (1 - high), 100 * (1 - low)


def raised(data: Data, loss: str) -> tuple[float, tuple[float, float]]:
    """Percent of steps that raise their own batch's loss, and its interval."""
    share = data.number(OWN, Kind.MODEL, "share", loss)
    low, high = data.number(OWN, Kind.MODEL, "interval", loss)
    return 100 * (1 - share), (100 * (1 - high), 100 * (1 - low))


def by_pair(data: Data, loss: str) -> np.ndarray:
    """The same share for each ordered pair of batches."""
    lowered = np.array(data.drawn(OWN, Kind.MODEL, "outcomes by pair", loss))
    return 100 * (1 - lowered / data.drawn(OWN, Kind.MODEL, "draws by pair"))


def along(data: Data, step: int) -> np.ndarray:
    """Percent of small steps that raise another batch's loss, by pair of batches."""
    cosines = data.number(OTHER, Kind.MODEL, f"after {step} steps", "cosines of the pairs")
    law = sp.lambdify(COSINE, LAW, "numpy")
    return 100 * (1 - law(np.array(cosines)))


def _claimed(ax: Axes, band: tuple[float, float], data: Data, claim: str) -> None:
    entry = data.claim(claim)
    colour = VERDICT_COLOURS[entry.verdict]
    ax.axhspan(*band, facecolor=colour, alpha=0.12, lw=0, label=judged("claimed", entry))
    for end in band:
        ax.axhline(end, color=colour, ls=(0, (4, 2)), lw=0.8)


PICTURE = Picture("smezo_fig2b", "Whom a step on one batch harms", (OWN, OTHER), draw)

if __name__ == "__main__":
    main(PICTURE)
