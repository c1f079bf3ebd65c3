"""Figures of two methods with one law: the quantiles, the ledger's test, and a control apart."""

import numpy as np
import pytest

from figures import laws, prior_two_candidates, svd0_law
from tests.figures.reading import ends, points
from zotheory.papers.svd0.law import AT


def test_bounds_of_quantiles_hold_what_they_are_for():
    rng, alpha, missed = np.random.default_rng(0), 0.1, 0
    for _ in range(200):
        bounds = laws.quantile_bounds(rng.uniform(size=(500, 1)), alpha)[:, 0]
        missed += np.sum((bounds[:, 0] > laws.QUANTILES) | (bounds[:, 1] < laws.QUANTILES))
    assert missed / (200 * len(laws.QUANTILES)) < alpha + 0.03  # and its Monte Carlo error
    assert missed > 0


def outside(bounds, tolerance):
    return (bounds[:, 0] > tolerance) | (bounds[:, 1] < -tolerance)


@pytest.mark.parametrize("figure", [svd0_law, prior_two_candidates])
def test_eye_and_test_tell_the_control_apart_and_nothing_else(drawing, data, figure):
    along, test = drawing(figure.__name__.rpartition(".")[2])[0].axes
    tolerance = data.quantity(figure.LAW, _at(figure)).tolerance
    for series, bounds in zip(points(test), ends(test), strict=True):
        hollow = np.abs(series[:, 1]).max() < tolerance
        assert hollow != outside(bounds, tolerance).any()
        assert hollow == ((np.abs(bounds) < tolerance).all())
    medians = [line.get_ydata() for line in along.get_lines() if line.get_label()[0] != "_"]
    (middle,) = (q for q in [points(along)[2]])
    (control,) = [y for y in medians if len(y) > 1]
    apart = np.abs(control[middle[:, 0].astype(int)] - middle[:, 1])
    assert apart.max() > 0.03


def _at(figure):
    return AT if figure is svd0_law else f"MeZO-GV and MeZO, T={figure.TESTED}"


@pytest.mark.parametrize("figure", [svd0_law, prior_two_candidates])
def test_points_of_one_law_cover_the_bands_median(drawing, figure):
    along, _ = drawing(figure.__name__.rpartition(".")[2])[0].axes
    (band,) = (line for line in along.get_lines() if line.get_color() == laws.INK)
    steps = points(along)[2][:, 0].astype(int)
    low, high = ends(along)[2].T
    room = high - low  # the band's median is of as many runs
    median = band.get_ydata()[steps]
    assert ((low - room < median) & (median < high + room)).all()


def test_the_claimed_sizes_are_the_formulas():
    assert prior_two_candidates.claimed() == (2, 2)
    run = prior_two_candidates.method("MeZO")
    assert run.rate == 2 * prior_two_candidates.ETA
    assert run.method.eps == pytest.approx(2**0.5 * prior_two_candidates.NOISE)
