"""Ours: how often a step on one batch helps another one, against the cosine of their gradients."""

from __future__ import annotations

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import LEVEL, Data, MissingData
from figures.picture import Picture
from figures.style import EXACT, NOISE, SERIES, intervals, judged, legend_above, panels
from zotheory.budget import ALPHA
from zotheory.montecarlo import Accumulator
from zotheory.papers.own.held_out import COSINES, DIMENSION
from zotheory.papers.smezo.batches import COSINE, NAMES, agreement
from zotheory.statistics import ClopperPearson
from zotheory.vocabulary import Kind

CLAIM = "own.held_out"
AVERAGED = 4  # directions of the curve beside the claim's
LOOKS = dict(zip(NAMES, SERIES, strict=False))


def draw(data: Data) -> tuple[Figure, str]:
    """The law's curve, the linear losses' points and a language model's pairs of batches."""
    figure, ax = panels(height=2.8)
    grid = np.linspace(-1, 1, data.count(81, 401))
    label = judged("1/2 + arcsin(cos)/π", data.claim(CLAIM))
    ax.plot(grid, 100 * law(1, grid), label=label, **EXACT.on_line())
    ax.plot(
        grid,
        100 * law(AVERAGED, grid),
        label=f"average of {AVERAGED} directions",
        **NOISE.on_line(),
    )
    values, bounds, samples = linear(data)
    intervals(ax, COSINES, values, bounds, SERIES[2], "linear losses", clip_on=False)
    told = _on_model(ax, data)
    ax.set(
        xlabel=r"$\cos(g_1, g_2)$ of the batches' gradients",
        ylabel="steps that help the other batch (%)",
        xlim=(-1.04, 1.04),
        xticks=np.linspace(-1, 1, 5),
        ylim=(-3, 103),
    )
    legend_above(figure, [ax], columns=1)
    return figure, (
        "Probability that a small step along one Gaussian direction, made on batch 1, lowers the "
        f"loss of batch 2. Solid: exact; dotted: steps along the average of {AVERAGED} directions. "
        f"Triangles: MeZO's own steps on linear losses in {DIMENSION} dimensions, {samples:,} "
        f"steps, {LEVEL} intervals, as the ledger has them. {told}"
    )


def law(directions: int, cosines: np.ndarray) -> np.ndarray:
    """P(the step helps), derived for the average of so many directions."""
    return sp.lambdify(COSINE, agreement(directions).value, "numpy")(cosines)


def linear(data: Data) -> tuple[np.ndarray, np.ndarray, int]:
    """The claim's measurement in percent: estimates, intervals, number of steps."""
    (key,) = data.number(CLAIM, Kind.MEASURED)
    found = data.quantity(CLAIM, key)
    rows = 100 * np.array(found.each)
    return rows[:, 0], rows[:, 1:], found.samples


def on_model(data: Data, loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine, share in percent and interval of every unordered pair of batches.

    The outcome, that the two slopes along a direction agree, is the same for (i, j) and (j, i).
    """
    pairs, draws = (data.drawn(CLAIM, Kind.MODEL, k) for k in ("pairs of batches", "draws by pair"))
    hits, cosines = (
        data.drawn(CLAIM, Kind.MODEL, k, loss) for k in ("outcomes by pair", "cosine by pair")
    )
    found: dict[frozenset[int], tuple[float, int, int]] = {}
    for pair, n, hit, cosine in zip(pairs, draws, hits, cosines, strict=True):
        _, before, of = found.get(frozenset(pair), (cosine, 0, 0))
        found[frozenset(pair)] = cosine, before + hit, of + n
    rows = []
    for cosine, hit, n in found.values():
        outcomes = np.repeat([1.0, 0.0], [hit, n - hit])
        interval = ClopperPearson()([Accumulator.of(outcomes)], ALPHA)
        rows.append((cosine, hit / n, interval.lower, interval.upper))
    table = np.array(rows, dtype=float)
    return table[:, 0], 100 * table[:, 1], 100 * table[:, 2:]


def _on_model(ax: Axes, data: Data) -> str:
    """The pairs of batches, if the ledger has them; what the caption says of them."""
    try:
        found = {loss: on_model(data, loss) for loss in NAMES}
    except MissingData as error:
        return f"No language model's pairs of batches are shown: {error}."
    for loss, (cosines, shares, bounds) in found.items():
        intervals(ax, cosines, shares, bounds, LOOKS[loss], loss, mfc="white", alpha=0.75)
    draws = data.drawn(CLAIM, Kind.MODEL, "draws by pair")
    count = len(found[NAMES[0]][0])
    return (
        f"Hollow: pairs of batches of a language model, {count} pairs, {sum(draws)} directions "
        f"in all, each pair with its own {LEVEL} Clopper-Pearson interval."
    )


PICTURE = Picture("own_held_out", "Whether a step on one batch helps another", (CLAIM,), draw)

if __name__ == "__main__":
    main(PICTURE)
