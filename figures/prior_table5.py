"""MeZO-GV Table 5: how much of an estimate lies along the gradient, claimed, exact and measured."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.sampled import sampled
from figures.style import INK, SERIES, intervals, lettered, panels
from proofs_check.cards.order_statistics import Selection, size_of_minimum
from proofs_check.cards.ratio import number
from proofs_check.moments import norm_power_moment
from zotheory import papers
from zotheory.papers.prior.estimate import RATIO
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.lemma3 import SECOND, SIZE
from zotheory.papers.prior.lemma4 import RATIO1, RATIO2
from zotheory.papers.prior.quantities import DIMENSION, SETTINGS, K, S, band, chi, greedy, guided
from zotheory.papers.prior.selection import Reduced, Statistic, along, ratio
from zotheory.statistics import Catoni

NAMES = {"plain": "ZO", "greedy": "ZO-Greedy", "guided": "ZO-GV"}
LOOKS = dict(zip(NAMES, SERIES, strict=False))
CANDIDATES = range(2, 17, 2)
PRINT: dict[str, Any] = {
    "linestyle": (0, (4, 2)),
    "linewidth": 0.8,
    "mfc": "white",
    "ms": 2.8,
    "mew": 0.7,
}
RATIOS = ("ratio 1", "ratio 2")  # the first is drawn times sqrt(d - 1)
# The claim whose statement has the printed term, its name there, and what it is drawn times.
PRINTED = {
    ("plain", "ratio 1"): ("prior.lemma2.ratio1_large", RATIO, sp.sqrt(D - 1)),
    ("greedy", "ratio 1"): ("prior.lemma3.minimum", SIZE, sp.S.One),
    ("guided", "ratio 1"): ("prior.lemma4.ratio1", RATIO1, sp.sqrt(D - 1)),
    ("greedy", "ratio 2"): ("prior.lemma3.ratio2", SECOND, sp.S.One),
    ("guided", "ratio 2"): ("prior.lemma4.ratio2", RATIO2, sp.S.One),
}
# The claim that was measured, and where its evidence has the numbers.
MEASURED = {
    ("guided", "ratio 1"): ("prior.lemma4.ratio1", "k={k} s={s} d={d}"),
    ("greedy", "ratio 2"): ("prior.lemma3.ratio2", "k={k}"),
    ("guided", "ratio 2"): ("prior.lemma4.ratio2", "k={k} s={s}"),
}


def draw(data: Data) -> tuple[Figure, str]:
    """Both ratios over k, at s = k/2."""
    samples = data.count(3_200, 32_000)
    figure, axes = panels(1, 2, height=2.7)
    for ax, which in zip(axes, RATIOS, strict=True):
        for method in NAMES:
            _series(ax, data, method, which, samples)
        ax.set(xlabel="directions k", xticks=[2, 4, 8, 12, 16])
    first, second = axes
    first.set(ylabel=r"mean $\sqrt{d-1}\;\|V_\parallel\|\,/\,\|V_\perp\|$", ylim=0)
    second.set(yscale="log", ylabel=r"mean $\|V_\parallel\|\,/\,\|g\|$")
    lettered(axes, RATIOS)
    _legend(figure)
    return figure, (
        "Dashed, hollow: the lemmas' terms as printed, at s = k/2. Solid: exact. Points: measured, "
        f"{LEVEL} intervals, in d = {DIMENSION:,} dimensions; those of ZO-GV, and of ratio 2 of "
        f"ZO-Greedy, are the ledger's, the others have {samples:,} samples each, drawn from k "
        "normals and one chi-square. V is one estimate; ZO's is the average of k two-point ones."
    )


@cache
def claimed(method: str, which: str, k: int) -> float:
    """What the paper prints, at s = k/2."""
    if (method, which) == ("plain", "ratio 2"):
        return 1.0  # E V = g
    claim, name, unit = PRINTED[method, which]
    value, _ = band(papers.claim(claim).statement.formula, name)
    return float((value * unit).subs({K: k, S: sp.Rational(k, 2), D: DIMENSION}))


@cache
def exact(method: str, which: str, k: int) -> float:
    """The mean of either ratio: of |A| sqrt(d-1)/(sqrt(spread) chi_(d-1)) and of A^2."""
    if method == "plain":
        return float(chi(k)) * _shrink() if which == "ratio 1" else 1.0
    law = chosen(method, k)
    if which == "ratio 2":
        return number(law.second)
    size = number(size_of_minimum(k)) if method == "greedy" else -number(law.first)
    return size / float(sp.sqrt(law.spread)) * _shrink()


def chosen(method: str, k: int) -> Selection:
    """The law of greedy's or GV's direction, at s = k/2."""
    return greedy(k) if method == "greedy" else guided(k, k // 2)


@cache
def _shrink() -> float:
    """E[sqrt(d-1)/chi_(d-1)]."""
    return float((sp.sqrt(DIMENSION - 1) * norm_power_moment(-1, DIMENSION - 1)).evalf())


def measured(
    data: Data, method: str, which: str, k: int, samples: int
) -> tuple[float, tuple[float, float]]:
    """Estimate and interval: the ledger's, or of samples drawn here."""
    if (method, which) in MEASURED:
        claim, at = MEASURED[method, which]
        at = at.format(k=k, s=k // 2, d=DIMENSION)
        ((value, low, high),) = data.quantity(claim, at).each
        return value, (low, high)
    of = ratio if which == "ratio 1" else along
    statistic = Statistic(Reduced(method, k, DIMENSION), of)
    name = f"prior_table5/{method} {which} k={k}"
    found = sampled(data, name, statistic, Catoni(_variance(method, which, k)), samples)
    return float(found.estimate), (float(found.lower), float(found.upper))


def _variance(method: str, which: str, k: int) -> float:
    """Of the statistic that is sampled: E A^2/spread (d-1)/(d-3) less the mean's square, 2/k."""
    if which == "ratio 2":
        return 2 / k
    second = k if method == "plain" else number(chosen(method, k).second)
    return second * (DIMENSION - 1) / (DIMENSION - 3) - exact(method, which, k) ** 2


def _series(ax: Axes, data: Data, method: str, which: str, samples: int) -> None:
    look = LOOKS[method]
    printed = [claimed(method, which, k) for k in CANDIDATES]
    ax.plot(CANDIDATES, printed, **PRINT, color=look.colour, marker=look.marker)
    ax.plot(CANDIDATES, [exact(method, which, k) for k in CANDIDATES], color=look.colour)
    places = [k for k, _ in SETTINGS]
    found = (measured(data, method, which, k, samples) for k in places)
    values, bounds = zip(*found, strict=True)
    intervals(ax, places, values, bounds, look)


def _legend(figure: Figure) -> None:
    """The methods' markers, and what dashed and solid mean."""
    handles = [Line2D([], [], label=NAMES[m], **LOOKS[m].on_points()) for m in NAMES]
    handles.append(Line2D([], [], **PRINT, color=INK, marker="o", label="printed"))
    handles.append(Line2D([], [], color=INK, label="exact"))
    figure.legend(handles=handles, loc="outside upper left", ncols=3)


PICTURE = Picture(
    "prior_table5",
    "Gradient-aligned component ratios of Table 5",
    (
        "prior.table5.greedy",
        "prior.table5.gv",
        "prior.lemma2.ratio1_large",
        "prior.lemma3.minimum",
        "prior.lemma3.ratio2",
        "prior.lemma4.ratio1",
        "prior.lemma4.ratio2",
    ),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
