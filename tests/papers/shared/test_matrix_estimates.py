import numpy as np
import pytest
import torch

from zotheory.papers.shared.matrix_estimates import (
    Loss,
    MatrixEstimates,
    along_target,
    bases,
    plain,
    squared_cosine,
    squared_norm,
)
from zotheory.papers.svd0.estimate import LinearEstimateNorm

CURVED = Loss(
    2,
    3,
    linear=(1.0, 0.0, -2.0, 0.5, 0.0, 1.0),
    hessian=tuple(map(tuple, (np.arange(36.0).reshape(6, 6) / 36).tolist())),
    point=(1.0, -1.0, 2.0, 0.5, 0.3, 1.0),
)


def test_the_gradient_is_that_of_the_values():
    weights = torch.tensor(CURVED.weights(), requires_grad=True)
    flat, hessian = weights.flatten(), torch.tensor(CURVED.hessian, dtype=torch.float64)
    value = flat @ torch.tensor(CURVED.linear, dtype=torch.float64) + flat @ hessian @ flat
    assert value.item() == pytest.approx(CURVED.values(CURVED.weights()[None])[0])
    value.backward()
    assert CURVED.gradient() == pytest.approx(weights.grad.numpy())


def test_a_given_subspace_is_the_same_for_all_samples():
    options = (("rank", 2), ("interval", 10**6))
    sampler = MatrixEstimates("svd0", plain(4, 5), lambda estimates, _: estimates, options, True)
    estimates = sampler(np.random.default_rng(0), 12).reshape(12, -1)
    assert np.linalg.matrix_rank(estimates) == 4  # r^2 coordinates, drawn anew
    target = sampler.target.flatten()
    assert np.linalg.matrix_rank(np.vstack([estimates, target])) == 4
    free = MatrixEstimates("svd0", plain(4, 5), lambda estimates, _: estimates, options)
    assert np.linalg.matrix_rank(free(np.random.default_rng(0), 12).reshape(12, -1)) == 12


def test_statistics():
    estimates, target = np.array([[[3.0, 4.0]], [[0.0, 2.0]]]), np.array([[0.0, 2.0]])
    assert squared_norm(estimates, target) == pytest.approx([25 / 4, 1])
    assert squared_cosine(estimates, target) == pytest.approx([16 / 25, 1])
    assert along_target(estimates, target) == pytest.approx(np.array([[1.5, 2.0], [0.0, 1.0]]))


def test_the_reduced_norm_is_that_of_mezo():
    """Means of ||<y, z> z||^2 for a unit vector y, by both samplers, and n + 2."""
    n, size = 6, 1500
    trained = MatrixEstimates("mezo", plain(n, 1), squared_norm)(np.random.default_rng(0), size)
    reduced = LinearEstimateNorm(n)(np.random.default_rng(1), 50 * size)
    error = reduced.std() / size**0.5
    assert abs(trained.mean() - reduced.mean()) < 5 * error
    assert abs(reduced.mean() - (n + 2)) < 5 * error / 50**0.5
    assert LinearEstimateNorm(1)(np.random.default_rng(0), 3).shape == (3,)


def test_bases_are_orthonormal_and_drawn_anew():
    drawn = list(bases("subzo", plain(4, 3), (("rank", 2),), np.random.default_rng(0), 3))
    for u, v in drawn:
        assert u.T @ u == pytest.approx(np.eye(2), abs=1e-12)
        assert v.T @ v == pytest.approx(np.eye(2), abs=1e-12)
    assert not np.allclose(drawn[0][0], drawn[1][0])
