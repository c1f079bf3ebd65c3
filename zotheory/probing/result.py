"""A comparison of estimators: as its user has it: frame, notebook, plot, file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zotheory.arguments import as_path, one_of
from zotheory.probing.objectives import ProbeError
from zotheory.probing.plot import efficiencies
from zotheory.probing.rows import Row, objectives, ranked
from zotheory.probing.table import html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        from matplotlib.axes import Axes

        if not isinstance(ax, Axes | None):
            raise ProbeError(f"ax must be one Axes of Matplotlib, got {type(ax).__name__}")
        return efficiencies(self.rows, ax)

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
        return html(self.rows)


def writer(path: Path) -> Callable[[Comparison, Path], None]:
    """How a file with this suffix is written. Raises ProbeError for one that is not."""
    if path.suffix not in _WRITERS:
        raise ProbeError(f"cannot write {path}; suffixes are {', '.join(_WRITERS)}")
    return _WRITERS[path.suffix]


def _draw(comparison: Comparison, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure = cast("Figure", comparison.plot().figure)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


_WRITERS: dict[str, Callable[[Comparison, Path], Any]] = {
    ".csv": lambda comparison, path: comparison.frame().to_csv(path, index=False),
    ".json": lambda comparison, path: comparison.frame().to_json(path, orient="records", indent=1),
    ".png": _draw,
    ".svg": _draw,
    ".pdf": _draw,
}


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
