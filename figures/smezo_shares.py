"""Which weights a language model's gradient lies on: the small ones, and the value projections."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import INK, SERIES, claimed, intervals, legend_above, lettered, panels
from zotheory import papers
from zotheory.budget import ALPHA
from zotheory.papers.own.value_projections import BATCHES, LOSSES
from zotheory.papers.smezo.small_weights import FIFTH, LATER, OVER, average
from zotheory.vocabulary import Kind

SMALL, GAIN, MODULES = "smezo.small_share", "smezo.cosine.gain", "own.layers.v_projections"
FIRST = {f"initial weights, {over}": over for over in OVER.values()}  # the evidence's places
LATER_AT = f"after {', '.join(map(str, LATER))} steps, {OVER['vocabulary']}"
PLACES = {**FIRST, LATER_AT: "whole vocabulary, along fine-tuning"}
LOOKS = dict(zip(PLACES.values(), SERIES, strict=False))
SIZES = (f"smallest\n{FIFTH:.0%}", "all\nothers")


def draw(data: Data) -> tuple[Figure, str]:
    """Share of the squared gradient over the share of the entries: by size, and by matrix."""
    figure, axes = panels(1, 2, height=3.0, sharey=True, width_ratios=(1, 2.1))
    by_size, by_matrix = axes
    for i, (place, name) in enumerate(PLACES.items()):
        rows, even = shares(data, place), entries(data)
        found = average(rows, ALPHA / len(PLACES))
        dots, mean = np.concatenate(rows), np.array([found.value, found.low, found.high])
        both = ((dots / even, mean / even), ((1 - dots) / (1 - even), (1 - mean) / (1 - even)))
        for x, (drawn, (middle, *ends)) in enumerate(both):
            at, look = x + 0.27 * (i - 1), LOOKS[name]
            spread = at + np.linspace(-0.08, 0.08, len(drawn))
            by_size.plot(spread, drawn, ".", ms=2.5, mfc="none", mec=look.colour, mew=0.5)
            intervals(by_size, [at], [middle], [ends], look, name, zorder=4)
    by_module = modules(data)
    for i, (over, look) in enumerate(zip(OVER.values(), LOOKS.values(), strict=False)):
        for x, of in enumerate(by_module.values()):
            spread = x + 0.28 * (i - 0.5) + np.linspace(-0.1, 0.1, len(of[over]))
            by_matrix.plot(spread, of[over], ms=3, mfc="white", mew=0.8, **look.on_points())
    by_size.set(xticks=range(2), xticklabels=SIZES, xlim=(-0.6, 1.6))
    by_matrix.set(xticks=range(len(by_module)), xlim=(-0.6, len(by_module) - 0.4))
    by_matrix.set_xticklabels([name.replace("_proj", "") for name in by_module])
    _least(by_size, data, GAIN, "smallest", 1 / len(SIZES))
    _least(by_matrix, data, MODULES, "v", 1 / len(by_module))
    for ax in axes:
        ax.axhline(1, color=INK, lw=0.7, zorder=1)
    _logarithmic(by_size)
    by_size.set(ylabel="share of the squared gradient\nover share of the entries")
    by_matrix.set(xlabel="matrices, by module")
    lettered(axes, ("by size", "by matrix"))
    legend_above(figure, axes, columns=1)
    batches = len(shares(data, LATER_AT)[0])
    parts = [f"{100 * average(shares(data, place), ALPHA).value:.0f}%" for place in PLACES]
    return figure, (
        "Share of the squared gradient of a language model's blocks that a group of weights holds, "
        "over its share of their entries: 1 if the gradient is spread evenly (solid line). For "
        "noise on the group alone it is also how many times the expected squared cosine of noise "
        "on all blocks it has, on a linear loss.\n\n"
        f"(a) The {FIFTH:.0%} of every matrix that are smallest in magnitude, and the others; the "
        f"former hold {', '.join(parts)} of the squared gradient. Dots: single batches of 16 "
        f"review prompts, {batches} at each place; markers: means with Student's intervals, which "
        f"hold together at {LEVEL}. Along fine-tuning: after {', '.join(map(str, LATER))} steps."
        "\n\n(b) The matrices of one kind in all blocks, at the initial weights; points: single "
        f"batches of 16 prompts, {len(BATCHES)} of them. The value projections are {held(data)}."
    )


def shares(data: Data, place: str) -> list[np.ndarray]:
    """By phase, what the smallest entries hold of each batch's squared gradient."""
    return [np.array(row) for row in data.number(SMALL, Kind.MODEL, "share by batch", place)]


def entries(data: Data) -> float:
    """What share of all entries they are."""
    return data.number(GAIN, Kind.MODEL, "n") / data.number(GAIN, Kind.MODEL, "d")


def modules(data: Data) -> Mapping[str, Mapping[str, list[float]]]:
    """By module and loss, one value a batch; modules from the highest on."""
    found: dict[str, dict[str, list[float]]] = {}
    for loss in LOSSES:
        for batch in BATCHES:
            at = place(batch, loss)
            values = data.number(MODULES, Kind.MODEL, at, "E cos^2 over that of all, by module")
            for name, value in values.items():
                found.setdefault(name, {}).setdefault(OVER[loss], []).append(value)
    return dict(sorted(found.items(), key=lambda row: -np.mean(list(row[1].values()))))


def place(batch: int, loss: str) -> str:
    """Where a batch's gradient was taken, in the evidence's words."""
    return f"batch of seed {batch}, loss over the {loss.replace('_', ' ')}"


def held(data: Data) -> str:
    """Of the value projections: the share of the entries, and of the squared gradient."""
    at = [place(batch, loss) for loss in LOSSES for batch in BATCHES]
    parts = [data.number(MODULES, Kind.MODEL, one, "their part of ||g||^2") for one in at]
    inverse = data.number(MODULES, Kind.MODEL, at[0], "all entries over theirs")
    return (
        f"{1 / inverse:.1%} of the entries and hold {100 * min(parts):.0f}% to "
        f"{100 * max(parts):.0f}% of the squared gradient"
    )


def _least(ax: Axes, data: Data, claim: str, of: str, width: float) -> None:
    """The claimed least value, over the group that it is claimed of, the first one."""
    least = float(papers.claim(claim).statement.bound)
    claimed(ax, least, f"claimed of {of}: at least {least:g}", data.claim(claim), xmax=width)


def _logarithmic(ax: Axes) -> None:
    ax.set(yscale="log")
    ax.yaxis.set_major_locator(FixedLocator((0.1, 0.2, 0.5, 1, 2, 5, 10)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


PICTURE = Picture(
    "smezo_shares", "Which weights the gradient lies on", (SMALL, GAIN, MODULES), draw
)

if __name__ == "__main__":
    main(PICTURE)
