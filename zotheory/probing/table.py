"""The table of a comparison, in a terminal and in a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from zotheory.probing.quantities import Interval
from zotheory.probing.rows import Row, objectives, ranked
from zotheory.report.notebook import comparison_html

CAPTION = (
    "B: loss values spent. Efficiency: E cos² · d/(B - 1); on a linear loss, averaged over the"
    " gradient's direction, no estimate within the span of its evaluated directions passes 1."
    " Intervals: 95%. Low-rank methods have rank min(m, n)/4. Every estimator is fresh, at its"
    " first step (SVD-0 pays for its subspace there)."
)


def cells(rows: Sequence[Row]) -> tuple[list[tuple[str, str]], list[tuple[Row, list[str]]]]:
    """Column heads (group, name), and the texts of each estimator, the most efficient first.

    The first objective is shown in full, of the others the efficiency.
    """
    first, *others = objectives(rows)
    heads = [
        ("", "estimator"),
        ("", "B"),
        ("efficiency", first),
        ("", "exact"),
        *(("", name) for name in others),
        ("", "E cos²"),
        ("mean", "scale"),
        ("", "exact"),
        ("mean", "angle"),
        ("relative", "variance"),
        ("", "exact"),
    ]
    elsewhere = {(row.objective, row.estimator): row for row in rows}
    lines = []
    for row in ranked(rows, first):
        found = row.found
        beside = [elsewhere[name, row.estimator].found.efficiency for name in others]
        lines.append(
            (
                row,
                [
                    row.estimator,
                    f"{found.losses:.4g}",
                    _measured(found.efficiency),
                    _exact(found.efficiency),
                    *map(_measured, beside),
                    f"{100 * found.cos2.value:.3g}%",
                    _measured(found.scale),
                    _exact(found.scale),
                    _range(found.angle, "°"),
                    _range(found.variance),
                    _exact(found.variance),
                ],
            )
        )
    return heads, lines


def table(rows: Sequence[Row]) -> Table:
    """The table for a terminal; a user's own estimators stand out."""
    heads, lines = cells(rows)
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=_title(rows))
    for group, name in heads:
        exact = name == "exact"
        shown.add_column(
            f"{group}\n{name}",
            justify="left" if name == "estimator" else "right",
            style="dim" if exact else "",
            header_style="dim" if exact else "bold",
            no_wrap=name != "estimator",
            overflow="fold",
        )
    for row, texts in lines:
        shown.add_row(*map(Text, texts), style="bold cyan" if row.own else "")
    shown.caption, shown.caption_style = f"\n{CAPTION}", "dim"
    shown.title_justify = shown.caption_justify = "left"
    shown.title_style = "bold"
    return shown


def html(rows: Sequence[Row]) -> str:
    """The table for a notebook."""
    return comparison_html(_title(rows), *cells(rows), CAPTION)


def _title(rows: Sequence[Row]) -> str:
    row = rows[0]
    return f"Estimates of a gradient with d = {row.entries} entries, {row.samples} samples each"


def _measured(interval: Interval) -> str:
    """ "1.02 ±.06", with as many digits as the interval supports."""
    value, half = interval.value, (interval.high - interval.low) / 2
    if math.isnan(value):
        return "-"
    if half <= 1e-9 * abs(value):
        return f"{value:.4g}"
    digits = max(0, -math.floor(math.log10(half)))
    return f"{value:.{digits}f} ±{f'{half:.{digits}f}'.removeprefix('0')}"


def _range(interval: Interval, unit: str = "") -> str:
    """ "336–394": for intervals that need not have the value in the middle."""
    if math.isnan(interval.value):
        return "-"
    if math.isinf(interval.high):
        return f">{interval.low:.0f}{unit}"
    return f"{interval.low:.0f}–{interval.high:.0f}{unit}"


def _exact(interval: Interval) -> str:
    if interval.exact is None:
        return ""
    return f"{interval.exact:.4g}" if interval.exact >= 1 else f"{interval.exact:.3g}"
