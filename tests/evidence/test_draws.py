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
    optimizer = estimators.tezo(weights, rank=2, seed=0)
    first = draw(optimizer, closure(weights), 5, seed=1)
    assert np.array_equal(first, draw(optimizer, closure(weights), 5, seed=1))
    assert not np.array_equal(first, draw(optimizer, closure(weights), 5, seed=2))
    assert not optimizer.steps
    assert all((weight == 0).all() for weight in weights)


def test_factors_are_fresh_until_a_step_keeps_them(weights):
    matrix = weights[0]
    optimizer = estimators.tezo([matrix], lr=0.0, rank=1, seed=0)

    def ranks():
        return np.linalg.matrix_rank(draw(optimizer, lambda: matrix.sum(), 6))

    assert ranks() == 6
    optimizer.step(lambda: matrix.sum())
    assert ranks() == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optimizer": estimators.mezo}, "optimizer must be an optimiser that a recipe"),
        ({"closure": 1.0}, "closure must be a function, got 1.0"),
        ({"samples": 2.5}, "samples must be a whole number of at least 1, got 2.5"),
        ({"seed": "0"}, "seed must be a whole number of at least 0, got '0'"),
    ],
)
def test_what_cannot_be_drawn_from_is_told(weights, changes, expected):
    optimizer = estimators.mezo(weights, seed=0)
    values = {"optimizer": optimizer, "closure": closure(weights), "samples": np.int64(2)}
    assert draw(**values).shape == (2, 10)
    with pytest.raises(ValueError, match=expected):
        draw(**values | changes)


def test_nothing_to_draw_is_refused(weights):
    with pytest.raises(ValueError, match="at least 1"):
        draw(estimators.mezo(weights), closure(weights), 0)
