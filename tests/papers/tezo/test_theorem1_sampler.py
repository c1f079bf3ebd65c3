"""Samplers of Theorem 1 against their definition, and against exact moments."""

import numpy as np
import pytest
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Index, derive
from zotheory.papers.shared.gram import gram_root
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.theorem1 import Linear, MeanAlong

SIZES = [(1, 1, 1, (1,)), (2, 3, 2, (1,)), (3, 2, 4, (2, 1)), (6, 5, 2, (1, 3)), (3, 4, 3, (1, 1))]


def rng(seed=0):
    return np.random.default_rng(seed)


def defined(m, n, r, sigma, size, seed=1):
    """||(1/r) <G, Z> Z - G||^2 / ||G||^2 with tau drawn too: Theorem 1 to the letter."""
    draw, gradient = rng(seed), np.zeros((m, n))
    gradient[range(len(sigma)), range(len(sigma))] = sigma
    tau, u, v = (draw.standard_normal((size, r, d)) for d in (1, m, n))
    z = (tau * u).transpose(0, 2, 1) @ v
    error = np.einsum("ij,bij->b", gradient, z)[:, None, None] * z / r - gradient
    return (error**2).sum(axis=(1, 2)) / (gradient**2).sum()


def exact(m, n, r, sigma):
    """Mean and variance of `Linear`, out of the engine."""
    norm2 = sum(s * s for s in sigma)
    mean = (
        matrices.at(matrices.mean(terms.squared_error_given_factors).value, m, n, r, sigma) / norm2
    )
    variance = (
        matrices.at(matrices.variance(terms.squared_error_given_factors), m, n, r, sigma) / norm2**2
    )
    return float(mean), float(variance)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("m", "n", "r", "sigma"), SIZES)
def test_mean_of_the_squared_error(m, n, r, sigma, dense):
    size = 100_000
    mean, variance = exact(m, n, r, sigma)
    found = Linear(m, n, r, sigma, dense)(rng(), size)
    assert found.shape == (size,)
    assert abs(found.mean() - mean) < 4.5 * (variance / size) ** 0.5


@pytest.mark.parametrize(("m", "n", "r", "sigma"), SIZES)
def test_the_sampler_conditions_on_tau_correctly(m, n, r, sigma):
    """Theorem 1's own statistic has the same mean and more spread."""
    size = 200_000
    found = defined(m, n, r, sigma, size)
    mean, variance = exact(m, n, r, sigma)
    assert abs(found.mean() - mean) < 5 * found.std() / size**0.5
    assert found.var() > variance


@pytest.mark.parametrize(("m", "n", "r", "sigma"), SIZES[1:])
def test_reduced_and_dense_agree_in_law(m, n, r, sigma):
    """Quantiles, which heavy tails do not disturb, agree with those of full factors."""
    levels = np.linspace(0.05, 0.95, 19)
    size = 100_000
    reduced, dense = (
        np.sort(Linear(m, n, r, sigma, full)(rng(seed), size)) for seed, full in ((1, 0), (2, 1))
    )
    at = np.searchsorted(dense, np.quantile(reduced, levels)) / size
    assert np.abs(at - levels).max() < 5 * (0.25 * 2 / size) ** 0.5


def test_variance_at_a_size_where_the_tail_is_tame():
    """At large r and n the sample variance settles; it is that of the engine to 10%."""
    m, n, r = 30, 40, 20
    _, variance = exact(m, n, r, (1,))
    found = Linear(m, n, r, (1.0,))(rng(), 30_000)
    assert found.var() == pytest.approx(variance, rel=0.1)


def test_a_real_layers_size_is_reached_within_one_percent():
    """m = n = 4096, r = 64: the mean of 6,000 draws, whose standard error is below 0.5%."""
    m, n, r = 4096, 4096, 64
    delta = float(matrices.at(matrices.mean(terms.squared_error).value, m, n, r))
    _, variance = exact(m, n, r, (1,))
    found = Linear(m, n, r, (1.0,))(rng(), 6_000)
    assert (variance / 6_000) ** 0.5 < 0.005 * delta
    assert found.mean() == pytest.approx(delta, rel=0.01)


@pytest.mark.parametrize("dimension", [3, 5, 6, 9])
def test_the_gram_root_is_wishart_given_what_lies_along(dimension):
    """E K K^T = along along^T + (dimension - k) I, and the trace has the chi-square's variance."""
    size, r, k = 30_000, 4, 2
    along = np.broadcast_to(np.arange(r * k, dtype=float).reshape(r, k), (size, r, k))
    root = gram_root(rng(), size, along, dimension)
    assert root.shape == (size, r, k + min(dimension - k, r))
    gram = root @ root.transpose(0, 2, 1) - along @ along.transpose(0, 2, 1)
    rest = dimension - k
    assert gram.mean(axis=0) == pytest.approx(rest * np.eye(r), abs=6 * (2 * rest / size) ** 0.5)
    trace = np.trace(gram, axis1=1, axis2=2)
    assert trace.var() == pytest.approx(2 * rest * r, rel=0.07)
    assert (gram[:, 0, 1] ** 2).mean() == pytest.approx(rest, rel=0.09)


def test_a_batch_boundary_changes_only_the_stream(monkeypatch):
    monkeypatch.setattr("zotheory.papers.tezo.theorem1._BATCH_FLOATS", 100)
    found = Linear(2, 3, 2)(rng(), 101)
    assert found.shape == (101,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        Linear(*sizes)


@pytest.mark.parametrize("sigma", [(), (1.0, 1.0, 1.0)])
def test_impossible_spectra_are_refused(sigma):
    with pytest.raises(ValueError, match="1 to 2 singular values"):
        Linear(2, 3, 2, sigma)


def test_the_mean_along_is_the_gradient_itself():
    m, n, r, size = 2, 3, 4, 100_000
    gradient = (1.0, -2.0, 0.5, 0.0, 3.0, 1.0)
    found = MeanAlong(m, n, r, gradient, 1 / r)(rng(), size)
    assert found.shape == (size, m * n)
    spread = found.std(axis=0) / size**0.5
    assert (np.abs(found.mean(axis=0) - gradient) < 5 * spread).all()


def test_the_mean_along_conditions_on_tau_correctly():
    """Its second moment, summed, is E (sum_s <G, u_s v_s^T> <H, u_s v_s^T>)^2 over unit H."""
    m, n, r, size = 2, 2, 2, 200_000
    gradient = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = MeanAlong(m, n, r, tuple(gradient.ravel()), 1.0)(rng(), size)
    (s, t), a, b = (
        (Index(x, matrices.R) for x in "st"),
        Index("a", matrices.M),
        Index("b", matrices.N),
    )
    along = cp.U[s, a] * cp.V[s, b] * cp.U[t, a] * cp.V[t, b]
    norm2 = derive(cp.projection(s) * cp.projection(t) * along).value
    expected = float(matrices.at(sp.expand(norm2), m, n, r, (2, 1)))
    squared = (found**2).sum(axis=1)
    assert abs(squared.mean() - expected) < 5 * squared.std() / size**0.5
