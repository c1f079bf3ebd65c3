import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr

from zotheory.model.gradients import Weight
from zotheory.model.study import GradientStudy
from zotheory.papers.tezo.measurements import (
    pairwise_cosines,
    random_directions,
    rank_correlation,
    spearman_interval,
    threshold_rank,
    top_share,
)


def test_threshold_rank_counts_strictly_above():
    assert threshold_rank([4, 2, 1.01, 1.0, 0.5]) == 3
    assert threshold_rank([4, 2, 1.01, 1.0, 0.5], threshold=0.5) == 1


@pytest.mark.parametrize("spectrum", [[], [0, 0], [1, np.nan], [1, 2], [[1, 2]], [-1, -2]])
def test_bad_spectra(spectrum):
    for measure in (threshold_rank,):
        with pytest.raises(ValueError, match=r"spectrum|order"):
            measure(spectrum)


@pytest.mark.parametrize("threshold", [0, 1, float("nan")])
def test_bad_threshold(threshold):
    with pytest.raises(ValueError, match="threshold"):
        threshold_rank([1, 0.5], threshold)


def test_pairwise_cosines():
    similarity = [[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]
    assert sorted(pairwise_cosines(similarity)) == [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="square"):
        pairwise_cosines([[1.0]])


def test_top_share_of_known_stacks():
    assert top_share(np.eye(25)) == pytest.approx(5 / 25)
    assert top_share(np.eye(24)) == pytest.approx(5 / 24)  # ceil(4.8)
    assert top_share(np.ones((10, 10))) == pytest.approx(1)
    equal = np.full((25, 25), 0.2) + 0.8 * np.eye(25)
    assert top_share(equal) == pytest.approx((1 + 24 * 0.2 + 4 * 0.8) / 25)
    for bad in (0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="fraction"):
            top_share(np.eye(4), bad)


def test_top_share_is_that_of_the_stacked_gradients():
    stack = np.random.default_rng(0).normal(size=(30, 10))
    stack /= np.linalg.norm(stack, axis=0)
    squares = np.linalg.svd(stack, compute_uv=False) ** 2
    assert top_share(stack.T @ stack) == pytest.approx(squares[:2].sum() / squares.sum())


def test_random_directions_agree_with_random_directions():
    batches, entries, draws = 10, 400, 300
    rng = np.random.default_rng(0)
    means, shares = [], []
    for _ in range(draws):
        stack = rng.normal(size=(batches, entries))
        stack /= np.linalg.norm(stack, axis=1, keepdims=True)
        similarity = stack @ stack.T
        means.append(pairwise_cosines(similarity).mean())
        shares.append(top_share(similarity))
    null = random_directions(batches, entries)
    assert np.std(means) == pytest.approx(null.mean_cosine_sd, rel=0.15)
    assert abs(np.mean(means)) < 5 * null.mean_cosine_sd / np.sqrt(draws)
    assert null.top_share < np.mean(shares) < null.top_share_edge
    with pytest.raises(ValueError, match="batches"):
        random_directions(1, 10)


def spectrum_of_rank(rank, width=12):
    return np.where(np.arange(width) < rank, 1.0, 0.01)


def study_with(ranks, modules):
    """A study whose gradients have the given ranks; its last batch was not measured throughout."""
    weights = tuple(Weight(f"{module}{i}", i, module, (12, 20)) for i, module in enumerate(modules))
    unmeasured = np.full(12, np.nan)
    spectra = {
        w.name: np.stack(
            [spectrum_of_rank(r), spectrum_of_rank(r + 2), spectrum_of_rank(1) if i else unmeasured]
        )
        for i, (w, r) in enumerate(zip(weights, ranks, strict=True))
    }
    return GradientStudy(0, 1, "vocabulary", 0.0, weights, np.zeros(3), spectra, {})


def correlate(weight_ranks, gradient_ranks, modules):
    study = study_with(gradient_ranks, modules)
    spectra = {
        w.name: spectrum_of_rank(r) for w, r in zip(study.weights, weight_ranks, strict=True)
    }
    return rank_correlation(spectra, study)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    weight_ranks, gradient_ranks = rng.integers(1, 9, size=(2, 14))
    modules = ["q_proj"] * 7 + ["k_proj"] * 7
    result = correlate(weight_ranks, gradient_ranks, modules)
    np.testing.assert_array_equal(result.weight_ranks, weight_ranks)
    np.testing.assert_array_equal(result.gradient_ranks, gradient_ranks + 1)
    assert result.pooled == pytest.approx(spearmanr(weight_ranks, gradient_ranks).statistic)
    first = spearmanr(weight_ranks[:7], gradient_ranks[:7]).statistic
    second = spearmanr(weight_ranks[7:], gradient_ranks[7:]).statistic
    assert result.within == pytest.approx({"q_proj": first, "k_proj": second})
    assert result.within_mean == pytest.approx((first + second) / 2)


def test_the_rank_of_a_weight_is_the_least_of_its_block():
    modules = ["q_proj", "k_proj"] * 3
    study = study_with([1, 2, 3, 4, 5, 6], modules)
    blocks = [dataclasses.replace(w, layer=i // 2) for i, w in enumerate(study.weights)]
    study = dataclasses.replace(study, weights=tuple(blocks))
    own = dict(zip((w.name for w in blocks), (5, 3, 2, 8, 7, 9), strict=True))
    found = rank_correlation({name: spectrum_of_rank(r) for name, r in own.items()}, study)
    assert found.weight_ranks.tolist() == [3, 3, 2, 2, 7, 7]


def test_a_correlation_between_types_only_is_told_apart():
    # Both ranks are high for one type and low for the other, and fall against each other inside.
    weight_ranks = [1, 2, 3, 4, 5, 6, 7, 8]
    gradient_ranks = [4, 3, 2, 1, 8, 7, 6, 5]
    result = correlate(weight_ranks, gradient_ranks, ["k_proj"] * 4 + ["q_proj"] * 4)
    assert result.pooled > 0.5
    assert result.within_mean == pytest.approx(-1)


def test_constant_ranks_give_no_correlation():
    result = correlate([1, 2, 3, 4], [2, 2, 2, 2], ["q_proj"] * 4)
    assert np.isnan(result.pooled)
    assert np.isnan(result.within_mean)


def test_rank_correlation_needs_four_matrices():
    with pytest.raises(ValueError, match="four"):
        correlate([1, 2, 3], [1, 2, 3], ["q_proj"] * 3)


def test_spearman_interval_covers():
    low, high = spearman_interval(0.5, 30)
    assert low < 0.5 < high
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(600, 40))
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's rho of a Gaussian pair
    covered = 0
    for pair in draws:
        low, high = spearman_interval(spearmanr(*pair.T).statistic, 40)
        covered += low < truth < high
    assert covered / 600 == pytest.approx(0.95, abs=0.03)
