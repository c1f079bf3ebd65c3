"""Ours: the relative variance of one estimate against the dimension, for every perturbation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import estimators
from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.probed import batches, objective
from figures.style import INK, NOISE, SERIES, Look, intervals, legend_above, lettered, panels
from proofs_check.cards import Card, card
from proofs_check.cards.ratio import number
from zotheory.probing.lineup import lezo_by_tensor
from zotheory.probing.measure import Estimator
from zotheory.statistics.intervals import student

RANK, KEEP, LAYERS = 4, 0.25, 4  # of low-rank Z; share of entries or layers that are on; layers
SIDES = sorted({4 * round(side / 4) for side in np.geomspace(8, 512, 14)})  # of square matrices
MEASURED = (8, 16, 32)
ZOOM = 0.85, 1.3
LEVEL = 0.95


@dataclass(frozen=True)
class Perturbation:
    """A perturbation of square matrices: the recipe that draws it, and its card for a side."""

    label: str
    estimator: Estimator
    card: Callable[[int], Card]
    look: Look


def _recipe(name: str, **options: float) -> Estimator:
    return Estimator(name, partial(getattr(estimators, name), **options))


def _matrix(name: str, **sizes: Any) -> Callable[[int], Card]:
    return lambda side: card(name, m=side, n=side, **sizes)


def _layers(side: int) -> Card:
    """The rows of the matrix as so many layers."""
    off = LAYERS - round(KEEP * LAYERS)
    return card("layers", layers=LAYERS, dropped=off, m=side // LAYERS, n=side)


def _magnitude(side: int) -> Card:
    """For gradients with entries of one size: the mask keeps the same share of G as of entries."""
    return card("magnitude_mask", k=round(KEEP * side * side), kept=KEEP)


GAUSSIAN, SIGNS = Look(INK, "-", "*"), Look("#555555", (0, (3, 1)), "X")
SMALL = Look("#56b4e9", (0, (3, 1)), "p")
_RANKED: dict[str, Any] = {"rank": RANK}
_SPARSE: dict[str, Any] = {"sparsity": 1 - KEEP}
PERTURBATIONS = (
    Perturbation("CP (TeZO)", _recipe("tezo", **_RANKED), _matrix("cp", r=RANK), SERIES[0]),
    Perturbation(
        "low rank (LOZO)", _recipe("lozo", **_RANKED), _matrix("low_rank", r=RANK), SERIES[1]
    ),
    Perturbation(
        "subspace (SubZO)", _recipe("subzo", **_RANKED), _matrix("subspace", r=RANK), SERIES[2]
    ),
    Perturbation(
        "subspace (SVD-0)", _recipe("svd0", **_RANKED), _matrix("svd_subspace", r=RANK), SERIES[3]
    ),
    Perturbation(
        "random mask", _recipe("r_mezo", **_SPARSE), _matrix("random_mask", keep=KEEP), SERIES[4]
    ),
    Perturbation(
        "layers (LeZO)",
        Estimator("lezo", partial(lezo_by_tensor, **_SPARSE), LAYERS),
        _layers,
        SERIES[5],
    ),
    Perturbation("Gaussian (MeZO)", _recipe("mezo"), _matrix("gaussian"), GAUSSIAN),
    Perturbation("signs", _recipe("rademacher"), _matrix("rademacher"), SIGNS),
    Perturbation("sphere", _recipe("sphere"), _matrix("sphere"), NOISE),
    Perturbation(
        "small weights (S-MeZO)",
        _recipe("s_mezo", **_SPARSE),
        _magnitude,
        SMALL,
    ),
)


def draw(data: Data) -> tuple[Figure, str]:
    """Relative variance over the number of entries."""
    samples = data.count(250, 1_000)
    figure, axes = panels(2, 1, height=4.9, sharex=True)
    for i, one in enumerate(PERTURBATIONS):
        shift = 1.1 ** (i - (len(PERTURBATIONS) - 1) / 2)
        places = [shift * side**2 for side in MEASURED]
        found = (measured(data, one, side, samples) for side in MEASURED)
        values, bounds = zip(*found, strict=True)
        entries, line = [side**2 for side in SIDES], [exact(one, side) for side in SIDES]
        for ax in axes:
            ax.plot(entries, line, **one.look.on_line())
            intervals(ax, places, values, bounds, one.look, one.label)
    whole, zoomed = axes
    for ax in axes:
        ax.set(xscale="log", ylabel="relative variance / (mn)")
    whole.set(ylim=0)
    zoomed.set(xlabel="entries mn of a square matrix", ylim=ZOOM)
    lettered(axes, ("", "the same, near 1"))
    legend_above(figure, axes)
    return figure, (
        "E||estimate/s - T||^2/||T||^2 of one two-point estimate of a linear loss, E estimate = "
        f"s T, divided by mn. Lines: exact. Points: {samples:,} estimates each by the code that "
        f"trains, {LEVEL:.0%} Student intervals of batch means, which are approximate and more so "
        f"where tails are heavy (CP). Rank {RANK}; masks and layers keep {KEEP:.0%}. T is the "
        "gradient, for S-MeZO its part on the weights that the mask keeps."
    )


def exact(one: Perturbation, side: int) -> float:
    """The card's relative variance over mn."""
    return number(one.card(side).relative_variance) / side**2


def measured(
    data: Data, one: Perturbation, side: int, samples: int
) -> tuple[float, tuple[float, float]]:
    """(E||estimate||^2/(s^2 ||T||^2) - 1)/(mn) with its interval, s and T from the card."""
    found = one.card(side)
    kept = 1.0 if found.target == "G" else KEEP
    target2 = kept * number(found.scale) ** 2
    sums = batches(data, one.estimator, objective(data, side, side), samples)
    means = np.array([part.squares / part.count for part in sums]) / target2
    low, high = ((end - 1) / side**2 for end in student(means, 1 - LEVEL))
    return (float(means.mean()) - 1) / side**2, (low, high)


PICTURE = Picture(
    "own_variance",
    "Variance of one estimate against the dimension",
    ("tezo.thm1.variance", "smezo.variance", "svd0.thm2.second_moment"),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
