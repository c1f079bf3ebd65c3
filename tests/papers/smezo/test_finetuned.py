"""The interval for batches drawn anew, on runs whose weights swing with the batches they see."""

import numpy as np
import pytest
from scipy.stats import binom

from zotheory.evidence.compared import Quantity
from zotheory.evidence.modelled import what_it_takes
from zotheory.papers.smezo.finetuned import STEPS, average_over

BATCHES, NOISE = 4, 0.7
RUNS, MISSED = 400, 0.01


def normal(rng, *size):
    return rng.standard_normal(size)


def skewed(rng, *size):
    return rng.exponential(1.0, size) - 1


def swinging(along, drawn, rng):
    """A step on a batch takes most of what it shows back, and overshoots at times."""
    return along - 0.9 * drawn + 0.3 * rng.standard_normal()


def settling(along, drawn, rng):
    """Weights near where batches disagree: the law of pairs is degenerate there."""
    return 0.8 * along - 0.3 * drawn


def share(cosines):
    return 0.5 + np.arcsin(np.clip(cosines, -1, 1)) / np.pi


def unit_parts(along):
    """Of gradients that share one direction and have NOISE of their own: cos = part times part."""
    return along / np.sqrt(along**2 + NOISE**2)


def truth(law, seed=0):
    """E share(cosine of two batches) as a function of what all batches have in common."""
    rng, at = np.random.default_rng(seed), np.linspace(-8, 8, 161)
    draws = law(rng, 1500)
    found = []
    for common in at:
        parts = unit_parts(common + draws)
        shares = share(np.outer(parts, parts))
        found.append((shares.sum() - np.trace(shares)) / (len(parts) * (len(parts) - 1)))
    return lambda common: np.interp(common, at, found)


def run(law, moves, expected, rng):
    """Cosines at every step, and the average of what they are expected to give at its weights."""
    common, cosines, target = rng.standard_normal(), [], []
    for _ in STEPS:
        along = common + law(rng, BATCHES)
        parts = unit_parts(along)
        cosines.append(np.outer(parts, parts) * (1 - np.eye(BATCHES)) + np.eye(BATCHES))
        target.append(expected(common))
        common = moves(common, along[0], rng)  # the first batch is the one trained on
    return cosines, np.mean(target)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("law", "moves"), [(normal, swinging), (skewed, swinging)])
def test_the_interval_covers_what_batches_drawn_anew_would_give(law, moves):
    """In runs whose training batches are among those looked at, and move the weights."""
    rng, expected = np.random.default_rng(1), truth(law)
    missed = as_if_independent = 0
    for _ in range(RUNS):
        cosines, target = run(law, moves, expected, rng)
        found = average_over(cosines, share, MISSED)
        missed += not found.low <= target <= found.high
        pairs = np.array([share(c[np.triu_indices(BATCHES, 1)]) for c in cosines])
        error = np.sqrt(pairs.var(axis=1, ddof=1).sum() / pairs.shape[1]) / len(pairs)
        as_if_independent += abs(found.value - target) > 2.58 * error
    assert missed <= binom.ppf(1 - 1e-6, RUNS, MISSED)
    assert as_if_independent > 4 * RUNS * MISSED  # pairs that share a batch are not independent


def test_it_covers_where_the_law_of_pairs_is_degenerate():
    rng, expected, missed = np.random.default_rng(2), truth(normal), 0
    for _ in range(RUNS):
        cosines, target = run(normal, settling, expected, rng)
        found = average_over(cosines, share, MISSED)
        missed += not found.low <= target <= found.high
    assert missed <= binom.ppf(1 - 1e-6, RUNS, MISSED)


def test_the_jackknife_leaves_a_batch_out_at_a_time():
    """By its definition, at two numbers of batches."""
    rng, phases, variance = np.random.default_rng(3), [], 0.0
    for count in (4, 6):
        parts = rng.uniform(-1, 1, count)
        cosines = np.outer(parts, parts) * (1 - np.eye(count)) + np.eye(count)
        kept = (np.delete(np.arange(count), i) for i in range(count))
        pairs = np.triu_indices(count - 1, 1)
        without = np.array([share(cosines[np.ix_(k, k)][pairs]).mean() for k in kept])
        variance += (count - 1) / count * np.sum((without - without.mean()) ** 2) / 4
        phases.append(cosines)
    found = average_over(phases, share, 0.05)
    means = [share(c[np.triu_indices(len(c), 1)]).mean() for c in phases]
    assert found.value == pytest.approx(np.mean(means))
    assert found.values == pytest.approx(means)
    for end, sign in ((found.low, -1), (found.high, 1)):
        assert end == pytest.approx(found.value + sign * 4.302653 * variance**0.5)  # t, 2 freedoms


def test_what_would_decide_is_told_where_a_bound_is_within():
    found = Quantity(0.6, 0.5, 0.7)
    assert "4.0 times" in what_it_takes(found, [0.45, 0.65])
    assert what_it_takes(found, [0.45, 0.75]) == ""
