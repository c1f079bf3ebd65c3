"""TeZO Fig. 4: training loss of ZO-SGD and of ZO-Adam methods."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import NOISE, SERIES, Look, legend_above, lettered, panels
from figures.trained import Rows, course, runs

SGD = {"mezo": "MeZO", "tezo": "TeZO", "subzo": "SubZO", "lozo": "LOZO"}
ADAM = {"mezo_adam": "MeZO-Adam", "tezo_adam": "TeZO-Adam"}
NEEDED = ("mezo", "tezo", "mezo_adam", "tezo_adam")


def draw(data: Data) -> tuple[Figure, str]:
    """Means over seeds with their range, MeZO's beside the Adam methods'."""
    title, found = runs(data, NEEDED, tuple(SGD))
    figure, (sgd, adam) = panels(1, 2, height=2.6, sharey=True)
    for ax, names, looks in ((sgd, SGD, SERIES), (adam, ADAM, SERIES[4:])):
        for (method, name), look in zip(names.items(), looks, strict=False):
            if method in found:
                _course(ax, found[method], look, name)
    _course(adam, found["mezo"], NOISE, "MeZO again")
    for ax in (sgd, adam):
        ax.set_xlabel("steps")
    sgd.set_ylabel("training loss")
    lettered((sgd, adam), ("ZO-SGD", "ZO-Adam"))
    legend_above(figure, (sgd, adam), columns=3)
    seeds = ", ".join(f"{len(rows)} of {(SGD | ADAM)[m]}" for m, rows in found.items())
    return figure, (
        f"{title}. Loss of the training batches, mean over the steps since the evaluation before; "
        f"means over runs with different seeds ({seeds}) and their range (shade); each method at "
        "the learning rate that its validation loss chose. The paper: the curves of ZO-SGD methods "
        "are nearly the same, those of ZO-Adam methods fall further. The ledger holds no claim on "
        "this figure: it is shown, not judged."
    )


def _course(ax: Axes, rows: Rows, look: Look, label: str) -> None:
    steps, losses = course(rows, "train_loss")
    ax.plot(steps, losses.mean(axis=0), label=label, **look.on_line())
    low, high = np.min(losses, axis=0), np.max(losses, axis=0)
    ax.fill_between(steps, low, high, color=look.colour, alpha=0.15, lw=0)


PICTURE = Picture("tezo_fig4", "Training loss of ZO-SGD and ZO-Adam", (), draw)

if __name__ == "__main__":
    main(PICTURE)
