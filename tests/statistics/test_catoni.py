import numpy as np
import pytest
from scipy import stats

from tests.statistics.heavy import MEAN, VARIANCE, draw, misses, more_often_than, product
from zotheory.montecarlo import Accumulator, merge
from zotheory.statistics import Catoni, Interval

SEEDS = 400


def psi(y):
    return np.sign(y) * np.log(1 + np.abs(y) + y**2 / 2)


class Normal:
    """The usual interval, with the sample variance: what is not good enough here."""

    def __call__(self, shards, alpha):
        total = merge(shards)
        radius = stats.norm.isf(alpha / 2) * np.sqrt(total.variance / total.count)
        return Interval(total.mean, total.mean - radius, total.mean + radius)


def test_catoni_covers_a_heavy_tail_where_the_normal_interval_does_not():
    setting = {"alpha": 0.05, "seeds": SEEDS, "shards": 25, "size": 8}
    naive = misses(Normal(), product, MEAN, **setting)
    assert more_often_than(0.05, naive, SEEDS) < 1e-6
    catoni = misses(Catoni(VARIANCE), product, MEAN, **setting)
    assert more_often_than(0.05, catoni, SEEDS) > 0.01


def test_catoni_misses_when_the_variance_is_understated():
    count = misses(Catoni(VARIANCE / 20), product, MEAN, alpha=0.05, seeds=SEEDS, shards=25, size=8)
    assert more_often_than(0.05, count, SEEDS) < 1e-6


@pytest.mark.parametrize("n", [1, 2, 7, 60])
@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_ends_solve_catonis_equation(n, alpha):
    shards = draw(product, 1, n, 10)
    x = np.array([shard.mean for shard in shards])
    v, level = VARIANCE / 10, np.log(2 / alpha)
    a = np.sqrt(2 * level / (n * v))
    threshold = n * np.log(1 + a**2 * v / 2) + level
    found = Catoni(VARIANCE)(shards, alpha)
    total = [psi(a * (x - end)).sum() for end in (found.lower, found.estimate, found.upper)]
    np.testing.assert_allclose(total, [threshold, 0, -threshold], atol=1e-9 * threshold * n)
    assert found.lower < found.estimate < found.upper


def test_catoni_moves_and_scales_with_the_data():
    shards = draw(product, 0, 40, 5)
    moved = draw(lambda rng, size: 3 * product(rng, size) - 7, 0, 40, 5)
    a, b = Catoni(VARIANCE)(shards, 0.01), Catoni(9 * VARIANCE)(moved, 0.01)
    for before, after in ((a.lower, b.lower), (a.estimate, b.estimate), (a.upper, b.upper)):
        np.testing.assert_allclose(after, 3 * before - 7, rtol=1e-9)


def test_width_is_sub_gaussian():
    alpha, n, size = 1e-4, 1000, 200
    found = Catoni(VARIANCE)(draw(product, 0, n, size), alpha)
    half = (found.upper - found.lower) / 2
    assert half == pytest.approx(np.sqrt(2 * VARIANCE * np.log(2 / alpha) / (n * size)), rel=0.02)


def test_columns_share_alpha():
    one = draw(product, 0, 40, 5)
    three = [Accumulator(s.count, *(np.repeat(m, 3) for m in (s.mean, s.m2))) for s in one]
    alone, together = Catoni(VARIANCE)(one, 0.01), Catoni(VARIANCE)(three, 0.03)
    assert together.lower.shape == (3,)
    np.testing.assert_allclose(together.lower, alone.lower, rtol=1e-9)
    np.testing.assert_allclose(together.upper, alone.upper, rtol=1e-9)


def test_variances_of_columns():
    x = np.random.default_rng(0).standard_normal((40, 5, 2)) * [1.0, 10.0]
    found = Catoni(np.array([1.0, 100.0]))([Accumulator.of(part) for part in x], 0.05)
    first = Catoni(1.0)([Accumulator.of(part[:, 0]) for part in x], 0.025)
    np.testing.assert_allclose(found.upper[0], first.upper, rtol=1e-9)
    assert found.upper[1] - found.lower[1] > 5 * (found.upper[0] - found.lower[0])


@pytest.mark.parametrize("variance", [0.0, -1.0, np.nan, np.inf, np.array([1.0, 0.0])])
def test_bad_variance(variance):
    with pytest.raises(ValueError, match="variance must be positive"):
        Catoni(variance)


def test_bad_input():
    shards = draw(product, 0, 4, 5)
    with pytest.raises(ValueError, match="variance has shape"):
        Catoni(np.ones(3))(shards, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        Catoni(1.0)(shards, 0.0)
    with pytest.raises(ValueError, match="shards of one size"):
        Catoni(1.0)([*shards, *draw(product, 0, 1, 6)], 0.05)
    with pytest.raises(ValueError, match="shards of one size"):
        Catoni(1.0)([], 0.05)
