import numpy as np
import pytest

from zotheory.evidence.draws import Recipe
from zotheory.papers.shared.estimates import (
    AfterOneStep,
    Along,
    Estimates,
    Falls,
    HalfSquare,
    Linear,
    SameSign,
    Sine,
    SlopeInRate,
    SquaredCosines,
    SquaredError,
)

LAYERS = ((0.1, -0.2), (0.3, 0.15))
WEIGHTS = np.concatenate(LAYERS)
DIRECTION = (0.8, 0.6, -0.5, 0.3)
HALF = (("sparsity", 0.5), ("eps", 1.0))


def rng():
    return np.random.default_rng(3)


def reduced(kept, size, eps=1.0):
    """The same estimates with nothing of `estimators`: the definition, vectorised."""
    z = np.random.default_rng(8).standard_normal((size, 4)) * kept
    direction = np.array(DIRECTION)
    plus, minus = (np.sin((WEIGHTS + s * eps * z) @ direction) for s in (1, -1))
    return ((plus - minus) / (2 * eps))[:, None] * z


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("estimates", "kept"),
    [
        (Estimates(Recipe("lezo", HALF), LAYERS, Sine(DIRECTION), (1,)), (1, 1, 0, 0)),
        (Estimates(Recipe("lezo", HALF), LAYERS, Sine(DIRECTION), (0,)), (0, 0, 1, 1)),
        (Estimates(Recipe("s_mezo", HALF), (tuple(WEIGHTS),), Sine(DIRECTION)), (1, 0, 0, 1)),
    ],
)
def test_the_training_code_and_the_definition_agree(estimates, kept):
    found, defined = estimates(rng(), 2500), reduced(kept, 100_000)
    assert np.all(found[:, np.array(kept) == 0] == 0)
    for moment in (lambda x: x, lambda x: x**2):
        a, b = moment(found), moment(defined)
        error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
        assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4.5 * error)
    target = Sine(DIRECTION).smoothed_gradient(WEIGHTS, kept, 1.0)
    error = defined.std(axis=0) / np.sqrt(len(defined))
    assert np.all(np.abs(defined.mean(axis=0) - target) <= 4.5 * error)


def test_rows_are_reproducible_and_fresh():
    estimates = Estimates(Recipe("lezo", HALF), LAYERS, Linear(DIRECTION))
    first, again = estimates(rng(), 20), estimates(rng(), 20)
    assert np.array_equal(first, again)
    assert len({tuple(row) for row in first}) == 20
    assert {tuple(np.flatnonzero(row)) for row in first} == {(0, 1), (2, 3)}


def test_squared_error():
    estimates = Estimates(Recipe("lezo", HALF), LAYERS, Linear(DIRECTION))
    rows = estimates(rng(), 10) - np.array(DIRECTION)
    assert SquaredError(estimates, DIRECTION)(rng(), 10) == pytest.approx((rows**2).sum(axis=1))


def test_along():
    estimates = Estimates(Recipe("lezo", HALF), LAYERS, Linear(DIRECTION))
    columns = Along(estimates, (DIRECTION, (0.0, 0.0, 0.0, 1.0)))(rng(), 10)
    rows = estimates(rng(), 10)
    assert columns[:, 0] == pytest.approx(rows @ np.array(DIRECTION))
    assert np.array_equal(columns[:, 1], rows[:, 3])


def test_after_one_step():
    """Half a square: the gradient is w, and a step of rate 0 changes nothing."""
    estimates = Estimates(Recipe("lezo", HALF), LAYERS, HalfSquare())
    columns = AfterOneStep((estimates, estimates), (0.0, 0.1))(rng(), 10)
    assert columns.shape == (10, 2)
    assert columns[:, 0] == pytest.approx(np.ones(10))
    assert np.any(columns[:, 1] < 1)


def test_falls_slopes_cosines_and_signs_of_the_same_estimates():
    """Each from the rows that the estimates' sampler gives with the same generator."""
    weights, rate = (1.0, -2.0, 0.5), 0.3
    estimates = Estimates(Recipe("mezo"), (weights,), HalfSquare())
    w = np.array(weights)
    rows = estimates(np.random.default_rng(0), 5)
    norms = np.einsum("ij,ij->i", rows, rows)

    def drawn(sampler):
        return sampler(np.random.default_rng(0), 5)

    fall = drawn(Falls(AfterOneStep((estimates,), (rate,))))[:, 0]
    assert fall == pytest.approx((2 * rate * rows @ w - rate**2 * norms) / (w @ w))
    slope = drawn(SlopeInRate((estimates,), (rate,)))[:, 0]
    assert slope == pytest.approx((rows @ w - rate * norms) / (w @ w))
    cosines = drawn(SquaredCosines((estimates,), weights))[:, 0]
    assert cosines == pytest.approx((rows @ w) ** 2 / (norms * (w @ w)))
    assert (drawn(SameSign(estimates, weights)) == (rows * w > 0)).all()
