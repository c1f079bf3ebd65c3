"""Ours: where the measured learning rate lands, and whether the loss falls as it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data, MissingData
from figures.picture import Picture
from figures.style import EXACT, INK, NOISE, PAGE, SERIES, Look, legend_above, lettered, panels
from zotheory.evidence.trained import RECORDED, Grid, RowsError, end, recorded
from zotheory.training.rates import compared, courses

MARKERS = "os^DvPX<>*"


def draw(data: Data) -> tuple[Figure, str]:
    """Loss against rate in units of the rule's, and the fall per pass predicted and seen."""
    found = runs(data)
    figure, (curves, falls) = panels(1, 2, height=2.9, width=PAGE)
    colours = (*SERIES, EXACT, NOISE)
    looks = {
        method: replace(colours[i % len(colours)], marker=MARKERS[i % len(MARKERS)])
        for i, method in enumerate(dict.fromkeys(one.method for one in found))
    }
    for one in found:
        _curve(curves, one, looks[one.method])
    curves.axvline(1.0, color=INK, linewidth=0.6, zorder=1)
    curves.set(
        xlabel="fixed rate, over the rule's mean",
        ylabel="fall of the loss, over the best rate's",
        ylim=(-0.08, 1.12),
    )
    curves.set_xscale("log", base=2)
    curves.xaxis.set_major_formatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}")
    total = _falls(falls, found, looks)
    lettered((curves, falls), ("Fixed rates, and the rule (large)", "The fall, predicted and seen"))
    legend_above(figure, [curves], columns=5)
    regrets = [one.regret for one in found]
    setup = found[0].rule["setup"]
    return figure, (
        f"(a) {setup['model']} on {setup['task']} of at most {setup['max_words']} words, batches "
        f"of {setup['batch_size']}, {setup['passes']} passes a run: the fall of the validation "
        "loss at fixed rates on a grid of factor sqrt(3), over that of the best of them. Large: "
        'lr="auto", its passes for measuring included, at its mean rate. Crosses: rates at which '
        f"the loss rose. Median regret {np.median(regrets):+.1%} of the fall, largest "
        f"{max(regrets):+.1%}, {len(found)} runs. "
        f"(b) The fall per pass in thirds of the rule's runs ({total} parts) against what its "
        "readings there predict; line: equal."
    )


def runs(data: Data) -> list[Grid]:
    """The methods whose best fixed rate is enclosed, with the run of the rule.

    From `rates.jsonl` in the folder of results, or from the rows that the package carries.
    """
    own = data.results / RECORDED.name
    path = own if own.exists() else RECORDED
    try:
        found = [one for one in compared(recorded(path)) if one.enclosed]
    except RowsError as error:
        raise MissingData(str(error)) from error
    if not found:
        raise MissingData(f"{path} holds no method whose best rate is enclosed")
    return found


def mean_rate(one: Grid) -> float:
    """The mean over the steps of the rates that the rule chose, after its first readings."""
    since = [step for step, _ in one.rule["rates"]]
    lengths = np.diff([*since, one.rule["steps"]])
    return float(np.average([lr for _, lr in one.rule["rates"]], weights=lengths))


def shares(one: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Fixed rates, and the share of the best one's fall that each has."""
    fallen = np.array([one.start - loss for loss in one.losses.values()])
    return np.array(list(one.losses)), fallen / (one.start - one.least)


def _curve(ax: Axes, one: Grid, look: Look) -> None:
    (rates, fallen), rule = shares(one), mean_rate(one)
    kept = fallen > 0.0
    line = {**look.on_line(), "marker": look.marker, "ms": 2.2, "linewidth": 0.8}
    ax.plot(rates[kept] / rule, fallen[kept], **line)
    lost = rates[~kept] / rule
    ax.plot(lost, [0.0] * len(lost), "x", color=look.colour, ms=4.0, mew=1.0)
    landed = (one.start - end(one.rule)) / (one.start - one.least)
    ax.plot([1.0], [landed], ms=5.5, mec=INK, mew=0.6, label=one.method, **look.on_points())


def _falls(ax: Axes, runs: Sequence[Grid], looks: Mapping[str, Look]) -> int:
    """Points of all parts of the runs; returns their number."""
    count = 0
    for one in runs:
        found = courses(one.rule)
        pairs = np.array([(course.predicted, course.actual) for course in found]).reshape(-1, 2)
        ax.plot(*pairs.T, ms=3.6, alpha=0.85, **looks[one.method].on_points())
        count += len(pairs)
    ax.axline((0.0, 0.0), slope=1.0, color=INK, linewidth=0.6, zorder=1)
    ax.set(
        xlabel="fall per pass, predicted by the readings",
        ylabel="seen in validation",
    )
    return count


PICTURE = Picture(
    "own_rates",
    "The learning rate that is measured",
    ("own.step.best",),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
