"""Ours: E cos^2 with the gradient against the loss values spent, and the limits on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

import estimators
from figures.command import main
from figures.data import Data, MissingData
from figures.picture import Picture
from figures.probed import batches, objective
from figures.style import (
    INK,
    SERIES,
    VERDICT_COLOURS,
    Look,
    intervals,
    judged,
    legend_above,
    lettered,
    panels,
)
from zotheory.evidence.exact import conjuncts
from zotheory.papers import claim
from zotheory.papers.own.query_limit import ANY, SCALE_FREE, VALUES, D
from zotheory.probing.lineup import of_recipe, recipe_names
from zotheory.probing.measure import Estimator
from zotheory.probing.objectives import Objective
from zotheory.probing.quantities import LEVEL, Interval, quantities
from zotheory.probing.theory import exact

CLAIM = "own.query_limit"
OTHERS = Look("#8a8a8a", "none", "x")
SIZE = (24, 16)  # of `zotheory probe`
VALUES_SPENT = (2, 4, 6, 10, 18)


@dataclass(frozen=True)
class Family:
    """Estimators that spend B loss values, for every B in `spends`."""

    label: str
    recipe: str
    options: Callable[[int], dict[str, Any]]
    look: Look
    spends: tuple[int, ...] = VALUES_SPENT

    def at(self, values: int) -> Estimator:
        """The one that spends so many."""
        build = partial(getattr(estimators, self.recipe), **self.options(values))
        return Estimator(f"{self.recipe} B={values}", build)


FAMILIES = (
    Family(
        "one-sided, orthonormal",
        "one_sided",
        lambda b: {"queries": b - 1, "orthonormal": True},
        SERIES[0],
    ),
    Family("one-sided", "one_sided", lambda b: {"queries": b - 1}, SERIES[3]),
    Family("two-sided", "q_spsa", lambda b: {"queries": b // 2}, Look(INK, "-", "*")),
    Family("MeZO-GV", "mezo_gv", lambda b: {"candidates": b - 2}, SERIES[2], VALUES_SPENT[1:]),
    Family(
        "MeZO-Greedy", "mezo_greedy", lambda b: {"candidates": b - 2}, SERIES[1], VALUES_SPENT[1:]
    ),
)


def draw(data: Data) -> tuple[Figure, str]:
    """E cos^2 over B, and for each loss value beyond the first."""
    samples = data.count(50, 250)
    on = objective(data, *SIZE)
    d = on.entries
    figure, (cosines, shares) = panels(2, 1, height=4.7, sharex=True)
    grid = np.geomspace(min(VALUES_SPENT), max(VALUES_SPENT), 100)
    correction = data.claim(CLAIM).correction
    if correction is None:
        raise MissingData(f"the ledger has no correction of {CLAIM}")
    for name, label, line in (
        (ANY, "B/d: no estimator is above", (0, (1, 1))),
        (SCALE_FREE, "(B-1)/d: nor any scale-free one", (0, (4, 2))),
    ):
        look = {"color": VERDICT_COLOURS[correction.verdict], "linestyle": line, "zorder": 2.6}
        values = np.array([limit(name, b, d) for b in grid])
        cosines.plot(grid, values, label=judged(label, correction), **look)
        shares.plot(grid, values * d / (grid - 1), **look)
    for i, family in enumerate(FAMILIES):
        found = [measured(data, family.at(b), on, samples) for b in family.spends]
        _family(cosines, shares, family, found, d, 1.02 ** (i - 2))
    told = _others(cosines, shares, data, on, samples)
    cosines.set(yscale="log")
    cosines.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    cosines.yaxis.set_major_formatter("{x:g}")
    cosines.set(ylabel=r"$\mathrm{E}\cos^2$ with the gradient")
    for ax in (cosines, shares):
        ax.set(xscale="log", xticks=VALUES_SPENT, xticklabels=VALUES_SPENT)
        ax.minorticks_off()
    shares.set(xlabel="loss values B", ylabel=r"$\mathrm{E}\cos^2\;d\,/\,(B-1)$", ylim=(0, 2.05))
    lettered((cosines, shares), ("", ""))
    legend_above(figure, (cosines, shares))
    return figure, (
        f"Estimates of a linear loss of d = {d} weights, {samples} by the code that trains for "
        f"each point, {LEVEL:.0%} jackknife intervals; lines: exact where an expression is known "
        "(not for MeZO-GV with more than 4 candidates, whose points are joined). B counts the "
        f"loss values that an estimate spends. Crosses: the other recipes, {told}. (b) The same "
        "over (B-1)/d."
    )


def limit(name: Any, values: float, d: int) -> float:
    """What the claim's correction says is the most that B loss values buy."""
    correction = claim(CLAIM).correction
    relations = conjuncts(correction and correction.formula)
    limits = {relation.lhs: relation.rhs for relation in relations}
    return float(limits[name].subs({VALUES: values, D: d}))


@dataclass(frozen=True)
class Found:
    """Loss values counted, and E cos^2 measured, with the exact value where it is known."""

    losses: float
    cos2: Interval


def measured(data: Data, estimator: Estimator, on: Objective, samples: int) -> Found:
    """An estimator's cosine on the linear loss, from the sums of `zotheory probe`."""
    found = quantities(batches(data, estimator, on, samples))
    theory = exact(estimator.build(on, data.ledger.seed)[0], on)
    return Found(found.losses, found.cos2.beside(None if theory is None else theory.cos2))


def others(on: Objective) -> list[Estimator]:
    """The recipes that the families leave out, one for each perturbation and direction."""
    known = {family.recipe for family in FAMILIES}
    kept: dict[tuple[type, type], Estimator] = {}
    for name in recipe_names():
        if name in known:
            continue
        for estimator in of_recipe(name, *SIZE):
            made, _ = estimator.build(on, 0)
            kept.setdefault((type(made.perturbation), type(made.direction)), estimator)
    return list(kept.values())


def _family(
    cosines: Axes, shares: Axes, family: Family, found: list[Found], d: int, shift: float
) -> None:
    look = family.look
    lines = [(f.losses, f.cos2.value if f.cos2.exact is None else f.cos2.exact) for f in found]
    spent, values = np.array(lines).T
    bounds = np.array([(f.cos2.low, f.cos2.high) for f in found])
    points = np.array([f.cos2.value for f in found])
    unit = d / (spent - 1)
    cosines.plot(spent, values, linewidth=0.9, **look.on_line())
    shares.plot(spent, values * unit, linewidth=0.9, **look.on_line())
    intervals(cosines, spent * shift, points, bounds, look, family.label)
    intervals(shares, spent * shift, points * unit, bounds * unit[:, None], look)


def _others(cosines: Axes, shares: Axes, data: Data, on: Objective, samples: int) -> str:
    """Crosses side by side at each B; which recipes they are, in words."""
    at: dict[float, list[tuple[str, Interval]]] = {}
    for estimator in others(on):
        found = measured(data, estimator, on, samples)
        at.setdefault(found.losses, []).append((estimator.name, found.cos2))
    for spent, group in at.items():
        places = spent * 1.03 ** (np.arange(len(group)) - (len(group) - 1) / 2)
        points = np.array([cos2.value for _, cos2 in group])
        bounds = np.array([(cos2.low, cos2.high) for _, cos2 in group])
        unit = on.entries / (spent - 1)
        keywords: dict[str, Any] = {"ms": 3, "zorder": 1.8}
        intervals(cosines, places, points, bounds, OTHERS, "other recipes", **keywords)
        intervals(shares, places, points * unit, bounds * unit, OTHERS, **keywords)
    told = (f"{', '.join(n for n, _ in group)} (B = {b:g})" for b, group in sorted(at.items()))
    return "; ".join(told)


PICTURE = Picture(
    "own_queries",
    "What loss values buy",
    (CLAIM, "own.no_free_lunch", "own.forward_differences", "own.gv_forward"),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
