"""The two-sample test says yes and no, also where the first two moments agree."""

import numpy as np
import pytest

from zotheory.montecarlo import MonteCarlo
from zotheory.papers.shared.two_sample import Features, one_law


def normal(rng, size):
    return rng.standard_normal((size, 2))


def signs(rng, size):
    """Mean 0 and covariance I, as `normal` has them."""
    return rng.choice([-1.0, 1.0], (size, 2))


def rotated(rng, size):
    return normal(rng, size) @ np.array([[0.6, 0.8], [-0.8, 0.6]])


def verdict(second) -> str:
    measurement = one_law("here", normal, second, 0.05, 1_000, 32)
    shards = MonteCarlo(seed=0).run("x", measurement.sampler, range(16), measurement.shard_size)
    return measurement.decide(shards, alpha=1e-4).verdict


def test_one_law_is_confirmed_and_another_refuted():
    assert verdict(rotated) == "confirmed"
    assert verdict(signs) == "refuted"


def test_features_are_bounded_differences():
    rows = Features(normal, signs)(np.random.default_rng(0), 500)
    assert rows.shape == (500, 6)
    assert np.abs(rows).max() <= 1
    assert np.abs(rows).max() > 0.1


def test_centres_do_not_depend_on_the_samples():
    features = Features(normal, normal)._features()
    again = Features(normal, normal)._features()
    x = np.ones((1, 2))
    assert features(x) == pytest.approx(again(x))
