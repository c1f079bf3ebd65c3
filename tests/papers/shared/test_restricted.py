"""What LeZO and S-MeZO share, beyond what is tested of every claim."""

import numpy as np
import pytest
import sympy as sp

import zotheory.papers.lezo.claims as lezo
import zotheory.papers.smezo.claims as smezo
from zotheory.papers.shared.restricted_descent import EQ25, FALL, STEP_NOISE
from zotheory.papers.shared.telescoping import HORIZON, LEAST, START
from zotheory.vocabulary import Claim

SHARED = (
    "lemma1",
    "assumption1",
    "lemma2",
    "eq20",
    "eq25.last_iterate",
    "eq26.constant",
    "eq27.eps_direction",
)


def claim(paper: str, place: str) -> Claim:
    claims = {"lezo": lezo, "smezo": smezo}[paper].CLAIMS
    return next(c for c in claims if c.id == f"{paper}.{place}")


@pytest.mark.parametrize("place", SHARED)
def test_both_papers_are_judged_alike(place):
    first, second = (claim(paper, place) for paper in ("lezo", "smezo"))
    assert first.needs == second.needs
    assert [check.kind for check in first.checks] == [check.kind for check in second.checks]
    assert (first.mutant is None) == (second.mutant is None)


def test_eq25_is_the_sum_over_eq24():
    assert EQ25.subs(START, LEAST) == FALL * STEP_NOISE
    assert sp.expand(EQ25 - FALL * STEP_NOISE - FALL * (START - LEAST) / (HORIZON + 1)) == 0


def test_a_run_of_the_method_ends_above_eq25():
    """The example of the snippet, with its own seed: next to a maximum of a loss with |L''| = 1."""
    rng, start, steps, eps = np.random.default_rng(5), 1e-4, 200, 1e-3

    def loss(x):
        x = np.abs(x)
        return np.where(x < 1, -(x**2) / 2, (x - 2) ** 2 / 2 - 1)

    squares, x = [], np.full(10_000, start)
    for _ in range(steps + 1):
        gradient = np.where(np.abs(x) < 1, -x, np.sign(x) * (np.abs(x) - 2))
        squares.append(np.mean(gradient**2))
        z = rng.standard_normal(x.size)
        x -= (loss(x + eps * z) - loss(x - eps * z)) / (2 * eps) * z / 20
    at = {"f_0": loss(start), "f_star": -1, "T": steps, "n": 1, "L": 1, "eps": eps}
    bound = float(EQ25.subs({s: at[str(s)] for s in EQ25.free_symbols}))
    assert squares[-1] > 1.5 * bound
    assert np.mean(squares) < bound


def test_steps_on_losses_of_their_own_stay_above_eq25():
    """As the snippet's: Eq. 24 at every step of one smooth loss, smoothed in one of two weights.

    The smoothing is by quadrature here, and the points lie elsewhere.
    """
    eps, a, runs = 0.08, 0.6, 4000
    z, w = np.polynomial.hermite_e.hermegauss(20)
    points = ((np.pi - a, a), (a, np.pi - a))

    def smoothed(point, perturbed):
        other = np.cos(point[1 - perturbed])
        return w @ np.cos(point[perturbed] + eps * z) / w.sum() + other

    def slope(point, perturbed):
        return -(w @ np.sin(point[perturbed] + eps * z)) / w.sum()

    fall, noise = (float(e.subs({"n": 1, "L": 1, "eps": eps})) for e in plain(FALL, STEP_NOISE))
    squares = [slope(points[t % 2], t % 2) ** 2 for t in range(runs)]
    for t in range(2):
        here, there = points[t], points[1 - t]
        assert smoothed(there, t) <= smoothed(here, t) - squares[t] / fall + noise
    bound = fall * ((smoothed(points[0], 0) + 2) / runs + noise)
    assert np.mean(squares) > 1.5 * bound
    assert np.mean(squares) < bound + fall * eps**2


def plain(*expressions):
    """The expressions in symbols without assumptions."""
    return [e.subs({s: sp.Symbol(s.name) for s in e.free_symbols}) for e in expressions]
