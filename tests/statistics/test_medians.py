"""The median's interval: coverage, and too few values."""

import numpy as np
import pytest

from zotheory.statistics.intervals import median_interval


@pytest.mark.parametrize(
    ("n", "alpha", "kept"),
    [(2, 0.5, 0), (15, 1e-4, 0), (21, 1e-4, 1), (5, 0.4, 1)],  # 2 P(Bin(5, 1/2) <= 1) = 0.375
)
def test_which_order_statistics_bound_it(n, alpha, kept):
    values = np.random.default_rng(0).permutation(n).astype(float)
    assert median_interval(values, alpha) == (kept, n - 1 - kept)


def test_it_misses_the_median_as_rarely_as_stated():
    """Of a skewed law; 2 P(Bin(15, 1/2) <= 3) = 3.5%."""
    rng, alpha, runs = np.random.default_rng(1), 0.05, 4000
    draws = rng.exponential(size=(runs, 15))
    ends = np.array([median_interval(row, alpha) for row in draws])
    missed = np.mean((ends[:, 0] > np.log(2)) | (ends[:, 1] < np.log(2)))
    assert 0.02 < missed < 0.05


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 14, [1.0] * 20 + [float("nan")]])
def test_too_few_or_broken_values_are_refused(values):
    with pytest.raises(ValueError, match="median"):
        median_interval(values, 1e-4)
