import numpy as np
import pytest

from zotheory.papers.own.tezo_floor import TrainedDescent
from zotheory.papers.tezo.descent import FrozenDescent


def test_the_code_that_trains_reaches_the_reduced_sampler_s_floor():
    trained = TrainedDescent(2, 3, 2, steps=40)(np.random.default_rng(0), 80)
    reduced = FrozenDescent(2, 3, 2, steps=40)(np.random.default_rng(1), 20_000)
    assert np.all((trained >= 0) & (trained <= 1))
    assert trained.mean() == pytest.approx(reduced.mean(), abs=5 * reduced.std() / 80**0.5)


def test_a_scalar_is_learned():
    assert TrainedDescent(1, 1, 1, steps=60)(np.random.default_rng(0), 5).max() < 1e-3
