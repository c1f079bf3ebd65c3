"""Sparse-MeZO Fig. 3: accuracy over the steps of fine-tuning, MeZO against S-MeZO."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures.data import Data
from figures.picture import Picture, main
from figures.style import INK, SERIES, intervals, legend_above, panels
from figures.trained import Rows, course, runs

NAMES = {"mezo": "MeZO", "s_mezo": "S-MeZO", "r_mezo": "R-MeZO (random mask)"}
NEEDED = ("mezo", "s_mezo")
LOOKS = dict(zip(NAMES, SERIES, strict=False))
PRINTED = 5_000, 17_500  # Sec. 4.4: steps of S-MeZO, and of MeZO, to the same accuracy


def draw(data: Data) -> tuple[Figure, str]:
    """Validation accuracy: the mean over seeds, and their range."""
    title, found = runs(data, NEEDED, tuple(NAMES))
    figure, ax = panels(height=2.7)
    for method, rows in found.items():
        steps, accuracies = percent(rows)
        look, mean = LOOKS[method], accuracies.mean(axis=0)
        ax.plot(steps, mean, **look.on_line())
        bounds = np.stack([accuracies.min(axis=0), accuracies.max(axis=0)], axis=1)
        intervals(ax, steps, mean, bounds, look, NAMES[method])
    at, best = printed(found["mezo"])
    label = f"printed: S-MeZO in {PRINTED[0]:,} of MeZO's {PRINTED[1]:,} steps"
    ax.axhline(best, color=INK, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1.5)
    ax.plot([at], [best], "*", color=INK, ms=7, label=label, zorder=5)
    ax.set(xlabel="steps", ylabel="validation accuracy (%)")
    legend_above(figure, [ax], columns=1)
    seeds = " and ".join(f"{len(found[m])} of {NAMES[m]}" for m in found)
    reached = first_at(found["s_mezo"], best)
    told = "does not reach it" if reached is None else f"is first at it at step {reached:,}"
    return figure, (
        f"{title}. Means over runs with different seeds ({seeds}), bars from the lowest to the "
        "highest run; each method at the learning rate that its validation loss chose. Dashed: "
        f"the best mean accuracy of MeZO; the star is where S-MeZO would reach it by the paper's "
        f"numbers. Here S-MeZO's mean {told}. The ledger holds no claim on this figure: it is "
        "shown, not judged."
    )


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
