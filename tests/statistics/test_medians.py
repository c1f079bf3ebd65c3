"""The median's interval: its martingale, coverage at every number of values, too few of them."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from zotheory.statistics.intervals import fewest_for_a_median, log_sign_ratio, median_interval


@pytest.mark.parametrize(
    ("n", "alpha", "kept"),
    [(17, 1e-4, 0), (21, 1e-4, 0), (22, 1e-4, 1), (36, 1e-4 / 6, 3), (2, 0.7, 0)],
)
def test_which_order_statistics_bound_it(n, alpha, kept):
    values = np.random.default_rng(0).permutation(n).astype(float)
    assert median_interval(values, alpha) == (kept, n - 1 - kept)


@pytest.mark.parametrize("alpha", [0.4, 0.05, 1e-4, 1e-6])
def test_the_fewest_values_that_bound_it(alpha):
    n = fewest_for_a_median(alpha)
    assert median_interval(np.arange(n), alpha) == (0, n - 1)
    assert median_interval(np.arange(n - 1), alpha) == (-np.inf, np.inf)


def test_the_ratio_is_a_martingale():
    """Exactly: B(S + 1/2, n - S + 1/2)/pi = C(2S, S) C(2(n - S), n - S)/(C(n, S) 4^n)."""

    def ratio(n, s):
        return Fraction(comb(2 * s, s) * comb(2 * (n - s), n - s), comb(n, s) * 2**n)

    for n in range(12):
        for s in range(n + 1):
            assert np.exp(log_sign_ratio(np.array([s]), n)[0]) == pytest.approx(float(ratio(n, s)))
            assert (ratio(n + 1, s) + ratio(n + 1, s + 1)) / 2 == ratio(n, s)


def bounds(alpha, most):
    """How many of n values lie below the median at the least, while it is inside, n = 1, 2, ..."""
    return np.array(
        [
            np.count_nonzero(log_sign_ratio(np.arange(n / 2), n) >= -np.log(alpha))
            for n in range(1, most + 1)
        ]
    )


def test_it_misses_the_median_as_rarely_as_stated_however_one_stops():
    """20,000 sequences of 400 values, looked at after every value: 4.0% miss at some time.

    Order statistics of a fixed number, at the same 5%, would miss far more often.
    """
    rng, alpha, most = np.random.default_rng(1), 0.05, 400
    below = rng.integers(0, 2, (20_000, most), dtype=np.int16).cumsum(axis=1, dtype=np.int16)
    n, kept = np.arange(1, most + 1), bounds(alpha, most)
    missed = ((below < kept) | (n - below < kept)).any(axis=1)
    assert 0.02 < missed.mean() < alpha
    fixed = 0.5 * (n - 1.96 * np.sqrt(n))  # by the normal law, from ten values on
    assert ((below < fixed) | (n - below < fixed))[:, 10:].any(axis=1).mean() > 4 * alpha


def test_it_is_taken_from_the_values():
    """Of a skewed law, at a number of values where the table above says which."""
    rng, n, alpha = np.random.default_rng(2), 60, 0.05
    (kept,) = bounds(alpha, n)[-1:]
    for _ in range(50):
        values = rng.exponential(size=n)
        low, high = median_interval(values, alpha)
        inside = low <= np.log(2) <= high
        below = np.count_nonzero(values < np.log(2))
        assert inside == (kept <= below <= n - kept)


@pytest.mark.parametrize("values", [[], [1.0] * 20 + [float("nan")]])
def test_broken_values_are_refused(values):
    with pytest.raises(ValueError, match="median"):
        median_interval(values, 1e-4)
