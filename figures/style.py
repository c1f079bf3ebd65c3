"""One style for all figures: a paper's column wide, readable in grey, intervals drawn.

A series differs from the others by line, marker and hatch as well as by colour. What a paper claims
is a dashed line with the verdict in its label; the verdicts have the colours of the ledger's page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from zotheory.ledger import Control, Entry
from zotheory.vocabulary import Verdict

COLUMN, PAGE = 3.3, 6.8  # widths in inches
VERDICT_COLOURS = {
    Verdict.PROVED: "#0a6640",
    Verdict.CONFIRMED: "#0b5a78",
    Verdict.REFUTED: "#a61b2b",
    Verdict.INCONCLUSIVE: "#7a4b00",
    Verdict.NOT_RUN: "#555555",
}
HEAT = "cividis"  # rises evenly in grey
INK = "#222222"
_TEXT = {
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "figure.labelsize": 7.5,
    "xtick.labelsize": 6.8,
    "ytick.labelsize": 6.8,
    "legend.fontsize": 6.8,
}
_RC = _TEXT | {
    "axes.linewidth": 0.6,
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "grid.linewidth": 0.4,
    "grid.color": "#e4e4e4",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.6,
    "errorbar.capsize": 1.8,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.1,
    "legend.labelspacing": 0.25,
    "legend.borderaxespad": 0.2,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 300,
}


@dataclass(frozen=True)
class Look:
    """How one series looks, with and without colour."""

    colour: str
    line: str | tuple = "-"
    marker: str = "o"
    hatch: str = ""

    def on_line(self) -> dict[str, Any]:
        """Keywords of a line without markers."""
        return {"color": self.colour, "linestyle": self.line}

    def on_points(self) -> dict[str, Any]:
        """Keywords of markers without a line."""
        return {"color": self.colour, "marker": self.marker, "linestyle": "none"}

    def on_bars(self) -> dict[str, Any]:
        """Keywords of bars."""
        return {"facecolor": self.colour, "edgecolor": "white", "hatch": self.hatch}


_PALETTE = sns.color_palette("colorblind").as_hex()
SERIES = (
    Look(_PALETTE[0], "-", "o", ""),
    Look(_PALETTE[1], (0, (5, 1.5)), "s", "////"),
    Look(_PALETTE[2], (0, (1, 1)), "^", "...."),
    Look(_PALETTE[4], (0, (4, 1, 1, 1)), "D", "\\\\\\\\"),
    Look(_PALETTE[3], (0, (2.5, 1)), "v", "xxxx"),
    Look(_PALETTE[5], (0, (4, 1, 1, 1, 1, 1)), "P", "++++"),
    Look(_PALETTE[9], (0, (7, 2)), "X", "||||"),
    Look(_PALETTE[6], (0, (3, 1, 1, 1)), "<", "oooo"),
)
NOISE = Look("#8a8a8a", (0, (1, 1.5)), "d", "----")  # a control: what pure noise gives
EXACT = Look(INK, "-", "")


def applied() -> AbstractContextManager[None]:
    """The style, for the length of a `with` block."""
    return mpl.rc_context(sns.axes_style("ticks") | _RC)


def panels(
    rows: int = 1, columns: int = 1, height: float = 2.1, width: float = COLUMN, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure and its axes (one, or an array), sizes in inches, with light horizontal rules."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, **subplots)
    for ax in np.ravel(axes):
        ax.grid(axis="y")
        ax.set_axisbelow(True)
        sns.despine(ax=ax)
    return figure, axes


def intervals(
    ax: Axes,
    x: ArrayLike,
    values: ArrayLike,
    bounds: ArrayLike,
    look: Look,
    label: str = "",
    **keywords: Any,
) -> ErrorbarContainer:
    """Points with (low, high) intervals along y, which need not be symmetric."""
    points, ends = np.asarray(values, dtype=float), np.asarray(bounds, dtype=float)
    lengths = np.abs(ends.T - points)
    return ax.errorbar(
        x, points, yerr=lengths, elinewidth=0.9, label=label, **look.on_points(), **keywords
    )


def claimed(
    ax: Axes, value: float, label: str, entry: Entry, axis: str = "y", **keywords: Any
) -> Line2D:
    """A paper's claim as a dashed line across the axes, the verdict in its label."""
    line = ax.axhline if axis == "y" else ax.axvline
    look = {"color": VERDICT_COLOURS[entry.verdict], "linestyle": (0, (4, 2)), "linewidth": 1.0}
    return line(value, label=judged(label, entry), **{**look, "zorder": 1.5, **keywords})


def judged(label: str, found: Entry | Control) -> str:
    """A label with the verdict in brackets, marked where the word says too much."""
    return f"{label} ({found.marked})"


def lettered(axes: Iterable[Axes], titles: Sequence[str]) -> None:
    """Panel letters before short titles."""
    for letter, ax, title in zip("abcdefghijkl", axes, titles, strict=False):
        ax.set_title(rf"$\bf{{({letter})}}$ {title}".rstrip())


def legend_above(figure: Figure, axes: Iterable[Axes], columns: int = 2) -> None:
    """One legend over all panels, every label once, outside the axes."""
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), loc="outside upper left", ncols=columns)
