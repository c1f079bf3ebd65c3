"""Sparse-MeZO Fig. 2b: how often a step on one batch raises its own loss, and another batch's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import (
    SERIES,
    VERDICT_COLOURS,
    Look,
    claimed,
    intervals,
    judged,
    legend_above,
    lettered,
    panels,
)
from zotheory import papers
from zotheory.budget import ALPHA
from zotheory.evidence.exact import conjuncts
from zotheory.ledger import Entry
from zotheory.papers.shared.along import ALONG
from zotheory.papers.smezo.batches import COSINE, NAMES
from zotheory.papers.smezo.finetuned import LAW, average_over
from zotheory.vocabulary import Kind

OWN, OTHER = "smezo.fig2b.same_batch", "smezo.fig2b.held_out"
MORE, COUNTED = "smezo.intro.more_likely", "own.held_out"
LOOKS = dict(zip(NAMES, SERIES, strict=False))
STUDIES = {OTHER: (SERIES[0], "judged for the band"), MORE: (SERIES[3], "judged for the line")}
RAISED = sp.lambdify(COSINE, 1 - LAW, "numpy")


def draw(data: Data) -> tuple[Figure, str]:
    """Shares of steps with the claimed shares as bands: counted, and from measured cosines."""
    figure, (own, other) = panels(1, 2, height=2.9, gridspec_kw={"width_ratios": (1, 1.6)})
    for x, loss in enumerate(NAMES):
        share, bounds = raised(data, loss)
        pairs = by_pair(data, loss)
        spread = x + np.linspace(-0.15, 0.15, len(pairs))
        look = LOOKS[loss]
        own.plot(spread, pairs, ".", ms=3, mfc="none", mec=look.colour, mew=0.6, alpha=0.8)
        bar = replace(look, marker="")
        intervals(own, [x], [float(np.mean(bounds))], [bounds], bar, zorder=4)
        own.plot([x], [share], zorder=5, **look.on_points())
    own.set(xticks=range(2), xticklabels=("whole\nvocabulary", "label\nwords"), xlim=(-0.5, 1.5))

    last = max(steps(data, MORE))
    shown: set[int] = set()
    for i, (claim, (look, name)) in enumerate(STUDIES.items()):
        _along(other, data, claim, set(steps(data, claim)) - shown, look)
        shown.update(steps(data, claim))
        _average(other, data, claim, last + 4 + 3 * i, look, name)
    _counted(other, data)
    other.set(xlabel="steps of fine-tuning; averages", xlim=(-4, last + 9))
    for ax, claim in ((own, OWN), (other, OTHER)):
        _claimed(ax, printed(claim), data.claim(claim))
    more = 100 * float(papers.claim(MORE).statement.bound)
    claimed(other, more, f"claimed: above {more:g}%", data.claim(MORE))
    for ax in (own, other):
        ax.set(ylim=(-3, 103), ylabel="steps that raise the loss (%)")
    lettered((own, other), ("its own batch", "another batch"))
    legend_above(figure, (own, other))
    draws = sum(data.drawn(OWN, Kind.MODEL, "draws by pair"))
    band, line = (steps(data, claim) for claim in STUDIES)
    count = len(along(data, OTHER, band[0]))
    return figure, (
        f"(a) Share of {draws} small MeZO steps, each along one Gaussian direction, that raise the "
        "loss of the batch they were made on, on a language model's two losses before fine-tuning: "
        f"counted shares with {LEVEL} intervals; small dots: by batch.\n\n(b) The probability that "
        "such a step raises another batch's loss, 1/2 - arcsin(cos)/π for a small step, from the "
        f"cosines of the gradients of {count} or more pairs of batches at each step looked at "
        f"(dots; dashes: their means) along one run ({ALONG}). On the right the averages over "
        f"steps, with {LEVEL} intervals for batches drawn anew. Circle: {_listed(band)}, "
        f"{average(data, OTHER)[0]:.0f}%, which the band is judged by; diamond: {_listed(line)}, "
        f"{average(data, MORE)[0]:.0f}%, which the dashed line is judged by. Triangle: counted "
        f"before fine-tuning, {LEVEL} interval. The share changes by the step and by the batches, "
        "with how far their gradients agree."
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


def along(data: Data, claim: str, step: int) -> np.ndarray:
    """Percent of small steps that raise another batch's loss, by pair of batches."""
    return 100 * RAISED(cosines(data, claim, step))


def cosines(data: Data, claim: str, step: int) -> np.ndarray:
    """Of the gradients of every pair of batches."""
    return np.array(data.number(claim, Kind.MODEL, f"after {step} steps", "cosines of the pairs"))


def steps(data: Data, claim: str) -> tuple[int, ...]:
    """After how many updates pairs of batches were looked at."""
    told = data.claim(claim).evidence_of(Kind.MODEL).numbers
    found = (re.fullmatch(r"after (\d+) steps", name) for name in told)
    return tuple(sorted(int(name[1]) for name in found if name))


def average(data: Data, claim: str) -> tuple[float, tuple[float, float]]:
    """Percent of small steps that raise another batch's loss, over steps, with its interval."""
    matrices = []
    for step in steps(data, claim):
        pairs = cosines(data, claim, step)
        count = round((1 + np.sqrt(1 + 8 * len(pairs))) / 2)
        matrix = np.eye(count)
        matrix[np.triu_indices(count, 1)] = pairs
        matrices.append(matrix + np.triu(matrix, 1).T)
    found = average_over(matrices, RAISED, ALPHA)
    return 100 * found.value, (100 * found.low, 100 * found.high)


def _along(ax: Axes, data: Data, claim: str, at: Iterable[int], look: Look) -> None:
    """Dots by pair at these steps, and dashes for their means."""
    for step in at:
        pairs = along(data, claim, step)
        spread = step + np.linspace(-0.3, 0.3, len(pairs))
        ax.plot(spread, pairs, ".", ms=2.5, mfc="none", mec=look.colour, mew=0.5, alpha=0.7)
        ax.plot([step - 0.4, step + 0.4], [pairs.mean()] * 2, color=look.colour, lw=1.2)


def _average(ax: Axes, data: Data, claim: str, at: float, look: Look, name: str) -> None:
    """Over the steps, beside them."""
    value, bounds = average(data, claim)
    intervals(ax, [at], [value], [bounds], look, name, zorder=4)


def _counted(ax: Axes, data: Data) -> None:
    """Steps that were made, at the initial weights."""
    share = data.number(COUNTED, Kind.MODEL, "counted share", NAMES[0])
    low, high = data.number(COUNTED, Kind.MODEL, "interval", NAMES[0])
    bounds = [(100 * (1 - high), 100 * (1 - low))]
    intervals(ax, [-2], [100 * (1 - share)], bounds, SERIES[2], "counted, at step 0", zorder=4)


def _listed(found: Sequence[int]) -> str:
    """In words, runs of consecutive steps by their ends."""
    runs = np.split(np.array(found), np.flatnonzero(np.diff(found) > 1) + 1)
    *first, last = (str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    return f"after {', '.join(first)}{' and ' if first else ''}{last} steps"


def _claimed(ax: Axes, band: tuple[float, float], entry: Entry) -> None:
    colour, (low, high) = VERDICT_COLOURS[entry.verdict], band
    told = f"at most {high:g}%" if low == 0 else f"{low:g}% to {high:g}%"
    label = judged(f"claimed: {told}", entry)
    ax.axhspan(low, high, facecolor=colour, alpha=0.12, lw=0, label=label)
    for end in band:
        ax.axhline(end, color=colour, ls=(0, (1, 1)), lw=0.8)


PICTURE = Picture(
    "smezo_fig2b", "Whom a step on one batch harms", (OWN, OTHER, MORE, COUNTED), draw
)

if __name__ == "__main__":
    main(PICTURE)
