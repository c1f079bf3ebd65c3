"""MeZO-GV and MeZO-Greedy: what each forward pass of a step buys, over the candidates k."""

from __future__ import annotations

from functools import cache

import sympy as sp
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.prior_table5 import CANDIDATES, LOOKS, NAMES, chosen
from figures.sampled import sampled
from figures.style import EXACT, SERIES, intervals, judged, legend_above, panels
from proofs_check.cards.ratio import cosine_of_chi2, number
from zotheory.papers.own.gv_break_even import CANDIDATES as M
from zotheory.papers.own.gv_break_even import break_even, two_point_limit
from zotheory.papers.prior.comparison import passes
from zotheory.papers.prior.quantities import DIMENSION
from zotheory.papers.prior.selection import Reduced, Statistic, scaled_cosine
from zotheory.statistics import Catoni

CLAIMS = {"guided": "prior.cost.gv", "greedy": "prior.cost.greedy"}
LEAST = "own.gv_break_even"
JUDGED = 4  # candidates, in the claims' measurements
_D = sp.Symbol("d", positive=True)


def draw(data: Data) -> tuple[Figure, str]:
    """lim d E cos^2 over a step's forward passes; as many passes spent otherwise."""
    samples = data.count(6_400, 64_000)
    figure, ax = panels(height=2.75)
    limit = one_sided()
    for label, curve, look in (
        ("one-sided differences", [limit.subs(M, k) / (k + 2) for k in CANDIDATES], SERIES[3]),
        ("two-point differences", [two_point(k) for k in CANDIDATES], EXACT),
    ):
        ax.plot(CANDIDATES, curve, label=label, **look.on_line())
    for method, claim in CLAIMS.items():
        look = LOOKS[method]
        ax.plot(CANDIDATES, [selected(method, k) for k in CANDIDATES], **look.on_line())
        found = (measured(data, method, k, samples) for k in CANDIDATES)
        values, bounds = zip(*found, strict=True)
        label = judged(f"{NAMES[method]} ahead at k = {JUDGED}", data.claim(claim))
        intervals(ax, CANDIDATES, values, bounds, look, label)
    least = int(break_even().value)
    ax.axvline(least, color="#999999", linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=1)
    ax.set(
        xlabel="candidates k",
        ylabel=r"$d\,\mathrm{E}\cos^2$ for each forward pass",
        xticks=CANDIDATES,
        ylim=(0, 1),
    )
    legend_above(figure, [ax], columns=1)
    return figure, (
        "Lines: the limit of d E cos^2 with the gradient of a linear loss as d grows, exact, "
        "divided by the forward passes that a step makes, which are counted on the estimators "
        f"(k + 2); the other two spend as many passes. Points: measured in d = {DIMENSION:,} "
        f"dimensions with {LEVEL} intervals, at k = {JUDGED} the ledger's, elsewhere {samples:,} "
        "samples each, drawn from k normals and one chi-square. The dotted line is the k from "
        f"which on ZO-GV is ahead of two-point differences, {least}."
    )


def one_sided() -> sp.Expr:
    """lim d E cos^2 of the k + 1 one-sided differences that k + 2 loss values give."""
    return sp.limit(_D * cosine_of_chi2(M + 1, _D), _D, sp.oo)


def two_point(k: int) -> float:
    """lim d E cos^2 of two-point differences for each of as many passes."""
    return float(two_point_limit().subs(M, k)) / (k + 2)


@cache
def selected(method: str, k: int) -> float:
    """The same of greedy's or GV's direction."""
    law = chosen(method, k)
    return number(law.second / law.spread) / passes(method, k)


def measured(data: Data, method: str, k: int, samples: int) -> tuple[float, tuple[float, float]]:
    """Estimate and interval: the ledger's where the claim was measured."""
    if k == JUDGED:
        _, (estimate, low, high), *_ = data.quantity(CLAIMS[method], f"M={k} d={DIMENSION}").each
    else:
        law = chosen(method, k)
        second = number(law.fourth / law.spread**2)  # of d cos^2 <= d A^2/(spread chi2_(d-1))
        second *= DIMENSION**2 / ((DIMENSION - 3) * (DIMENSION - 5))
        statistic = Statistic(Reduced(method, k, DIMENSION), scaled_cosine)
        found = sampled(data, f"prior_passes/{method} k={k}", statistic, Catoni(second), samples)
        estimate, low, high = map(float, (found.estimate, found.lower, found.upper))
    spent = passes(method, k)
    return estimate / spent, (low / spent, high / spent)


PICTURE = Picture(
    "prior_passes",
    "What a forward pass buys",
    (*CLAIMS.values(), LEAST, "own.gv_forward"),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
