"""TeZO Fig. 1: low rank of one gradient and of all of a run's, and what the methods hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from figures.command import main
from figures.data import Data
from figures.picture import Picture
from figures.style import (
    HEAT,
    INK,
    NOISE,
    SERIES,
    VERDICT_COLOURS,
    Look,
    judged,
    legend_above,
    lettered,
    panels,
)
from zotheory.evidence.exact import conjuncts
from zotheory.papers import claim
from zotheory.papers.tezo.layers import FAST, SLOW, WORDS_FAST, WORDS_SLOW
from zotheory.papers.tezo.memory import GIB, RANKS
from zotheory.vocabulary import Kind

RANK, SUBSPACE = "tezo.fig5.low_rank", "tezo.fig1b.subspace"
SHARE, BELOW = "tezo.memory.adam_share", "tezo.memory.adam_below_mezo_in_place"
RUNS = {
    FAST: "vocabulary, 1e-3",
    SLOW: "vocabulary, 2e-4",
    WORDS_FAST: "label words, 1e-3",
    WORDS_SLOW: "label words, 2e-4",
}
TOP = 0.2  # "the top fifth"
PRINTED = {"MeZO": 26.43, "TeZO-Adam": 26.01, "MeZO-Adam": 75.27}  # GB, OPT-13B, Table 7


def draw(data: Data) -> tuple[Figure, str]:
    """Heat maps as the paper has them; the claims about them and about memory below."""
    figure, ((one, stacked), (held, memory)) = panels(2, 2, height=5.0)
    image, matrix, batches = _one_gradient(one, data)
    matrices = _stacks(stacked, data)
    bar = figure.colorbar(image, ax=(one, stacked), extend="min", location="bottom", aspect=40)
    bar.set_label(r"$\sigma_i/\sigma_1$")
    bar.outline.set_visible(False)
    _shares(held, data)
    rank = _memory(memory, data)
    lettered(
        (one, stacked, held, memory),
        ("each gradient", "a run's gradients", "top directions", "OPT-13B"),
    )
    legend_above(figure, (held, memory))
    return figure, (
        f"(a) Singular values of the gradient of {matrix} over the largest, for {batches} batches "
        f"along fine-tuning of a language model ({FAST}).\n\n(b) Singular values of each matrix's "
        f"normalised gradients along that run, stacked as columns ({matrices} matrices, from the "
        "first layers to the last).\n\n(c) Share of their squared norm in the largest directions: "
        "median over the matrices in each run, and least and greatest in the first (shade); the "
        "claim is that every matrix lies above the star. "
        f"Dotted: unrelated gradients.\n\n(d) Weights, state and temporaries, r_max = {rank}: "
        "counted at the peak of the step that is printed, in place where a line allows; of "
        "MeZO-Adam, weights and state, which the claimed share is about. Triangles: Table 7."
    )


def _one_gradient(ax: Axes, data: Data) -> tuple[QuadMesh, str, int]:
    found = data.drawn(RANK, Kind.MODEL, "by batch")
    values = np.array(found["relative singular values"])
    ax.set_xlabel("batch")
    return _heat(ax, found["index"], values.T), found["matrix"], len(values)


def _stacks(ax: Axes, data: Data) -> int:
    values = np.array(list(data.drawn(SUBSPACE, Kind.MODEL, str(FAST), "singular values").values()))
    _heat(ax, np.arange(1, values.shape[1] + 1), (values / values[:, :1]).T)
    ax.set_xlabel("matrix")
    return len(values)


def _heat(ax: Axes, index: Sequence[int] | np.ndarray, values: np.ndarray) -> QuadMesh:
    """Rows at logarithmic places."""
    ax.grid(False)
    edges = [0.7, *np.sqrt(np.multiply(index[1:], index[:-1])), index[-1]]
    columns = np.arange(values.shape[1] + 1)
    norm = LogNorm(0.01, 1)
    image = ax.pcolormesh(columns, edges, values.clip(1e-9), cmap=HEAT, norm=norm, rasterized=True)
    ax.set(ylabel="index", yscale="log", ylim=(edges[-1], edges[0]))
    return image


def _shares(ax: Axes, data: Data) -> None:
    for run, look in zip(RUNS, SERIES, strict=False):
        quartiles = np.array(data.drawn(SUBSPACE, Kind.MODEL, str(run), "share of the top k"))
        x = np.arange(1, quartiles.shape[1] + 1) / quartiles.shape[1]
        ax.plot(x, quartiles[2], label=RUNS[run], **look.on_line())
        if run is FAST:
            ax.fill_between(x, quartiles[0], quartiles[4], color=look.colour, alpha=0.15, lw=0)
    ax.plot([0, 1], [0, 1], lw=0.9, **NOISE.on_line())
    least = float(claim(SUBSPACE).statement.bound)
    entry = data.claim(SUBSPACE)
    star = Look(VERDICT_COLOURS[entry.verdict], marker="*").on_points()
    label = judged("every matrix above", entry)
    ax.plot(TOP, least, ms=8, mec="white", mew=0.5, label=label, **star)
    ax.set(xlabel="share of directions", ylabel="share of squared norm", xlim=(0, 1), ylim=(0, 1))


def _memory(ax: Axes, data: Data) -> int:
    rank = RANKS[0]
    share = data.number(
        SHARE, Kind.COUNTED, f"model = OPT-13B, r_max = {rank}, bits of every number = 16"
    )
    peaks = data.number(
        BELOW, Kind.COUNTED, "counts", f"model = OPT-13B, MeZO's step = in place, r_max = {rank}"
    )
    counted = {
        "MeZO": peaks["MeZO"] / GIB,
        "TeZO-Adam": peaks["TeZO-Adam"] / GIB,
        "MeZO-Adam": share["the other, GiB"],
    }
    looks = zip(counted.items(), SERIES, strict=False)
    for place, ((name, amount), look) in enumerate(looks):
        ax.barh(place, amount, height=0.5, **look.on_bars())
        ax.plot(PRINTED[name], place, "v", color=INK, label="Table 7")
        ax.text(max(amount, PRINTED[name]) + 5, place, f"{amount:.1f}", va="center", fontsize=6.5)
    below, part = (data.claim(claim) for claim in (BELOW, SHARE))
    colour, label = VERDICT_COLOURS[below.verdict], judged("below MeZO", below)
    bound: dict[str, Any] = {"linestyles": [(0, (4, 1))], "linewidths": 1.1}
    ax.vlines(counted["MeZO"], 0.6, 1.4, label=label, colors=colour, **bound)
    low, high = sorted(float(end.rhs) for end in conjuncts(claim(SHARE).statement.formula))
    label = judged(f"{low:.0%}–{high:.0%} MeZO-Adam", part)
    colour = VERDICT_COLOURS[part.verdict]
    band: dict[str, Any] = {"facecolor": "none", "edgecolor": colour, "hatch": "||||", "lw": 0.5}
    whole = counted["MeZO-Adam"]
    ax.barh(1, (high - low) * whole, left=low * whole, height=0.85, label=label, **band)
    ax.set(yticks=range(3), yticklabels=["MeZO", "TeZO-\nAdam", "MeZO-\nAdam"], ylim=(2.5, -0.5))
    ax.set(xlabel="memory (GiB)", xlim=(0, 105))
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x")
    return rank


PICTURE = Picture(
    "tezo_fig1",
    "Low rank of gradients, and the methods' memory",
    (RANK, SUBSPACE, SHARE, BELOW),
    draw,
)

if __name__ == "__main__":
    main(PICTURE)
