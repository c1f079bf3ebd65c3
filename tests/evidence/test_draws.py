"""Repeated estimates: fresh, reproducible, and the estimator's own."""

import numpy as np
import pytest
import torch

import estimators
from zotheory.evidence.draws import draw


@pytest.fixture
def weights():
    return [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 2), (4,))]


def closure(weights):
    return lambda: weights[0].sum() - weights[1][0]


def test_rows_are_estimates_of_all_parameters_side_by_side(weights):
    draws = draw(estimators.mezo(weights), closure(weights), 4_000)
    assert draws.shape == (4_000, 10)
    gradient = np.array([1] * 6 + [-1] + [0] * 3)
    error = draws.mean(axis=0) - gradient
    assert np.abs(error).max() < 5 * draws.std(axis=0).max() / np.sqrt(4_000)


def test_the_seed_alone_decides_and_nothing_is_changed(weights):
    optimizer = estimators.tezo(weights, rank=2)
    first = draw(optimizer, closure(weights), 5, seed=1)
    assert np.array_equal(first, draw(optimizer, closure(weights), 5, seed=1))
    assert not np.array_equal(first, draw(optimizer, closure(weights), 5, seed=2))
    assert not optimizer.steps
    assert all((weight == 0).all() for weight in weights)


def test_factors_are_fresh_until_a_step_keeps_them(weights):
    matrix = weights[0]
    optimizer = estimators.tezo([matrix], lr=0.0, rank=1)

    def ranks():
        return np.linalg.matrix_rank(draw(optimizer, lambda: matrix.sum(), 6))

    assert ranks() == 6
    optimizer.step(lambda: matrix.sum())
    assert ranks() == 1


def test_nothing_to_draw_is_refused(weights):
    with pytest.raises(ValueError, match="at least 1"):
        draw(estimators.mezo(weights), closure(weights), 0)
