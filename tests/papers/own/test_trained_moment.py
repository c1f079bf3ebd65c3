import numpy as np
import pytest

from zotheory.papers.own.adam_error import TrainedMoment
from zotheory.papers.tezo.second_moment import AccumulatedCoordinate


def test_one_factor_is_separable():
    error = TrainedMoment(3, 4, 1, steps=10, beta2=0.8)(np.random.default_rng(0), 3)
    assert error == pytest.approx(np.zeros(3), abs=1e-12)


def test_the_code_that_trains_agrees_with_the_reduced_sampler():
    beta2, steps = 0.6, 16
    trained = TrainedMoment(16, 16, 6, steps, beta2)(np.random.default_rng(0), 60)
    reduced = AccumulatedCoordinate((16,), 6, steps, beta2)(np.random.default_rng(1), 4000)[:, 0]
    reduced = reduced * np.sum(((1 - beta2) * beta2 ** np.arange(steps)) ** 2)
    assert trained.mean() == pytest.approx(reduced.mean(), abs=4.5 * reduced.std() / 60**0.5)
    assert trained.std() > 0
