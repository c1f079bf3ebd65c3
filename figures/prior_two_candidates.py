"""MeZO-GV with two candidates: MeZO at another learning rate, and apart from it at its own."""

from __future__ import annotations

from math import sqrt

import numpy as np
from matplotlib.figure import Figure

from figures import laws
from figures.command import main
from figures.data import LEVEL, Data
from figures.picture import Picture
from figures.sampled import SHARDS, sampled
from figures.style import judged, legend_above, lettered, panels
from zotheory.evidence.exact import conjuncts
from zotheory.papers import claim
from zotheory.papers.own.two_candidates import EPS2, ETA, FRAMES, NOISE, RATE, STARTS
from zotheory.papers.prior.printed_steps import Method, Trajectories, uneven
from zotheory.papers.shared.two_sample import CENTRES, Features
from zotheory.statistics import Bernstein
from zotheory.statistics.intervals import Interval

ORDERING, LAW = "prior.gv.m2_ordering", "own.gv_m2_law"
STEPS, TESTED = 6, 3  # of the runs drawn, and of those that the claim was measured on
PAIRS = {"MeZO": (), "SubZero": FRAMES}


def draw(data: Data) -> tuple[Figure, str]:
    """Quantiles of the loss along runs, and the test that the claim was measured by."""
    runs, tested = data.count(1_000, 8_000), SHARDS * data.count(100, 1_000)
    figure, axes = panels(2, 1, height=4.5)
    along, test = axes
    rate, eps2 = claimed()
    steps = np.arange(STEPS + 1)
    at = f"{rate:g}η, √{eps2:g} ε"
    laws.band(along, steps, losses(data, "MeZO", runs), f"MeZO at {at}")
    laws.control(along, steps, losses(data, "as it is", runs), "MeZO at η, ε")
    label = judged("MeZO-GV at η, ε", data.claim(LAW))
    laws.points(along, steps[1:], losses(data, "GV", runs)[:, 1:], label)
    along.set(xlabel="step", ylabel="loss", xticks=steps)

    places, gap = np.arange(CENTRES), CENTRES + 1
    for i, pair in enumerate(PAIRS):
        one = data.quantity(LAW, f"{pair}-GV and {pair}, T={TESTED}")
        other = apart(data, pair, tested)
        places_of = np.argsort(np.argsort(other.estimate)) + i * gap
        laws.differences(test, one.estimate, one.interval, laws.POINTS, places_of)
        laws.differences(test, other.estimate, (other.lower, other.upper), laws.CONTROL, places_of)
    laws.one_law(test, one.tolerance)
    test.set(
        ylabel="difference of means",
        xticks=[places.mean() + i * gap for i in range(len(PAIRS))],
        xticklabels=[f"{CENTRES} features, {pair}" for pair in PAIRS],
    )
    test.tick_params(axis="x", length=0)
    lettered(axes, ("loss along a run", "the test on whole runs"))
    legend_above(figure, axes)
    return figure, (
        f"(a) {laws.told(runs)}, on a loss in two dimensions that has a kink and is neither even "
        "nor odd, averaged over its two batches. Points: MeZO-GV with 2 candidates, alpha = 1/2, "
        f"learning rate eta = {ETA:g}, perturbation eps = {NOISE:g}. Band: MeZO at the claimed "
        f"learning rate {rate:g} eta and perturbation sqrt({eps2:g}) eps. Dashed, the control: "
        "MeZO at eta and eps.\n\n"
        f"(b) The two-sample test on all weights of {TESTED} steps, MeZO-GV less MeZO and "
        "SubZero-GV less SubZero: differences of the means of bounded features. Points: the "
        f"ledger's, {one.samples:,} runs of each; they are taken for one law if all intervals lie "
        f"in the grey band. Triangles: less the control, {tested:,} runs of each, with {LEVEL} "
        "intervals (empirical Bernstein, which hold together)."
    )


def claimed() -> tuple[float, float]:
    """MeZO's learning rate over eta, and its squared perturbation over eps^2, as claimed."""
    relations = conjuncts(claim(LAW).statement.formula)
    values = {relation.lhs: float(relation.rhs) for relation in relations}
    return values[RATE], values[EPS2]


def method(name: str, frames: tuple[int, ...] = (), steps: int = STEPS) -> Trajectories:
    """Runs of GV with two candidates, of MeZO at the claimed sizes, and of MeZO as it is."""
    rate, eps2 = claimed()
    how, scale = {
        "GV": (Method("guided", NOISE, 2), 1.0),
        "MeZO": (Method("mezo", NOISE * sqrt(eps2)), rate),
        "as it is": (Method("mezo", NOISE), 1.0),
    }[name]
    return Trajectories(how, ETA * scale, uneven, STARTS[frames], steps, frames)


def losses(data: Data, name: str, runs: int) -> np.ndarray:
    """(runs, T + 1) losses along independent runs, averaged over the two batches."""
    of, rng = method(name), data.rng(151, *name.encode())
    start = np.tile(of.start, (runs, 1))
    weights = np.hstack([start, of(rng, runs)]).reshape(-1, len(of.start))
    found = [of.loss(weights, np.full(len(weights), batch)) for batch in (-1.0, 1.0)]
    return np.mean(found, axis=0).reshape(runs, -1)


def apart(data: Data, pair: str, runs: int) -> Interval:
    """GV less the control, by the ledger's features; measured here."""
    found = Features(*(method(name, PAIRS[pair], TESTED) for name in ("GV", "as it is")))
    return sampled(data, f"prior_two_candidates/{pair}", found, Bernstein(-1.0, 1.0), runs)


PICTURE = Picture(
    "prior_two_candidates", "MeZO-GV with two candidates, and MeZO", (ORDERING, LAW), draw
)

if __name__ == "__main__":
    main(PICTURE)
