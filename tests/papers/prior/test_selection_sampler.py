"""Reduced samplers against the estimators and against exact moments."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from proofs_check.cards import card
from proofs_check.cards.ratio import number
from zotheory.papers.prior.selection import (
    Beside,
    CovarianceFails,
    GuidedMean,
    PlainEstimate,
    Reduced,
    Statistic,
    Trained,
    across,
    along,
    ratio,
    scaled_cosine,
    squared_ratio,
)

METHODS = [("plain", 1), ("plain", 3), ("greedy", 4), ("guided", 2), ("guided", 4), ("guided", 8)]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("method", "k"), METHODS)
def test_reduced_and_trained_agree_in_law(method, k):
    """Both parts, and their ratio: Kolmogorov and Smirnov on 800 against 30,000 draws."""
    trained, reduced = Trained(method, k, 5)(rng(1), 800), Reduced(method, k, 5)(rng(2), 30_000)
    assert trained.shape == (800, 2)
    for part in (lambda x: x[:, 0], lambda x: x[:, 1], lambda x: x[:, 0] / x[:, 1]):
        assert ks_2samp(part(trained), part(reduced)).pvalue > 1e-4


def test_the_comparison_can_fail():
    trained, reduced = (
        Trained("guided", 4, 5)(rng(1), 800),
        Reduced("greedy", 4, 5)(rng(2), 30_000),
    )
    assert ks_2samp(trained[:, 0], reduced[:, 0]).pvalue < 1e-6


@pytest.mark.parametrize(("method", "k"), METHODS)
def test_reduced_has_the_moments_of_the_cards(method, k):
    d, size = 6, 200_000
    name, sizes = {
        "plain": ("averaged", {"q": k}),
        "greedy": ("greedy", {"candidates": k}),
        "guided": ("guiding_vector", {"candidates": k, "best": k // 2}),
    }[method]
    theory = card(name, m=d, n=1, **sizes)
    parts = Reduced(method, k, d)(rng(), size)
    close(parts[:, 0], number(theory.scale))
    second = (1 + number(theory.relative_variance)) * number(theory.scale) ** 2
    close((parts**2).sum(axis=1), second)
    if theory.cos2 is not None:
        close(scaled_cosine(parts, Reduced(method, k, d)) / d, number(theory.cos2))


def close(values, mean):
    assert abs(values.mean() - mean) < 5 * values.std() / len(values) ** 0.5


def test_statistics():
    parts = np.array([[2.0, 4.0]])
    source = Reduced("guided", 4, 10)
    assert along(parts, source) == 2
    assert ratio(parts, source) == 1.5
    assert squared_ratio(parts, source) == 7 / 4
    assert scaled_cosine(parts, source) == 2
    assert across(parts, source) == 4 * 16 / 2


def test_across_is_lemma_4_s_n():
    """||N||^2 ~ 2s chi2_(d-1), independently of the part along g."""
    values = Statistic(Reduced("guided", 8, 4), across)(rng(), 50_000)
    close(values, 2 * 4 * 3)
    assert values.var() == pytest.approx((2 * 4) ** 2 * 2 * 3, rel=0.05)


def test_columns_beside_each_other_are_independent():
    statistic = Statistic(Reduced("plain", 2, 5), along)
    found = Beside(statistic, statistic)(rng(), 20_000)
    assert found.shape == (20_000, 2)
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.03


def test_plain_estimates_are_unbiased():
    source = Trained("plain", 4, 3)
    found = PlainEstimate(source)(rng(), 600)
    assert found.shape == (600, 4)
    for column, mean in zip(found.T, [*source.gradient, 2 / 4], strict=True):
        close(column, mean)


def test_the_guiding_vector_points_downhill_and_the_estimate_uphill():
    source = Trained("guided", 4, 4)
    for power, sign in ((1, -1), (2, 1)):
        found = GuidedMean(source, power)(rng(), 400)
        assert np.sign(found[:, 0].mean()) == -sign  # the column is minus the part along g
        close(found[:, 1], 0)
        assert (found[:, 1] == -found[:, 2]).all()


@pytest.mark.parametrize(("d", "k"), [(6, 3), (6, 6), (4, 40)])
def test_the_covariance_sampler_has_the_law_of_the_norm(d, k):
    sampler = CovarianceFails(d, k, 0.5)
    reduced = [sampler._error(rng(seed)) for seed in range(600)]
    z = rng(1).standard_normal((600, k, d))
    dense = np.linalg.norm(z.transpose(0, 2, 1) @ z / k - np.eye(d), 2, axis=(1, 2))
    assert ks_2samp(reduced, dense).pvalue > 1e-4
    assert set(sampler(rng(), 20)) <= {0.0, 1.0}
    if k < d:
        assert min(reduced) >= 1
