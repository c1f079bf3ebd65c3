"""SVD-0 beside SubZero: whole runs have one law; from many directions the subspace differs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from figures import laws
from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.sampled import SHARDS, sampled
from figures.style import judged, legend_above, lettered, panels
from zotheory.papers.svd0.law import AT, CONTROL, Differences, Runs
from zotheory.statistics import Bernstein
from zotheory.statistics.intervals import Interval

ABOVE, LAW = "svd0.vs_subzero.expected_loss", "own.svd0_subzero_law"
SUBZERO, SVD0, MANY = Runs(None), Runs(1), Runs(CONTROL)


def draw(data: Data) -> tuple[Figure, str]:
    """Quantiles of the loss along runs, and the test that the claim was measured by."""
    runs, tested = data.count(1_000, 4_000), SHARDS * data.count(50, 100)
    figure, axes = panels(2, 1, height=4.5)
    along, test = axes
    steps = np.arange(SUBZERO.steps + 1)
    laws.band(along, steps, losses(data, SUBZERO, runs), "SubZero")
    laws.control(along, steps, losses(data, MANY, runs), f"SVD-0 from {CONTROL} directions")
    label = judged("SVD-0: as SubZero", data.claim(LAW))
    laws.points(along, steps[1:], losses(data, SVD0, runs)[:, 1:], label)
    along.set(xlabel="step", ylabel="loss", ylim=0, xticks=steps)

    one, other = data.quantity(LAW, AT), told_apart(data, tested)
    at = np.argsort(np.argsort(other.estimate))
    laws.one_law(test, one.tolerance)
    laws.differences(test, one.estimate, one.interval, laws.POINTS, at)
    laws.differences(test, other.estimate, (other.lower, other.upper), laws.CONTROL, at)
    test.set(
        xlabel=f"{len(at)} features of a run, in the control's order",
        ylabel="mean less SubZero's",
        xticks=[],
    )
    lettered(axes, ("loss along a run", "the test on whole runs"))
    legend_above(figure, axes)
    return figure, (
        f"(a) {laws.told(runs)}, on a loss of a {' × '.join(map(str, SUBZERO.shape))} matrix that "
        "is neither linear nor quadratic: band, SubZero (random subspace); points, SVD-0 with its "
        "subspace from a MeZO gradient of one direction, as in the paper; dashed, the control, "
        f"from the average of {CONTROL} directions.\n\n(b) The two-sample test between methods on "
        f"their whole runs W_0..W_T ({AT}): means of bounded features less SubZero's. Points: the "
        f"ledger's, {one.samples:,} runs of each; they are taken for one law if all intervals lie "
        f"in the grey band. Triangles: the control, {tested:,} runs of each, with {LEVEL} "
        "intervals (empirical Bernstein, which hold together)."
    )


def losses(data: Data, of: Runs, runs: int) -> np.ndarray:
    """(runs, T + 1) losses along independent runs, the batch's b = 0."""
    return of.loss(of(data.rng(150, of.queries or 0), runs), 0.0)


def told_apart(data: Data, runs: int) -> Interval:
    """The control's features less SubZero's, measured here."""
    return sampled(data, "svd0_law", Differences(CONTROL), Bernstein(-1.0, 1.0), runs)


PICTURE = Picture("svd0_law", "SVD-0's runs and SubZero's", (ABOVE, LAW), draw)

if __name__ == "__main__":
    main(PICTURE)
