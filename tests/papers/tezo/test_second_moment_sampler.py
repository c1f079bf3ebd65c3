"""Samplers of the cross term and of the accumulated error, against the sums that define them."""

import numpy as np
import pytest

from proofs_check import matrices
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.second_moment import (
    AccumulatedAverage,
    AccumulatedCoordinate,
    CrossAverage,
    CrossCoordinate,
    WeightedCross,
    decay,
    decayed_products,
    overlap,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def near(samples, mean, variance, z=4.5):
    return abs(samples.mean() - mean) < z * (variance / len(samples)) ** 0.5


def cross_terms(m, n, r, size, seed=1):
    """sum_{p != q} w_p w_q at every coordinate: Z_ij^2 less its separable part."""
    draw = rng(seed)
    tau, u, v = (draw.standard_normal((size, r, d)) for d in (1, m, n))
    z = (tau * u).transpose(0, 2, 1) @ v
    return z**2 - ((tau * u) ** 2).transpose(0, 2, 1) @ v**2


@pytest.mark.parametrize(("m", "n", "r"), [(2, 3, 2), (5, 4, 3), (8, 8, 4)])
def test_the_averaged_cross_term(m, n, r):
    size, scale = 50_000, (m * n * r) ** 2
    quantity = terms.cross_sum_square_given_factors
    mean = float(matrices.at(matrices.mean(quantity).value, m, n, r)) / scale
    variance = float(matrices.at(matrices.variance(quantity), m, n, r)) / scale**2
    assert near(CrossAverage(m, n, r)(rng(), size), mean, variance)
    defined = (cross_terms(m, n, r, size).mean(axis=(1, 2)) / r) ** 2
    assert abs(defined.mean() - mean) < 5 * defined.std() / size**0.5
    assert defined.var() > variance


@pytest.mark.parametrize("r", [2, 3, 64])
def test_the_cross_term_at_a_coordinate(r):
    size = 30_000
    mean = float(matrices.at(matrices.mean(terms.cross_square_given_sizes).value, 1, 1, r)) / r**2
    variance = float(matrices.at(matrices.variance(terms.cross_square_given_sizes), 1, 1, r)) / r**4
    assert mean == pytest.approx(2 * (r - 1) / r)
    assert near(CrossCoordinate(r)(rng(), size), mean, variance)
    defined = (cross_terms(1, 1, r, size)[:, 0, 0] / r) ** 2
    assert abs(defined.mean() - mean) < 6 * defined.std() / size**0.5


def test_there_is_no_cross_term_at_rank_one():
    assert (CrossCoordinate(1)(rng(), 10) == 0).all()
    assert CrossAverage(3, 3, 1)(rng(), 10) == pytest.approx(np.zeros(10), abs=1e-20)


def test_the_decaying_weights():
    weights = decay(1000, 0.99)
    assert weights.shape == (1000,)
    assert np.linalg.norm(weights) == pytest.approx(1)
    assert np.sort(weights)[1:] / np.sort(weights)[:-1] == pytest.approx(np.full(999, 1 / 0.99))


def test_products_and_overlap_from_their_definition():
    weights = np.array([0.6, 0.8])
    products = decayed_products(rng(), 20_000, 3, weights)
    assert (np.diagonal(products, axis1=1, axis2=2) == 0).all()
    assert products == pytest.approx(products.transpose(0, 2, 1))
    assert (products[:, 0, 1] ** 2).mean() == pytest.approx((weights**2).sum(), rel=0.1)
    gram = overlap(rng(), 20_000, 4, 6, 3)
    assert gram.shape == (20_000, 3, 3)
    assert (gram[:, 0, 1] ** 2).mean() == pytest.approx(4 * 6, rel=0.15)
    assert gram[:, 0, 0].mean() == pytest.approx(4 * 6, rel=0.02)


SMALL = {"r": 3, "steps": 6, "beta2": 0.8}


def moments(quantity, size, power):
    """Mean and variance of a quantity / size^`power` at m = n = size, exactly."""
    weights = decay(SMALL["steps"], SMALL["beta2"]).tolist()
    found = matrices.mean(quantity).value, matrices.variance(quantity)
    mean, variance = (
        float(matrices.at(x, size, size, SMALL["r"], known=terms.weighted(weights))) for x in found
    )
    return mean / size**power, variance / size ** (2 * power)


def accumulated(size, runs, seed):
    """V_T - Vhat_T itself: dense second moments of Z_t against their separable part."""
    draw, r = rng(seed), SMALL["r"]
    weights = decay(SMALL["steps"], SMALL["beta2"])
    error = np.zeros((runs, size, size))
    u, v = draw.standard_normal((2, runs, r, size))
    for weight in weights:
        tau = draw.standard_normal((runs, r, 1))
        z = (tau * u).transpose(0, 2, 1) @ v
        error += weight * (z**2 - ((tau * u) ** 2).transpose(0, 2, 1) @ v**2)
    return error


def test_the_accumulated_error_averaged_over_coordinates():
    sizes, runs = (4, 2), 40_000
    found = AccumulatedAverage(sizes, **SMALL)(rng(), runs)
    assert found.shape == (runs, 2)
    for column, size in zip(found.T, sizes, strict=True):
        mean, variance = moments(terms.accumulated_sum_square, size, 4)
        assert near(column, mean, variance)
        defined = accumulated(size, runs, seed=size).mean(axis=(1, 2)) ** 2
        assert near(defined, mean, variance)


def test_the_accumulated_error_at_a_coordinate():
    sizes, runs, r = (4, 2), 3_000, SMALL["r"]
    found = AccumulatedCoordinate(sizes, **SMALL)(rng(), runs)
    assert found.shape == (runs, 2)
    for column, size in zip(found.T, sizes, strict=True):
        mean, variance = (
            x / r ** (2 * k)
            for k, x in enumerate(moments(terms.accumulated_square_sum, size, 2), 1)
        )
        assert mean == pytest.approx(2 * (r - 1) / r)
        assert near(column, mean, variance)
        defined = (accumulated(size, 40_000, seed=size) ** 2).mean(axis=(1, 2)) / r**2
        assert near(defined, mean, variance)


def test_the_weighted_cross_term_has_the_mean_and_variance_of_its_law():
    """Against the definition: kappa^2 sum_{p != q} w_p w_q with tau drawn, too."""
    g, r = ((1.0, -0.5),), 3
    sampler = WeightedCross(g, ((0, 0), (0, 1)), r)
    rng = np.random.default_rng(0)
    rows = sampler(rng, 400_000)
    mean = 2 * r * (r - 1) * np.array(g[0]) ** 2
    assert rows.mean(axis=0) == pytest.approx(mean, rel=0.1)
    assert rows.var(axis=0) == pytest.approx(sampler.variances(), rel=0.25)
    tau, u = rng.standard_normal((2, 400_000, r))
    v = rng.standard_normal((400_000, r, 2))
    z = np.einsum("bs,bs,bsj->bj", tau, u, v)
    squares = np.einsum("bs,bs,bsj->bj", tau**2, u**2, v**2)
    defined = (z @ np.array(g[0]))[:, None] ** 2 * (z**2 - squares)
    error = defined.std(axis=0) / np.sqrt(len(defined))
    assert (np.abs(defined.mean(axis=0) - mean) < 5 * error).all()
