"""A comparison of estimators: its frame, its table in a notebook, its plot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zotheory.arguments import as_path, one_of
from zotheory.probing.measure import Estimator
from zotheory.probing.objectives import Objective, ProbeError
from zotheory.probing.quantities import Quantities
from zotheory.probing.theory import Exact

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Row:
    """One estimator on one objective with d entries."""

    estimator: str
    own: bool
    objective: str
    entries: int
    samples: int
    found: Quantities

    @classmethod
    def of(
        cls,
        estimator: Estimator,
        objective: Objective,
        samples: int,
        found: Quantities,
        theory: Exact | None,
    ) -> Row:
        """The row with exact values beside the measured ones, where there is a theory."""
        d = objective.entries
        if theory is not None:
            spent, cos2 = found.losses - 1, theory.cos2
            efficiency = cos2 * d / spent if cos2 is not None and spent > 0 else None
            found = Quantities(
                found.losses,
                found.scale.beside(theory.scale),
                found.angle.beside(theory.angle),
                found.variance.beside(theory.variance),
                found.cos2.beside(cos2),
                found.efficiency.beside(efficiency),
            )
        return cls(estimator.name, estimator.own, objective.name, d, samples, found)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Estimators beside each other on one or several objectives."""

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        count = len(self.on(self.objectives[0]))
        return f"<Comparison of {count} estimators on {', '.join(self.objectives)}>"

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives, in the order asked for."""
        return tuple(dict.fromkeys(row.objective for row in self.rows))

    def on(self, objective: str) -> list[Row]:
        """The rows of one objective by falling efficiency, the exact one where it is known.

        Raises ProbeError for an objective that is not there.
        """
        objective = one_of("objective", objective, self.objectives, ProbeError)
        chosen = [row for row in self.rows if row.objective == objective]
        return sorted(chosen, key=_efficiency)

    def frame(self) -> pd.DataFrame:
        """One row for each estimator and objective, ordered by efficiency.

        Columns: estimator, objective, entries (d), samples, losses (B), and for efficiency, cos2,
        scale, angle and variance (see `Quantities`) the measured value, the ends of its 95%
        interval (`_low`, `_high`) and the exact value (`_exact`, NaN where none is known).
        """
        import pandas as pd

        return pd.DataFrame([_flat(row) for name in self.objectives for row in self.on(name)])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Efficiencies with their intervals, exact values as rings, the limit 1 as a line.

        Raises ProbeError for `ax` that is no Axes of Matplotlib.
        """
        from matplotlib.axes import Axes

        if not isinstance(ax, Axes | None):
            raise ProbeError(f"ax must be one Axes of Matplotlib, got {type(ax).__name__}")
        return efficiencies(self, ax)

    def write(self, path: str | PathLike[str]) -> None:
        """Write the frame (.csv, .json) or the plot (.png, .svg, .pdf).

        Raises ProbeError for another suffix, or if the file cannot be written.
        """
        path = as_path("path", path, ProbeError)
        write = writer(path)
        try:
            write(self, path)
        except OSError as error:
            raise ProbeError(f"cannot write {path}: {error.strerror or error}") from error

    def _repr_html_(self) -> str:
        from zotheory.probing.table import html

        return html(self)


def writer(path: Path) -> Callable[[Comparison, Path], None]:
    """How a file with this suffix is written. Raises ProbeError for one that is not."""
    if path.suffix not in _WRITERS:
        raise ProbeError(f"cannot write {path}; suffixes are {', '.join(_WRITERS)}")
    return _WRITERS[path.suffix]


def _draw(comparison: Comparison, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure = comparison.plot().figure
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


_WRITERS: dict[str, Callable[[Comparison, Path], Any]] = {
    ".csv": lambda comparison, path: comparison.frame().to_csv(path, index=False),
    ".json": lambda comparison, path: comparison.frame().to_json(path, orient="records", indent=1),
    ".png": _draw,
    ".svg": _draw,
    ".pdf": _draw,
}


def _efficiency(row: Row) -> float:
    """Sorts the most efficient first and what has no efficiency (NaN) last."""
    found = row.found.efficiency
    value = found.value if found.exact is None else found.exact
    return -value if value == value else math.inf


def _flat(row: Row) -> dict[str, Any]:
    found = {
        "estimator": row.estimator,
        "objective": row.objective,
        "entries": row.entries,
        "samples": row.samples,
        "losses": row.found.losses,
    }
    for name in ("efficiency", "cos2", "scale", "angle", "variance"):
        parts = asdict(getattr(row.found, name))
        exact = parts["exact"]
        found[name] = parts["value"]
        found |= {f"{name}_low": parts["low"], f"{name}_high": parts["high"]}
        found[f"{name}_exact"] = float("nan") if exact is None else exact
    return found


# The plot of a comparison.


def efficiencies(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """One line an estimator: measured efficiency with its interval on each objective."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    first, *_ = comparison.objectives
    order = comparison.on(first)
    place = {row.estimator: i for i, row in enumerate(order)}
    height = 0.16 + 0.06 * len(comparison.objectives)
    with sns.axes_style("whitegrid", {"grid.color": ".92", "axes.edgecolor": ".6"}):
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 1.2 + height * len(order)), layout="constrained")
    colours = sns.color_palette("deep", len(comparison.objectives))
    shift = 0.5 / len(comparison.objectives)
    for k, (name, colour) in enumerate(zip(comparison.objectives, colours, strict=True)):
        offset = (k - (len(comparison.objectives) - 1) / 2) * shift
        for row in comparison.on(name):
            found, y = row.found.efficiency, place[row.estimator] + offset
            label = name if row is comparison.on(name)[0] else None
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
