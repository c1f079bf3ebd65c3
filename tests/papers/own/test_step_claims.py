"""The samplers and the exact moments behind the claims about step sizes."""

import numpy as np
import pytest
import sympy as sp

from proofs_check import falls, stability
from proofs_check.cards.card import M, N, Q, R
from proofs_check.stability import CURVATURE, DELTA, ETA, SCALE
from zotheory.papers.own.step_size import (
    SPIKED,
    STEEP,
    FallAt,
    FallsOfTwo,
    Quadratic,
    Steps,
    exact_moments,
    moments_of,
)
from zotheory.papers.own.step_stability import (
    RATES,
    START,
    Kept,
    Shrunk,
    _turned,
    shrunk,
)


def test_the_quadrature_has_the_derived_moments():
    mean, variance = exact_moments(moments_of, SPIKED)
    found, at = falls.gaussian(), SPIKED.invariants()
    assert np.allclose(mean, [float(found.slope.subs(at)), float(found.curvature.subs(at))])
    assert np.isclose(variance[0], 2 * mean[0] ** 2)  # kappa is normal


def test_nothing_is_gained_by_another_step_than_the_best():
    found, at = falls.gaussian(), SPIKED.invariants()
    best = float(found.best_step.subs(at))
    (fall, slope), _ = exact_moments(FallAt(best), SPIKED)
    assert np.isclose(fall, float(found.fall.subs(at)))
    assert abs(slope) < 1e-12
    for other in (0.5 * best, 1.5 * best):
        assert exact_moments(FallAt(other), SPIKED)[0][0] < fall


def test_the_loss_has_its_gradient_and_hessian_at_any_point():
    point = np.array([0.3, -2.0])
    loss = SPIKED.loss(point)
    assert np.allclose(loss.gradient().ravel(), SPIKED.g)
    moved = point + np.array([0.2, 0.5])
    step = moved - point
    values = loss.values(np.stack([moved, point])[:, :, None])
    assert np.isclose(values[0] - values[1], SPIKED.g @ step + step @ SPIKED.h @ step / 2)


def test_estimates_are_those_of_the_code_that_trains():
    """kappa z is exact at any eps, and no draw repeats another."""
    rows = Steps(SPIKED, lambda found, _: found, options=(("eps", 1.5),))
    found = rows(np.random.default_rng(0), 50)
    z = found[:, 0] / found[:, 1]
    assert len(np.unique(z)) == 50
    turned = np.linalg.norm(found, axis=1)
    kappa = np.abs(found @ SPIKED.g) / turned  # |kappa| |z . g| / (|kappa| |z|)
    assert np.all(kappa <= np.linalg.norm(SPIKED.g) * (1 + 1e-12))


def test_the_subset_is_the_smaller_weight():
    masked, whole = FallsOfTwo(STEEP, (0.1, 0.1)).samplers()
    rng = np.random.default_rng(0)
    own = Steps(STEEP, lambda found, _: found, masked.recipe, masked.options, masked.point)
    every = Steps(STEEP, lambda found, _: found, whole.recipe, whole.options, whole.point)
    assert np.all(own(rng, 5)[:, 1] == 0)
    assert np.all(own(rng, 5)[:, 0] != 0)
    assert np.all(every(rng, 5) != 0)


def test_what_is_kept_at_the_critical_step_is_kept_from_every_start():
    spectrum = (1.0, 3.0)
    eta = stability.critical(spectrum)
    weights = tuple(eta * x / (2 * (1 - eta * x)) for x in spectrum)
    problem = _turned(spectrum, 0.6)
    for start in (START, (0.0, 1.0)):
        gradient = tuple((problem.h @ np.array(start)).tolist())
        moved = Quadratic(gradient, problem.hessian)
        (mean, _) = exact_moments(Kept(eta, weights, start), moved)
        assert np.isclose(mean[0], 1.0)
        (longer, _) = exact_moments(Kept(1.05 * eta, weights, start), moved)
        assert longer[0] > 1.0


SMALL = {M: 2, N: 2, R: 1, Q: 2}


@pytest.mark.parametrize("method", [name for name in RATES if name != "TeZO over r"])
def test_the_quadrature_grows_as_the_card_says(method):
    scale, spread = (float(sp.sympify(part).subs(SMALL)) for part in RATES[method])
    growth = sp.lambdify((ETA, CURVATURE, SCALE, DELTA), stability.isotropic_growth())
    for x in (0.01, 0.1, 2 / (scale * (1 + spread))):
        mean, _ = shrunk(method, x, Shrunk.point)
        assert np.isclose(mean, growth(x, 1, scale, spread))


@pytest.mark.parametrize(
    ("method", "recipe", "options"),
    [
        ("MeZO", "mezo", ()),
        ("SubZO", "subzo", (("rank", 1),)),
        ("signs", "rademacher", ()),
        ("an average of q", "q_spsa", (("queries", 2),)),
    ],
)
def test_the_stated_variance_is_that_of_the_sampler(method, recipe, options):
    drawn = Shrunk(recipe, options, 0.2)(np.random.default_rng(1), 300)
    _, exact = shrunk(method, 0.2 * 1.5, Shrunk.point)
    assert 0.3 < drawn.var() / exact < 3.0
