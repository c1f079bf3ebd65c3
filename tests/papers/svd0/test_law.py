import numpy as np
import pytest

from proofs_check.cards.invariance import NotInvariant
from zotheory.papers.svd0.law import Covariances, Runs, TrainedRuns, equal_laws, features


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference of two samples' means, in standard errors."""
    error = np.sqrt(first.var(axis=0) / len(first) + second.var(axis=0) / len(second))
    return float(np.max(np.abs(first.mean(axis=0) - second.mean(axis=0)) / (error + 1e-9)))


def sample(runs: Runs, size: int, seed: int) -> np.ndarray:
    return features(runs(np.random.default_rng(seed), size), runs.gradient)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("queries", [None, 1, 6])
def test_runs_have_the_law_of_the_recipes(queries):
    assert apart(sample(Runs(queries), 5000, 0), sample(TrainedRuns(queries), 120, 1)) < 5


def test_recipes_with_an_averaged_subspace_are_told_apart():
    assert apart(sample(TrainedRuns(20), 60, 0), sample(Runs(None), 5000, 1)) > 5


def test_a_step_moves_along_the_subspace_alone():
    path = Runs(1, steps=3)(np.random.default_rng(0), 5)
    for run in path:
        moved = run[1:] - run[:-1]
        assert np.linalg.matrix_rank(np.hstack(list(moved)), tol=1e-9) == 2
        assert np.linalg.matrix_rank(np.vstack(list(moved)), tol=1e-9) == 2


def test_an_average_knows_the_loss():
    assert equal_laws(1)
    with pytest.raises(NotInvariant):
        equal_laws(2)


def test_covariances_vanish_for_one_direction_only():
    one, many = (Covariances(q)(np.random.default_rng(0), 16_000) for q in (1, 60))
    assert np.all(np.abs(one.mean(axis=0)) < 4 * one.std(axis=0) / np.sqrt(len(one)))
    assert np.any(np.abs(many.mean(axis=0)) > 5 * many.std(axis=0) / np.sqrt(len(many)))
