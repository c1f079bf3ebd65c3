"""A heavy-tailed law with known moments, and how often intervals miss its mean."""

import numpy as np
from scipy import stats

from zotheory.montecarlo import Accumulator, stream

# X = (tau u v)^2 for three standard normals: E X^p = (E z^(2p))^3 = 1, 3^3, 15^3, 105^3.
MEAN = 1.0
VARIANCE = 3**3 - 1
KURTOSIS = (105**3 - 4 * 15**3 + 6 * 3**3 - 3) / VARIANCE**2


def product(rng: np.random.Generator, size: int) -> np.ndarray:
    return (rng.standard_normal((size, 3)) ** 2).prod(axis=1)


def exponential(rng: np.random.Generator, size: int) -> np.ndarray:
    """Mean 1, variance 1, kurtosis 9."""
    return rng.standard_exponential(size)


def rare(rng: np.random.Generator, size: int) -> np.ndarray:
    """1 with probability 0.02, else uniform in [0, 0.01]: mean 0.0249."""
    return np.where(rng.random(size) < 0.02, 1.0, rng.random(size) / 100)


RARE_MEAN = 0.02 + 0.98 * 0.005


def draw(sampler, seed, shards, size):
    return [Accumulator.of(sampler(stream(seed, "test", s), size)) for s in range(shards)]


def misses(method, sampler, mean, *, alpha, seeds, shards, size):
    """Over independent seeds, how often the interval lies below or above the mean."""
    count = 0
    for seed in range(seeds):
        interval = method(draw(sampler, seed, shards, size), alpha)
        count += bool((interval.lower > mean).any() or (interval.upper < mean).any())
    return count


def more_often_than(alpha, count, trials):
    """p-value for "the probability of a miss is at most alpha"."""
    return stats.binomtest(count, trials, alpha, alternative="greater").pvalue
