import numpy as np

from zotheory.papers.svd0.comparisons import SpectrumCosines


def test_the_difference_is_that_of_two_independent_cosines():
    sampler = SpectrumCosines(5, 6, (1.0, 0.5, 0.1, 0.0, 0.0), top=3)
    found = sampler(np.random.default_rng(0), 400)
    assert found.shape == (400,)
    assert np.abs(found).max() <= 1
    assert found.std() > 0  # not the same noise twice
    assert abs(found.mean()) < 5 * found.std() / 20


def test_an_estimate_with_other_singular_values_is_told_apart():
    """The statistic itself sees a low-rank matrix."""
    sampler = SpectrumCosines(5, 6, (1.0, 0.0, 0.0, 0.0, 0.0), top=3)
    gradient = np.zeros((5, 6))
    gradient[0, 0] = 1.0
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 20, 6, 1))
    low_rank = left[:, :5] @ right.transpose(0, 2, 1)
    noise = rng.standard_normal((20, 5, 6))
    assert sampler._cosines(low_rank, gradient).min() > 0.999
    assert sampler._cosines(noise, gradient).max() < 0.95
