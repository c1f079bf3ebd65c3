import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zotheory.montecarlo import Accumulator, merge


def heavy(size, seed=0):
    return (np.random.default_rng(seed).standard_normal((*np.atleast_1d(size), 3)) ** 2).prod(-1)


@given(
    cuts=st.lists(st.integers(1, 999), max_size=6, unique=True),
    shift=st.sampled_from([0.0, 1e3, -50.0]),
)
def test_merged_moments_are_those_of_all_samples(cuts, shift):
    x = heavy((1000, 2)) + shift
    total = merge(Accumulator.of(part) for part in np.split(x, sorted(cuts)))
    assert total.count == 1000
    np.testing.assert_allclose(total.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(total.variance, x.var(axis=0, ddof=1), rtol=1e-9)


def test_scalar_statistics_have_scalar_shape():
    total = merge([Accumulator.of(heavy(10)), Accumulator.of(heavy(1, seed=1))])
    assert total.count == 11
    assert all(m.shape == () for m in (total.mean, total.m2))


def test_one_sample_has_no_variance():
    assert np.isnan(Accumulator.of(np.array([1.0])).variance)


@pytest.mark.parametrize("samples", [np.ones((2, 2, 2)), np.ones(0), np.ones((3, 0)), 1.0])
def test_bad_shapes(samples):
    with pytest.raises(ValueError, match="shape"):
        Accumulator.of(samples)


def test_merging_different_statistics_or_nothing():
    with pytest.raises(ValueError, match="cannot merge"):
        Accumulator.of(np.ones(3)).merge(Accumulator.of(np.ones((3, 2))))
    with pytest.raises(ValueError, match="no shards"):
        merge([])
