import numpy as np
import pytest

from zotheory.papers.shared.matrix_estimates import Loss, plain
from zotheory.papers.svd0.subspaces import (
    Columns,
    Cosines,
    Kept,
    LeadingShare,
    Projections,
    Reshaped,
    Shares,
    TrainedCosines,
    upper_identity,
)


def rank_one(m: int, n: int) -> Loss:
    return Loss(m, n, linear=(1.0, *[0.0] * (m * n - 1)))


def agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two samples have the same means, up to 5 standard errors."""
    error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    return bool(np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 5 * error + 1e-12))


@pytest.mark.parametrize("queries", [1, 6])
def test_the_reduced_share_is_that_of_the_code_that_trains(queries):
    m, n, r, size = 3, 4, 1, 300
    kept = Kept(("svd0",), rank_one(m, n), (("rank", r), ("queries", queries)))
    trained = kept(np.random.default_rng(0), size)[:, 0]
    reduced = LeadingShare(m, n, r, queries)(np.random.default_rng(1), 40 * size)
    assert agree(trained, reduced)
    other = LeadingShare(m, n, r, 40)(np.random.default_rng(1), size)
    assert not agree(trained, other)


def test_columns_of_shares():
    m, n, r, size = 3, 4, 2, 20_000
    shares = Shares(m, n, r)(np.random.default_rng(0), size)
    kept = Kept(("subzo", "svd0"), plain(m, n), (("rank", r),))(np.random.default_rng(1), 500)
    assert agree(shares, kept)
    everything = Shares(3, 3, 3)(np.random.default_rng(0), 5)
    assert everything == pytest.approx(np.ones((5, 2)))


def test_more_directions_keep_more():
    means = [LeadingShare(16, 16, 2, k)(np.random.default_rng(0), 500).mean() for k in (1, 16, 64)]
    assert means[0] < means[1] < means[2]


def test_projections_have_rank_r_squared():
    m, n, r = 2, 3, 1
    rows = Projections("svd0", plain(m, n), (("rank", r),))(np.random.default_rng(0), 4)
    trace = rows[:, upper_identity(m * n) == 1].sum(axis=1)
    assert trace == pytest.approx(np.full(4, r**2))


def test_columns_of_frames():
    each = Columns(4, 2)(np.random.default_rng(0), 10)
    together = Columns(4, 2, together=True)(np.random.default_rng(0), 10)
    assert each.reshape(10, 2, -1).sum(axis=1) == pytest.approx(together)
    assert each.reshape(10, 2, -1)[:, :, upper_identity(4) == 1].sum(axis=2) == pytest.approx(1.0)


def test_cosines_trained_and_reduced():
    m, n, r = 3, 2, 1
    recipes = ("mezo", "subzo", "svd0")
    trained = TrainedCosines(recipes, m, n, r)(np.random.default_rng(0), 400)
    reduced = Cosines(recipes, m, n, r)(np.random.default_rng(1), 20_000)
    assert agree(trained, reduced)
    assert reduced.mean() == pytest.approx(1 / (m * n), rel=0.03)


@pytest.mark.parametrize("recipe", ["subzo", "svd0"])
def test_only_the_right_order_reshapes(recipe):
    options = (("rank", 2), ("interval", 10**6))
    rng = np.random.default_rng(0)
    assert not Reshaped(recipe, plain(3, 4), options)(rng, 3).any()
    assert (Reshaped(recipe, plain(3, 4), options, "U", "V")(rng, 3) == [1.0, 0.0]).all()
