"""The plot of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zotheory.probing.rows import Row, objectives, ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def efficiencies(rows: Sequence[Row], ax: Axes | None = None) -> Axes:
    """One line an estimator: measured efficiency with its interval on each objective."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    names = objectives(rows)
    order = ranked(rows, names[0])
    place = {row.estimator: i for i, row in enumerate(order)}
    height = 0.16 + 0.06 * len(names)
    with sns.axes_style("whitegrid", {"grid.color": ".92", "axes.edgecolor": ".6"}):
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 1.2 + height * len(order)), layout="constrained")
    colours = sns.color_palette("deep", len(names))
    shift = 0.5 / len(names)
    for k, (name, colour) in enumerate(zip(names, colours, strict=True)):
        offset = (k - (len(names) - 1) / 2) * shift
        for rank, row in enumerate(ranked(rows, name)):
            found, y = row.found.efficiency, place[row.estimator] + offset
            label = None if rank else name
            ax.errorbar(
                found.value,
                y,
                xerr=[[found.value - found.low], [found.high - found.value]],
                fmt="o",
                ms=4,
                lw=1.5,
                color=colour,
                label=label,
            )
            if found.exact is not None:
                ax.plot(found.exact, y, "o", ms=8, mfc="none", mec=colour, mew=0.8)
    ax.axvline(1, color=".4", lw=1, ls="--", zorder=1, label="limit on a linear loss")
    ax.set_yticks(range(len(order)), [row.estimator for row in order])
    for text, row in zip(ax.get_yticklabels(), order, strict=True):
        text.set_fontweight("bold" if row.own else "normal")
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("efficiency  E cos² · d / (B - 1)")
    ax.plot([], [], "o", ms=8, mfc="none", mec=".3", mew=0.8, label="exact")
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2 + len(colours),
        frameon=False,
        fontsize="small",
        columnspacing=1.2,
        handletextpad=0.4,
        borderaxespad=0,
    )
    sns.despine(ax=ax, left=True)
    return ax
