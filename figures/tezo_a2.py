"""TeZO App. A.2.1: the cross term that TeZO-Adam leaves out, after one step."""

from __future__ import annotations

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import EXACT, SERIES, claimed, intervals, legend_above, lettered, panels
from proofs_check import matrices
from proofs_check.matrices import M, N, R
from zotheory import papers
from zotheory.evidence.exact import conjuncts
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.second_moment import AVERAGE2, COORDINATE2, SIZE

AVERAGE, COORDINATE = "tezo.eq8.negligible_on_average", "tezo.eq8.negligible_per_coordinate"


def draw(data: Data) -> tuple[Figure, str]:
    """Both terms at a coordinate; the cross term's size over how many coordinates are averaged."""
    m, n, r = SIZE
    count = data.count(20_000, 200_000)
    separable, cross = drawn(data.rng(21), count, r)
    figure, (at_one, averaged) = panels(1, 2, height=2.6)
    bins = np.linspace(-2, 5, 71)
    for values, label, look in (
        (separable / r, "separable term", SERIES[0]),
        (cross / r, "cross term", SERIES[1]),
    ):
        density, edges = np.histogram(values, bins)
        at_one.stairs(density / count / np.diff(edges), edges, fill=True, fc=look.colour, alpha=0.3)
        at_one.stairs(
            density / count / np.diff(edges), edges, ec=look.colour, ls=look.line, label=label
        )
    at_one.set(xlabel="value / mean separable", ylabel="density", xlim=(-2, 5))

    coordinates = np.geomspace(1, m * n, 50)
    averaged.plot(coordinates, rms(r, coordinates), label="exact", lw=0.9, **EXACT.on_line())
    for claim, at, key in ((COORDINATE, 1, f"r={r}"), (AVERAGE, m * n, f"m={m} n={n} r={r}")):
        ((square, *ends),) = data.quantity(claim, key).each
        intervals(averaged, [at], np.sqrt([square]), np.sqrt([ends]), SERIES[2], "measured")
        _claimed(averaged, data, claim)
    averaged.set(xscale="log", yscale="log", xlabel="coordinates averaged")
    averaged.set_ylabel("RMS cross / mean separable")
    averaged.set_xticks([1, 1e3, 1e6])
    lettered((at_one, averaged), ("at a coordinate", "averaged"))
    legend_above(figure, (at_one, averaged))
    return figure, (
        f"Both terms of Eq. 8 after one step, kappa = 1, m = n = {m}, r = {r}, in units of the "
        f"separable term's mean r. (a) At one coordinate, {count:,} draws; the axis leaves out "
        f"{np.mean((cross / r > 5) | (cross / r < -2)):.1%} of the cross terms.\n\n(b) Root mean "
        "square of the cross term's average over so many coordinates. Line: exact. Points: the "
        f"ledger's, at one coordinate and over all, with {LEVEL} intervals."
    )


def drawn(rng: np.random.Generator, count: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The separable and the cross term at one coordinate of independent draws."""
    w = np.prod(rng.standard_normal((3, count, r)), axis=0)
    separable = (w**2).sum(axis=1)
    return separable, w.sum(axis=1) ** 2 - separable


def rms(r: int, coordinates: np.ndarray) -> np.ndarray:
    """Of the cross term averaged over a block of the matrix, over the separable term's mean."""
    separable = matrices.mean(terms.separable_sum).value / (M * N)
    cross = matrices.mean(terms.cross_sum_square_given_factors).value / (M * N) ** 2
    square = sp.cancel(cross / separable**2).subs({N: 1, R: r})
    return np.sqrt(sp.lambdify(M, square)(coordinates))


def _claimed(ax: Axes, data: Data, claim: str) -> None:
    """What the claim says of the root mean square; its formula is about the square."""
    (formula,) = conjuncts(papers.claim(claim).statement.formula)
    if formula.lhs not in (AVERAGE2, COORDINATE2):
        raise ValueError(f"{claim} is about {formula.lhs}")
    bound = float(sp.sqrt(formula.rhs))
    where, line = ("average", (0, (1, 1))) if claim == AVERAGE else ("at one", (0, (4, 2)))
    claimed(ax, bound, f"{where} < {bound:.0%}", data.claim(claim), linestyle=line)


PICTURE = Picture("tezo_a2", "Separable and cross term after one step", (COORDINATE, AVERAGE), draw)

if __name__ == "__main__":
    main(PICTURE)
