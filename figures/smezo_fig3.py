"""Sparse-MeZO Fig. 3: accuracy over the steps of fine-tuning, MeZO against S-MeZO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import INK, SERIES, Look, intervals, legend_above, lettered, panels
from figures.trained import Rows, course, runs

NAMES = {"mezo": "MeZO", "s_mezo": "S-MeZO", "r_mezo": "R-MeZO (random mask)"}
NEEDED = ("mezo", "s_mezo")
LOOKS = dict(zip(NAMES, SERIES, strict=False))
PRINTED = 5_000, 17_500  # Sec. 4.4: steps of S-MeZO, and of MeZO, to the same accuracy


def draw(data: Data) -> tuple[Figure, str]:
    """Validation accuracy and loss: means over seeds, and their range."""
    title, found = runs(data, NEEDED, tuple(NAMES))
    figure, axes = panels(2, 1, height=4.3, sharex=True)
    accuracy, loss = axes
    for method, rows in found.items():
        look, name = LOOKS[method], NAMES[method]
        _course(accuracy, *percent(rows), look, name)
        _course(loss, *course(rows, "loss"), look, name)
    at, best = printed(found["mezo"])
    label = f"printed: S-MeZO in {PRINTED[0]:,} of MeZO's {PRINTED[1]:,} steps"
    accuracy.axhline(best, color=INK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1.5)
    accuracy.plot([at], [best], "*", color=INK, ms=7, label=label, zorder=5)
    accuracy.set(ylabel="validation accuracy (%)")
    loss.set(xlabel="steps", ylabel="validation loss (nats)", ylim=0)
    lettered(axes, ("", ""))
    legend_above(figure, axes, columns=1)
    seeds = ", ".join(f"{len(found[m])} of {NAMES[m]}" for m in found)
    reached = first_at(found["s_mezo"], best)
    told = "does not reach it" if reached is None else f"is first at it at step {reached:,}"
    sentences = found["mezo"][0]["setup"]["validation"]
    return figure, (
        f"{title}. Means over runs with different seeds ({seeds}), bars from the lowest to the "
        "highest run. The standard error of an accuracy near 50% on so many validation sentences "
        f"is {50 / sentences**0.5:.1f} points. Dashed: the best mean accuracy of MeZO; the star is "
        f"where S-MeZO would reach it by the paper's numbers. Here S-MeZO's mean {told}.\n\n"
        f"Learning rates, chosen by the validation loss: {_rates(found)}. The ledger holds no "
        "claim on this figure: it is shown, not judged."
    )


def _course(ax: Axes, steps: np.ndarray, values: np.ndarray, look: Look, label: str) -> None:
    mean = values.mean(axis=0)
    ax.plot(steps, mean, **look.on_line())
    bounds = np.stack([values.min(axis=0), values.max(axis=0)], axis=1)
    intervals(ax, steps, mean, bounds, look, label)


def _rates(found: Mapping[str, Rows]) -> str:
    """Which learning rate each method took, of which; and whether it was the largest of them."""
    told, largest = [], []
    for method, rows in found.items():
        taken = sorted({row["hyperparameters"]["lr"] for row in rows})
        tried = sorted({trial["lr"] for row in rows for trial in row["grid"]})
        told.append(f"{NAMES[method]} {_listed(taken)} of {_listed(tried)}")
        if len(tried) > 1 and taken[-1] == tried[-1]:
            largest.append(NAMES[method])
    edge = f" ({', '.join(largest)}: the largest tried, so a larger one may do better)"
    return "; ".join(told) + (edge if largest else "")


def _listed(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates)


def percent(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Steps (k,) and accuracy in percent (runs, k)."""
    steps, accuracies = course(rows, "accuracy")
    return steps, 100 * accuracies


def printed(rows: Rows) -> tuple[float, float]:
    """Where S-MeZO would be by the paper: as accurate as MeZO at its best, in fewer steps."""
    steps, accuracies = percent(rows)
    mean = accuracies.mean(axis=0)
    best = int(mean.argmax())
    return float(steps[best]) * PRINTED[0] / PRINTED[1], float(mean[best])


def first_at(rows: Rows, accuracy: float) -> int | None:
    """The first evaluated step at which the mean over runs is as high."""
    steps, accuracies = percent(rows)
    reached = steps[accuracies.mean(axis=0) >= accuracy]
    return int(reached[0]) if len(reached) else None


PICTURE = Picture("smezo_fig3", "Fine-tuning with MeZO and S-MeZO", (), draw)

if __name__ == "__main__":
    main(PICTURE)
