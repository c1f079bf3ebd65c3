"""Intervals on estimates whose mean, variance and cosine are known."""

import math

import numpy as np
import pytest

from zotheory.probing.measure import Sums
from zotheory.probing.quantities import quantities

D, BATCHES, SIZE = 40, 25, 20


def batches(estimates: np.ndarray, losses: int = 3) -> list[Sums]:
    """Sums over batches of estimates (rows) of the gradient e_1."""
    found = []
    for rows in np.array_split(estimates, BATCHES):
        squares = (rows**2).sum(1)
        along = rows[:, 0]
        cos2 = np.divide(along**2, squares, out=np.zeros(len(rows)), where=squares > 0).sum()
        found.append(
            Sums(
                len(rows),
                rows.sum(0),
                squares.sum(),
                along.sum(),
                (along**2).sum(),
                cos2,
                losses * len(rows),
            )
        )
    return found


def gaussian(mean, noise, seed, size=BATCHES * SIZE):
    return mean + noise * np.random.default_rng(seed).standard_normal((size, D))


def direction(degrees: float, length: float = 1.0) -> np.ndarray:
    """A vector at an angle to e_1."""
    vector = np.zeros(D)
    vector[:2] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return length * vector


@pytest.mark.parametrize("degrees", [0, 30, 90, 150])
def test_intervals_cover_the_truth(degrees):
    length, noise = 2.0, 1.5
    truth = {
        "scale": length * math.cos(math.radians(degrees)),
        "angle": degrees,
        "variance": D * noise**2 / length**2,
    }
    hits = dict.fromkeys(truth, 0)
    for seed in range(200):
        found = quantities(batches(gaussian(direction(degrees, length), noise, seed)))
        for name, value in truth.items():
            interval = getattr(found, name)
            assert interval.low <= interval.value <= interval.high
            hits[name] += interval.low <= value <= interval.high
    assert min(hits.values()) >= 180, hits  # 190 expected; 180 is three deviations below


def test_the_angle_is_not_biased_upwards_as_that_of_the_mean_is():
    found, naive = [], []
    for seed in range(50):
        estimates = gaussian(direction(0), 2.0, seed)
        mean = estimates.mean(0)
        naive.append(math.degrees(math.acos(mean[0] / np.linalg.norm(mean))))
        found.append(quantities(batches(estimates)).angle.low)
    assert min(naive) > 15
    assert sum(low == 0 for low in found) >= 45


def test_a_bias_is_found():
    angle = quantities(batches(gaussian(direction(30), 1.0, 0))).angle
    assert 20 < angle.low < 30 < angle.high < 40


def test_the_relative_variance_is_about_the_mean_not_about_the_gradient():
    found = quantities(batches(gaussian(direction(60, 4.0), 0.5, 0)))
    assert found.variance.low < D * 0.5**2 / 16 < found.variance.high


def test_cosines_and_efficiency():
    found = quantities(batches(gaussian(0.0, 1.0, 0), losses=5))
    assert found.losses == 5
    assert found.cos2.low < 1 / D < found.cos2.high
    assert found.efficiency.value == pytest.approx(found.cos2.value * D / 4)


def test_noise_without_a_mean_has_no_finite_variance_and_any_angle():
    unbounded = 0
    for seed in range(20):
        found = quantities(batches(gaussian(0.0, 1.0, seed)))
        unbounded += math.isinf(found.variance.high) and found.angle.high > 120
    assert unbounded >= 18


@pytest.mark.parametrize("losses", [0, 1])
def test_one_loss_value_or_none_has_no_efficiency(losses):
    found = quantities(batches(gaussian(1.0, 1.0, 0), losses)).efficiency
    assert all(math.isnan(x) for x in (found.value, found.low, found.high))


def test_nothing_but_zeros():
    found = quantities(batches(np.zeros((BATCHES * 2, D))))
    assert (found.scale.value, found.cos2.value, found.efficiency.value) == (0, 0, 0)
    assert math.isnan(found.variance.value)
    assert (found.angle.low, found.angle.high) == (0, 180)


def test_an_exact_gradient_has_no_spread():
    found = quantities(batches(np.tile(direction(0), (100, 1))))
    assert found.scale.low == pytest.approx(found.scale.high) == 1
    assert found.angle.high < 1e-3
    assert found.variance.high < 1e-9


def test_an_ascent_direction_taken_for_descent_has_an_obtuse_angle():
    assert quantities(batches(gaussian(direction(180), 0.5, 0))).angle.low > 150
