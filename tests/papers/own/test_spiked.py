import numpy as np
import pytest

from zotheory.papers.own.svd0_threshold import (
    MeanOverlaps,
    Overlaps,
    TrainedOverlaps,
    predicted_overlaps,
    top_pair,
)


def test_the_top_pair_is_that_of_the_svd():
    for shape in ((5, 8), (8, 5), (1, 4)):
        matrix = np.random.default_rng(0).standard_normal(shape)
        left, _, right = np.linalg.svd(matrix)
        found = top_pair(matrix)
        assert abs(found[0] @ left[:, 0]) == pytest.approx(1)
        assert abs(found[1] @ right[0]) == pytest.approx(1)


def test_predictions():
    assert predicted_overlaps(100, 100, 100) == (0.0, 0.0)
    assert predicted_overlaps(200, 100, 100) == pytest.approx((0.5, 0.5))
    assert predicted_overlaps(90, 20, 300) == pytest.approx(predicted_overlaps(90, 300, 20)[::-1])
    assert predicted_overlaps(1e9, 30, 40) == pytest.approx((1, 1))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("shape", [(6, 6), (4, 9)])
def test_the_reduced_sampler_agrees_with_the_code_that_trains(shape):
    reduced = Overlaps(*shape, 10)(np.random.default_rng(0), 4000)
    trained = TrainedOverlaps(*shape, 10)(np.random.default_rng(1), 400)
    error = 4.5 * reduced.std(axis=0).max() / 400**0.5
    assert trained.mean(axis=0) == pytest.approx(reduced.mean(axis=0), abs=error)


def test_a_large_matrix_is_as_predicted():
    found = Overlaps(100, 200, 400)(np.random.default_rng(0), 40).mean(axis=0)
    assert found == pytest.approx(predicted_overlaps(400, 100, 200), abs=0.05)


def test_columns_are_sizes():
    rows = MeanOverlaps(((20, 20, 80), (5, 5, 1)))(np.random.default_rng(0), 30)
    assert rows.shape == (30, 2)
    assert rows[:, 0].mean() > rows[:, 1].mean()
