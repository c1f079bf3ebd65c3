"""TeZO Fig. 8: the error of TeZO-Adam's second moment over steps, and over the size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.style import SERIES, Look, intervals, judged, legend_above, lettered, panels
from proofs_check import matrices
from proofs_check.matrices import M, N, R
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.second_moment import BETA2, RANK, STEPS, W_NORM2, overlap

AVERAGED, EACH = "tezo.fig8.decreasing", "tezo.fig8.per_coordinate"
SIZES = (64, 128, 256, 512)
WINDOW = 100


def draw(data: Data) -> tuple[Figure, str]:
    """One run at each size under its root mean square; both errors over the size, at the end."""
    figure, (runs, sizes) = panels(1, 2, height=2.6, gridspec_kw={"width_ratios": (5, 4)})
    rng, steps = data.rng(8), np.arange(1, STEPS + 1)
    for size, look in zip(SIZES, SERIES, strict=False):
        runs.plot(steps, running(run(rng, size)), color=look.colour, lw=0.6, alpha=0.7)
        exact = averaged(size) * np.sqrt(weights2(steps))
        runs.plot(steps, exact, label=f"$m=n={size}$", **look.on_line())
    runs.set(yscale="log", ylim=(2e-3, 0.3), xlabel="step $t$", ylabel="RMS of averaged $E_t$")

    end = np.sqrt(weights2(STEPS))
    curve = np.geomspace(SIZES[0], SIZES[-1], 20)
    label = judged("average, falls", data.claim(AVERAGED))
    _both(sizes, curve, averaged(curve) * end / RANK, SERIES[0], label)
    label = judged("at a coordinate, falls", data.claim(EACH))
    _both(sizes, curve, np.full(20, each() * end), SERIES[1], label)
    _ledger(sizes, data, AVERAGED, SIZES, end / RANK, SERIES[0])
    _ledger(sizes, data, EACH, (64, 192), end, SERIES[1])
    sizes.set(xscale="log", yscale="log", xlabel="$m = n$", ylabel="RMS error / mean of $V$")
    sizes.set_ylim(1e-4, 0.3)
    sizes.set_xticks(SIZES, [str(size) for size in SIZES])
    sizes.minorticks_off()
    lettered((runs, sizes), ("over steps", f"at $t={STEPS}$"))
    legend_above(figure, (runs, sizes))
    return figure, (
        f"E_t = V_t less TeZO-Adam's estimate of it, r = {RANK}, beta2 = {BETA2}, kappa = 1. "
        f"(a) E_t averaged over all coordinates: root mean square over the last {WINDOW} steps of "
        "one run at each size (thin), and the exact root mean square over runs.\n\n"
        f"(b) After {STEPS} steps, relative to the mean of V: the "
        "average over the coordinates, and the error at each coordinate. Lines: exact. Points: "
        f"the ledger's means with {LEVEL} intervals."
    )


def run(rng: np.random.Generator, size: int) -> np.ndarray:
    """E_1 .. E_T averaged over the coordinates of one run, factors kept."""
    (kept,) = overlap(rng, 1, size, size, RANK)
    np.fill_diagonal(kept, 0.0)
    tau = rng.standard_normal((STEPS, RANK))
    errors, error = np.empty(STEPS), 0.0
    for t, now in enumerate(np.einsum("tp,pq,tq->t", tau, kept, tau) / size**2):
        error = BETA2 * error + (1 - BETA2) * now
        errors[t] = error
    return errors


def running(errors: np.ndarray) -> np.ndarray:
    """Root mean square over the last `WINDOW` steps, fewer at the start."""
    total = np.cumsum(errors**2)
    total[WINDOW:] -= total[:-WINDOW].copy()
    return np.sqrt(total / np.minimum(np.arange(1, len(errors) + 1), WINDOW))


def weights2(steps: ArrayLike) -> np.ndarray:
    """||w||^2 of the weights (1 - beta2) beta2^(t - s), s = 1 .. t."""
    return (1 - BETA2) / (1 + BETA2) * (1 - BETA2 ** (2.0 * np.asarray(steps)))


def averaged(size: ArrayLike) -> np.ndarray:
    """Root mean square of the averaged error, in units of ||w||."""
    square = sp.cancel(matrices.mean(terms.accumulated_sum_square).value / (M * N) ** 2 / W_NORM2)
    return np.sqrt(sp.lambdify(M, square.subs({N: M, R: RANK}))(np.asarray(size, dtype=float)))


def each() -> float:
    """Root mean square of the error at each coordinate over r, in units of ||w||."""
    square = sp.cancel(matrices.mean(terms.accumulated_square_sum).value / (M * N * R**2) / W_NORM2)
    return float(sp.sqrt(square.subs(R, RANK)))


def _both(ax: Axes, x: np.ndarray, y: np.ndarray, look: Look, label: str) -> None:
    ax.plot(x, y, label=label, marker=look.marker, markevery=[-1], **look.on_line())


def _ledger(
    ax: Axes, data: Data, claim: str, sizes: tuple[int, ...], unit: float, look: Look
) -> None:
    """Root mean squares with their intervals: each pair's larger size, the first's both."""
    squares = []
    for small, large in pairwise(sizes):
        larger, smaller, *_ = data.quantity(claim, f"m=n={small} to {large}").each
        squares += [smaller, larger] if small == sizes[0] else [larger]
    found = np.sqrt(squares) * unit
    intervals(ax, sizes, found[:, 0], found[:, 1:], look)


PICTURE = Picture("tezo_fig8", "Accumulated error of the second moment", (AVERAGED, EACH), draw)

if __name__ == "__main__":
    main(PICTURE)
