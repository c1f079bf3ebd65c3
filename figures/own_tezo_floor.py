"""Ours, for TeZO: the loss over steps with factors drawn once, factors redrawn, and MeZO."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.sampled import sampled
from figures.style import SERIES, claimed, intervals, legend_above, panels
from proofs_check import matrices
from proofs_check.cards import card
from proofs_check.moments import norm_moment, scalar_moment
from zotheory.papers import claim
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import ETA, FrozenDescent, RedrawnDescent
from zotheory.statistics import Bernstein, Catoni

CLAIM = "own.tezo_floor"
SIZE, RANK = 8, 16  # of the square matrix, and of TeZO's factors
STEPS = (10, 30, 60, 100, 150, 200, 300, 400)
LOOKS = dict(zip(("frozen", "redrawn", "mezo"), (SERIES[1], SERIES[0], SERIES[2]), strict=True))


@dataclass(frozen=True)
class Rule:
    """A descent whose Z is drawn anew in every step, at its best constant step size eta.

    eta = 1/(1 + v), v the relative variance of one estimate: the loss's mean falls by the factor
    1 - 2 eta + eta^2 (1 + v) = 1 - eta in a step. fourth: a bound on E||G_(t+1)||^4 / ||G_t||^4.
    """

    rank: int | None
    eta: sp.Expr
    fourth: float

    def mean(self, steps: np.ndarray) -> np.ndarray:
        """E||G_t||^2 / ||G_0||^2."""
        return float(1 - self.eta) ** steps

    def variance(self, steps: np.ndarray) -> np.ndarray:
        """A bound on the variance of ||G_t||^2 / ||G_0||^2."""
        return self.fourth**steps - self.mean(steps) ** 2


def redrawn() -> Rule:
    """TeZO with factors redrawn; the bound is over all spectra of G, as for Theorem 2's claim."""
    eta = 1 / (1 + card("cp", m=SIZE, n=SIZE, r=RANK).relative_variance)
    factor = descent.fourth_factor().subs(ETA, eta)
    spectra = [sp.S.One], [1 / sp.sqrt(SIZE)] * SIZE
    return Rule(RANK, eta, max(float(matrices.at(factor, SIZE, SIZE, RANK, s)) for s in spectra))


def mezo() -> Rule:
    """MeZO: ||G_(t+1)||^2 / ||G_t||^2 = 1 - 2 eta A + eta^2 A (A + B), A ~ chi2_1, B ~ chi2_(d-1).

    A = <G, Z>^2/||G||^2, B the square of what is across G, independent of it.
    """
    eta = 1 / (1 + card("gaussian", m=SIZE, n=SIZE).relative_variance)
    a, b = sp.symbols("A B")
    squared = sp.Poly(sp.expand((1 - 2 * eta * a + eta**2 * a * (a + b)) ** 2), a, b)
    fourth = sum(
        coefficient * scalar_moment(2 * i) * norm_moment(j, SIZE * SIZE - 1)
        for (i, j), coefficient in squared.terms()
    )
    return Rule(None, eta, float(fourth))


def draw(data: Data) -> tuple[Figure, str]:
    """Mean loss over steps, relative to the loss at the start."""
    samples = data.count(320, 2_560)
    figure, ax = panels(height=2.9)
    grid = np.arange(max(STEPS) + 1)
    level = claimed_floor()
    claimed(ax, level, f"floor 1 - r/(mn) = {level:g}", data.claim(CLAIM))
    for name, rule, label in (
        ("redrawn", redrawn(), "TeZO, factors redrawn"),
        ("mezo", mezo(), "MeZO"),
    ):
        look = LOOKS[name]
        ax.plot(grid, rule.mean(grid), **look.on_line())
        intervals(ax, STEPS, *falling(data, name, rule, samples), look, label)
    values, bounds = frozen(data, samples)
    intervals(ax, STEPS, values, bounds, LOOKS["frozen"], "TeZO, factors drawn once")
    ax.set(xlabel="steps", ylabel="mean loss, relative to the start", ylim=(0, 1.05))
    legend_above(figure, [ax], columns=1)
    return figure, (
        f"f(W) = ||W - W*||^2/2 for {SIZE} × {SIZE} matrices, r = {RANK}. Lines: the exact mean, "
        f"at the best constant step size 1/(1 + v), v the relative variance of the estimate. "
        f"Points: means of {samples:,} runs by the reduced samplers, {LEVEL} intervals (Catoni's "
        "from exact fourth moments; empirical Bernstein for factors drawn once, where the loss is "
        "capped at its start, which only lowers the mean). With factors drawn once the step size "
        "is r/(tr C + 2 lambda_max(C)), set for each run by its factors, and the mean stays above "
        "the floor."
    )


def claimed_floor() -> float:
    """The claim's floor at these sizes."""
    return float(claim(CLAIM).statement.at(m=SIZE, n=SIZE, r=RANK))


def falling(
    data: Data, name: str, rule: Rule, samples: int
) -> tuple[list[float], list[tuple[float, float]]]:
    """Means and intervals of a descent with Z drawn anew."""
    sampler = RedrawnDescent(SIZE, SIZE, rule.rank, float(rule.eta), STEPS)
    method = Catoni(rule.variance(np.array(STEPS)))
    found = sampled(data, f"own_tezo_floor/{name}", sampler, method, samples)
    return list(found.estimate), list(zip(found.lower, found.upper, strict=True))


def frozen(data: Data, samples: int) -> tuple[list[float], list[tuple[float, float]]]:
    """The same with factors drawn once, every number of steps with runs of its own."""
    values, bounds = [], []
    for steps in STEPS:
        sampler = FrozenDescent(SIZE, SIZE, RANK, steps)
        found = sampled(data, f"own_tezo_floor/frozen {steps}", sampler, Bernstein(), samples)
        values.append(float(found.estimate))
        bounds.append((float(found.lower), float(found.upper)))
    return values, bounds


PICTURE = Picture("own_tezo_floor", "What factors drawn once leave of the loss", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
