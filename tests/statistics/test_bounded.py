import numpy as np
import pytest
from scipy import stats

from tests.statistics.heavy import (
    RARE_MEAN,
    draw,
    exponential,
    misses,
    more_often_than,
    product,
    rare,
)
from zotheory.montecarlo import Accumulator, merge
from zotheory.statistics import Bernstein, BettingLower, ClopperPearson


def coin(rng, size):
    return rng.random(size) < 0.03


@pytest.mark.parametrize(
    ("method", "sampler", "mean", "seeds", "shards", "size"),
    [
        (Bernstein(), rare, RARE_MEAN, 300, 10, 40),
        (BettingLower(), product, 1.0, 300, 40, 1),
        (BettingLower(), product, 1.0, 300, 15, 30),
        (ClopperPearson(), coin, 0.03, 300, 5, 20),
    ],
)
def test_coverage(method, sampler, mean, seeds, shards, size):
    count = misses(method, sampler, mean, alpha=0.05, seeds=seeds, shards=shards, size=size)
    assert more_often_than(0.05, count, seeds) > 0.01


@pytest.mark.parametrize("method", [Bernstein(), ClopperPearson()])
def test_intervals_shrink_round_the_mean(method):
    found = method(draw(coin, 0, 2000, 1000), 0.01)
    assert found.lower < 0.03 < found.upper
    assert found.upper - found.lower < 0.002


def test_the_lower_bound_approaches_the_mean():
    small, large = (BettingLower()(draw(exponential, 0, n, 100), 1e-4) for n in (30, 1000))
    assert 0.6 < small.lower < large.lower < 1
    assert large.lower > 0.97
    assert large.upper == np.inf


def test_betting_holds_at_every_number_of_shards_at_once():
    count, seeds = 0, 200
    for seed in range(seeds):
        shards = draw(product, seed, 32, 1)
        count += any(BettingLower()(shards[:n], 0.05).lower > 1 for n in (1, 2, 4, 8, 16, 32))
    assert more_often_than(0.05, count, seeds) > 0.01


@pytest.mark.parametrize("hits", [0, 1, 37, 99, 100])
def test_clopper_pearson_agrees_with_scipy(hits):
    x = np.arange(100) < hits
    found = ClopperPearson()([Accumulator.of(x[:30]), Accumulator.of(x[30:])], 0.01)
    expected = stats.binomtest(hits, 100).proportion_ci(0.99, method="exact")
    np.testing.assert_allclose([found.lower, found.upper], expected, atol=1e-9)


def test_bernstein_by_hand():
    x = np.random.default_rng(0).uniform(2, 6, 500)
    found = Bernstein(2.0, 6.0)([Accumulator.of(part) for part in x.reshape(5, 100)], 0.05)
    unit = (x - 2) / 4
    level = np.log(2 / 0.025)
    radius = np.sqrt(2 * unit.var(ddof=1) * level / 500) + 7 * level / (3 * 499)
    np.testing.assert_allclose(found.upper, 2 + 4 * (unit.mean() + radius), rtol=1e-12)
    np.testing.assert_allclose(found.lower, 2 + 4 * (unit.mean() - radius), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 50])
def test_the_lower_bound_has_capital_one_over_alpha(n):
    shards = draw(product, 3, n, 4)
    x = np.array([shard.mean for shard in shards])
    b = float(BettingLower()(shards, 0.02).lower)
    capital = np.mean([np.prod(1 + 0.5**j * (x / b - 1)) for j in range(13)])
    assert capital == pytest.approx(1 / 0.02, rel=1e-6)


def test_only_zeros_have_the_lower_bound_zero():
    assert BettingLower()([Accumulator.of(np.zeros(3))] * 4, 0.05).lower == 0


def test_columns():
    x = np.random.default_rng(0).random((20, 10, 2))
    shards = [Accumulator.of(part) for part in x]
    for method in (Bernstein(), BettingLower()):
        found = method(shards, 0.1)
        alone = method([Accumulator.of(part[:, 1]) for part in x], 0.05)
        np.testing.assert_allclose(found.lower[1], alone.lower, rtol=1e-9)
        np.testing.assert_allclose(found.upper[1], alone.upper, rtol=1e-9)
        np.testing.assert_allclose(found.estimate, merge(shards).mean, rtol=1e-12)


@pytest.mark.parametrize("method", [Bernstein(), ClopperPearson()])
@pytest.mark.parametrize(
    "samples", [np.array([0.0, 1.5, 0.5]), np.array([-0.2, 0.0, 0.3]), np.array([-0.5, 1.5])]
)
def test_values_out_of_range_are_noticed(method, samples):
    with pytest.raises(ValueError, match="values"):
        method([Accumulator.of(samples)] * 3, 0.05)


def test_bad_input():
    with pytest.raises(ValueError, match="low < high"):
        Bernstein(1.0, 1.0)
    with pytest.raises(ValueError, match="low < high"):
        Bernstein(0.0, np.inf)
    with pytest.raises(ValueError, match="two samples"):
        Bernstein()([Accumulator.of(np.ones(1))], 0.05)
    with pytest.raises(ValueError, match="negative"):
        BettingLower()([Accumulator.of(-np.ones(1))], 0.05)
