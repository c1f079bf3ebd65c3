"""The figures of our own results show the library's numbers."""

import math

import numpy as np
import pytest
import sympy as sp

from figures import (
    own_held_out,
    own_queries,
    own_svd0_threshold,
    own_tezo_floor,
    own_variance,
)
from figures.probed import objective
from proofs_check.matrices import M, N, R
from tests.figures.reading import ends, points
from zotheory.papers.own.query_limit import ANY, SCALE_FREE
from zotheory.papers.smezo.batches import NAMES
from zotheory.papers.tezo import descent
from zotheory.papers.tezo.descent import ETA
from zotheory.vocabulary import DRAWN, Kind


def inside(bounds, values):
    return (bounds[:, 0] <= values) & (values <= bounds[:, 1])


def test_the_floor_is_the_claims_and_the_rate_the_derived_one():
    sizes = {M: own_tezo_floor.SIZE, N: own_tezo_floor.SIZE, R: own_tezo_floor.RANK}
    floor = descent.frozen_floor().value / descent.G_NORM2
    assert own_tezo_floor.claimed_floor() == pytest.approx(float(sp.cancel(floor).subs(sizes)))
    rule = own_tezo_floor.redrawn()
    factor = descent.contraction_factor().value.subs({**sizes, ETA: rule.eta})
    assert rule.mean(np.array([1]))[0] == pytest.approx(float(factor))


def test_mezos_fourth_moment_is_that_of_a_step():
    rule, d = own_tezo_floor.mezo(), own_tezo_floor.SIZE**2
    rng, eta = np.random.default_rng(0), float(own_tezo_floor.mezo().eta)
    a, b = rng.chisquare(1, 400_000), rng.chisquare(d - 1, 400_000)
    squares = (1 - 2 * eta * a + eta**2 * a * (a + b)) ** 2
    error = squares.std() / math.sqrt(len(squares))
    assert rule.fourth == pytest.approx(squares.mean(), abs=5 * error)


def test_losses_fall_as_they_should_and_stay_above_the_floor(drawing):
    (ax,) = drawing("own_tezo_floor")[0].axes
    steps = np.array(own_tezo_floor.STEPS)
    redrawn, mezo, frozen = ends(ax)
    assert inside(redrawn, own_tezo_floor.redrawn().mean(steps)).all()
    assert inside(mezo, own_tezo_floor.mezo().mean(steps)).all()
    assert (frozen[:, 1] >= own_tezo_floor.claimed_floor()).all()
    assert inside(frozen, own_tezo_floor.claimed_floor())[-3:].all()


def test_overlaps_are_the_ledgers_where_it_has_them(drawing, data):
    square, wide = drawing("own_svd0_threshold")[0].axes
    at = own_svd0_threshold.TIMES.index(own_svd0_threshold.JUDGED)
    for series, (m, n) in zip(points(square), own_svd0_threshold.SQUARE, strict=True):
        place = f"twice the threshold, {m} x {n} (reduced)"
        found = data.number(own_svd0_threshold.CLAIM, Kind.MEASURED, place)
        assert series[at, 1] == found["estimate"][0]
    above = np.array(own_svd0_threshold.TIMES) > 1.5
    for side, bounds in enumerate(ends(wide)):
        expected = [
            own_svd0_threshold.predicted(own_svd0_threshold.WIDE, times, side)
            for times in own_svd0_threshold.TIMES
        ]
        assert inside(bounds, np.array(expected))[above].all()


def test_the_threshold_is_where_the_prediction_begins():
    for shape in (*own_svd0_threshold.SQUARE, own_svd0_threshold.WIDE):
        assert own_svd0_threshold.threshold(shape) == pytest.approx(math.sqrt(math.prod(shape)))
        assert own_svd0_threshold.predicted(shape, 0.99, 0) == 0
        assert own_svd0_threshold.predicted(shape, 1.01, 0) > 0


def test_families_spend_what_they_say_and_none_is_above_the_limit(data):
    on = objective(data, *own_queries.SIZE)
    for family in own_queries.FAMILIES:
        spent = family.spends[1]
        found = own_queries.measured(data, family.at(spent), on, 25)
        assert found.losses == spent
        assert found.cos2.low <= own_queries.limit(SCALE_FREE, spent, on.entries)
        if found.cos2.exact is not None:
            limit = own_queries.limit(SCALE_FREE, spent, on.entries)
            assert found.cos2.exact <= limit * (1 + 1e-12)
    assert own_queries.limit(ANY, 4, 384) == pytest.approx(4 / 384)


def test_every_recipe_is_in_the_picture(data):
    on = objective(data, *own_queries.SIZE)
    kinds = set()
    for estimator in own_queries.others(on):
        made, _ = estimator.build(on, 0)
        kinds.add((type(made.perturbation), type(made.direction)))
    assert len(kinds) == len(own_queries.others(on)) > 12


@pytest.mark.slow
def test_variances_are_those_of_the_cards(drawing):
    whole, zoomed = drawing("own_variance")[0].axes
    hits = []
    for one, bounds in zip(own_variance.PERTURBATIONS, ends(whole), strict=True):
        exact = np.array([own_variance.exact(one, side) for side in own_variance.MEASURED])
        hits += inside(bounds, exact).tolist()
    assert np.mean(hits) > 0.8  # each with 95%
    assert len(points(zoomed)) == len(own_variance.PERTURBATIONS)
    names = [one.label for one in own_variance.PERTURBATIONS]
    gaussian = own_variance.PERTURBATIONS[names.index("Gaussian (MeZO)")]
    assert own_variance.exact(gaussian, 8) == pytest.approx(65 / 64)


def test_the_law_is_sheppards():
    cosines = np.array([-1, -0.5, 0, 0.5, 1])
    expected = 0.5 + np.arcsin(cosines) / np.pi
    assert own_held_out.law(1, cosines) == pytest.approx(expected)
    assert (own_held_out.law(4, cosines[3:4]) > expected[3]).all()


def test_pairs_of_batches_are_merged(drawing, data):
    (ax,) = drawing("own_held_out")[0].axes
    for loss, series in zip(NAMES, points(ax)[1:], strict=True):
        cosines, shares, bounds = own_held_out.on_model(data, loss)
        assert series == pytest.approx(np.stack([cosines, shares], axis=1))
        assert inside(bounds, shares).all()
        assert len(cosines) == 6
        drawn = data.drawn("own.held_out", Kind.MODEL)
        pooled = sum(drawn["outcomes by pair"][loss]) / sum(drawn["draws by pair"])
        assert shares.min() <= 100 * pooled <= shares.max()


def test_a_ledger_without_a_model_is_drawn_and_says_so(drawing, changed):
    def edit(entry):
        for evidence in entry["evidence"]:
            evidence["numbers"].pop(DRAWN, None)

    figure, shown = drawing("own_held_out", changed("own.held_out", edit))
    assert len(points(figure.axes[0])) == 1
    assert "No language model's pairs" in shown


def test_rates_are_drawn_in_units_of_the_rules(drawing):
    """Of MeZO: one rate diverged, the rule landed at nine tenths of the best rate's fall."""
    figure, shown = drawing("own_rates")
    curves, falls = figure.axes
    mean = (10 * 2e-6 + 10 * 1e-6) / 20
    fixed, lost, rule = curves.get_lines()[:3]
    assert fixed.get_xydata() == pytest.approx(np.array([[1e-6 / mean, 0.8], [1.73e-6 / mean, 1]]))
    assert lost.get_xydata() == pytest.approx(np.array([[3e-6 / mean, 0.0]]))
    assert rule.get_xydata() == pytest.approx(np.array([[1.0, 0.9]]))
    (course,) = falls.get_lines()[0].get_xydata()
    assert course == pytest.approx([10 * 2e-6 * 1e6 / 20, 4.0 / 20])
    assert "Median regret +10.0%" in shown
