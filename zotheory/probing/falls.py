"""What a probe of a model found: methods, or groups of weights, by how far the loss falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from zotheory.probing.fall import Draws, Fall, against, fall_of
from zotheory.probing.files import check_axes, write
from zotheory.probing.quantities import Interval
from zotheory.report.notebook import comparison_html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

REFERENCE = "mezo"  # what others are compared with; without it, the first row
CAPTION = (
    "Along updates of rate 1, slope a = <g, D> and curvature b = D^T H D, from losses on one batch;"
    " best step A / B of their means, the loss falls by A² / 2B at it, here by the passes of a"
    " step. Intervals: 95%, approximate (heavy tails). Against: the ratio of falls on common draws."
    " Rows are of estimates: momentum shares its best step, Adam and sign have others. A stream of"
    " batches bears a share of it: lr=auto measures that."
)


@dataclass(frozen=True)
class Group:
    """The weights of a row that is not of all: their number, in so many tensors."""

    weights: int
    tensors: int


@dataclass(frozen=True, eq=False)
class FallRow:
    """Methods with one estimate whose steps take the same passes, or a group of weights.

    stretch: the radius of the looks in units of the recipe's eps.
    """

    names: tuple[str, ...]
    draws: Draws
    stretch: float = 1.0
    own: bool = False
    group: Group | None = None

    @property
    def name(self) -> str:
        return ", ".join(self.names)

    @cached_property
    def found(self) -> Fall:
        return fall_of(self.draws)

    @property
    def trace(self) -> float:
        """The mean of z^T H z, which is the trace for MeZO on a group."""
        slopes, curvatures = self.draws.slopes, self.draws.curvatures
        moved = slopes != 0
        return float((curvatures[moved] / slopes[moved]).mean()) if moved.any() else math.nan


@dataclass(frozen=True, eq=False)
class Falls:
    """Rows, the number of batches, and the standard rounding error of one loss."""

    rows: tuple[FallRow, ...]
    batches: int
    rounding: float

    @cached_property
    def ranked(self) -> list[FallRow]:
        """The rows by falling fall per pass, those without a best step last."""
        return sorted(self.rows, key=lambda row: -_number(row.found.fall.value))

    @cached_property
    def reference(self) -> FallRow:
        """The row that others are compared with."""
        return next((row for row in self.rows if REFERENCE in row.names), self.rows[0])

    def against(self, row: FallRow) -> Interval:
        """How much further the loss falls along a row's updates than along the reference's."""
        return against(row.draws, self.reference.draws)

    def share(self, row: FallRow) -> tuple[float, float]:
        """A group's share of ||g||^2, and of the trace of H."""
        slope = sum(other.found.slope.value for other in self.rows)
        trace = sum(other.trace for other in self.rows)
        return row.found.slope.value / slope, row.trace / trace

    def frame(self) -> pd.DataFrame:
        """One row a method or group, in the order of `ranked`.

        Columns: name, passes (of a step), draws, stretch, and slope, curvature, best_step, fall
        (per pass) and against (the reference) with the ends of their 95% intervals (`_low`,
        `_high`); of groups also weights, gradient_share and trace_share.
        """
        import pandas as pd

        return pd.DataFrame([self._flat(row) for row in self.ranked])

    def _flat(self, row: FallRow) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": row.name,
            "passes": row.draws.passes,
            "draws": len(row.draws),
            "stretch": row.stretch,
        }
        for name in ("slope", "curvature", "best_step", "fall"):
            found |= _columns(name, getattr(row.found, name))
        if row.group is None:
            return found | _columns("against", self.against(row))
        gradient, trace = self.share(row)
        shares = {"gradient_share": gradient, "trace": row.trace, "trace_share": trace}
        return found | {"weights": row.group.weights} | shares

    def plot(self, ax: Axes | None = None) -> Axes:
        """Falls per pass with their intervals; of groups, their shares of trace and gradient."""
        check_axes(ax)
        return _shares(self, ax) if self.rows[0].group else _falls(self, ax)

    def table(self) -> Table:
        """The table for a terminal; a user's own methods stand out."""
        heads, lines = self._cells()
        shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=self._title())
        for group, name in heads:
            left = name in ("method", "weights of")
            shown.add_column(
                f"{group}\n{name}",
                justify="left" if left else "right",
                no_wrap=not left,
                overflow="fold",
            )
        for row, texts in lines:
            shown.add_row(*map(Text, texts), style="bold cyan" if row.own else "")
        shown.caption, shown.caption_style = f"\n{CAPTION}", "dim"
        shown.title_justify = shown.caption_justify = "left"
        shown.title_style = "bold"
        return shown

    def write(self, path: str | PathLike[str]) -> None:
        """Write the frame (.csv, .json) or the plot (.png, .svg, .pdf).

        Raises ProbeError for another suffix, or if the file cannot be written.
        """
        write(self, path)

    def _repr_html_(self) -> str:
        return comparison_html(self._title(), *self._cells(), CAPTION)

    def _title(self) -> str:
        over = "one batch" if self.batches == 1 else f"{self.batches} batches"
        exact = f"a loss is exact to ±{self.rounding:.1g}"
        return f"How far the loss falls per forward pass, on {over}; {exact}"

    def _cells(self) -> tuple[list[tuple[str, str]], list[tuple[FallRow, list[str]]]]:
        if self.rows[0].group:
            heads = [
                ("", "weights of"),
                ("", "number"),
                ("share of", "||g||²"),
                ("share of", "Tr H"),
            ]
            heads += [("best", "step"), ("fall", "per pass")]
        else:
            heads = [("", "method"), ("passes", "a step"), ("", "draws"), ("best", "step")]
            heads += [("fall", "per pass"), ("against", self.reference.names[0])]
        return heads, [(row, self._texts(row)) for row in self.ranked]

    def _texts(self, row: FallRow) -> list[str]:
        found = [_told(row.found.best_step), _told(row.found.fall)]
        if row.group is None:
            ratio = "" if row is self.reference else _told(self.against(row))
            return [row.name, str(row.draws.passes), str(len(row.draws)), *found, ratio]
        shares = [f"{share:.1%}" for share in self.share(row)]
        return [row.name, f"{row.group.weights:,}", *shares, *found]


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _told(interval: Interval) -> str:
    """ "1.7e-4 (1.2e-4, 2.9e-4)", to two digits."""
    ends = [_short(x) for x in (interval.low, interval.high)]
    return f"{_short(interval.value)} ({ends[0]}, {ends[1]})"


def _short(value: float) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "-"
    return f"{value:.2g}".replace("e-0", "e-").replace("e+0", "e")


def _falls(falls: Falls, ax: Axes | None) -> Axes:
    """One line a method: its fall per pass, and its interval."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    rows = falls.ranked
    with sns.axes_style("whitegrid", {"grid.color": ".92", "axes.edgecolor": ".6"}):
        if ax is None:
            _, ax = plt.subplots(figsize=(8, 1.0 + 0.26 * len(rows)), layout="constrained")
    blue = sns.color_palette("deep")[0]
    for place, row in enumerate(rows):
        found = row.found.fall
        if found.value > 0 and math.isfinite(found.high) and found.low > 0:
            ax.plot([found.low, found.high], [place, place], color=blue, lw=1.5)
        if found.value > 0:
            ax.plot(found.value, place, "o", ms=5, color=blue)
    reference = falls.reference.found.fall.value
    if reference > 0:
        ax.axvline(reference, color=".4", lw=1, ls="--", zorder=1)
    ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), [row.name for row in rows])
    for text, row in zip(ax.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if row.own else "normal")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("fall of the loss per forward pass at the best step  A² / (2 B passes)")
    sns.despine(ax=ax, left=True)
    return ax


def _shares(falls: Falls, ax: Axes | None) -> Axes:
    """A point a group: its share of the squared gradient, and of the trace of the Hessian."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    with sns.axes_style("whitegrid", {"grid.color": ".92", "axes.edgecolor": ".6"}):
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 5), layout="constrained")
    for row in falls.ranked:
        gradient, trace = falls.share(row)
        ax.plot(trace, gradient, "o", ms=5, color=sns.color_palette("deep")[0])
        ax.annotate(row.name, (trace, gradient), (4, 4), textcoords="offset points", fontsize=8)
    ends = ax.get_xlim()
    ax.axline((0, 0), slope=1, color=".4", lw=1, ls="--", zorder=1)
    ax.set_xlim(ends)
    ax.set_xlabel("share of Tr H")
    ax.set_ylabel("share of ||g||²")
    sns.despine(ax=ax)
    return ax
