"""A comparison of estimators: as its user has it: frame, notebook, plot, file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from zotheory.arguments import one_of
from zotheory.probing.files import check_axes, write
from zotheory.probing.objectives import ProbeError
from zotheory.probing.plot import efficiencies
from zotheory.probing.rows import Row, objectives, ranked
from zotheory.probing.table import html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


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
        return objectives(self.rows)

    def on(self, objective: str) -> list[Row]:
        """The rows of one objective by falling efficiency, the exact one where it is known.

        Raises ProbeError for an objective that is not there.
        """
        objective = one_of("objective", objective, self.objectives, ProbeError)
        return ranked(self.rows, objective)

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
        check_axes(ax)
        return efficiencies(self.rows, ax)

    def write(self, path: str | PathLike[str]) -> None:
        """Write the frame (.csv, .json) or the plot (.png, .svg, .pdf).

        Raises ProbeError for another suffix, or if the file cannot be written.
        """
        write(self, path)

    def _repr_html_(self) -> str:
        return html(self.rows)


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
