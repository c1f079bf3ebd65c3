"""Theorem 1's quantities: published values, brute force over coordinates, and simulation."""

import itertools

import numpy as np
import pytest
import sympy as sp

from proofs_check import cp, matrices
from proofs_check.gaussian import Index, contraction
from proofs_check.matrices import G_NORM2, GH, M, N, R
from tests.proofs_check.brute_force import brute_force
from zotheory.papers.tezo import terms

DELTA = 1 + M * N + 2 * M * N / R + 6 * (M + N) / R + 10 / R


def equal(left, right):
    return sp.simplify(left - right) == 0


def test_the_linear_estimate_is_r_times_the_gradient():
    assert equal(matrices.mean(cp.squared_inner).value, R * GH)


def test_delta():
    assert equal(matrices.mean(terms.squared_error).value, DELTA * G_NORM2)
    assert equal(matrices.mean(terms.squared_error_given_factors).value, DELTA * G_NORM2)


def test_steps_of_the_proof():
    assert equal(matrices.mean(terms.a7_b1).value, 2 * R * (R - 1) * G_NORM2)
    diagonal = M * N * R**2 + 2 * M * N * R + 6 * M * R + 6 * N * R + 12 * R
    assert equal(matrices.mean(terms.a8_b2).value, diagonal * G_NORM2)


def test_moments_of_the_separable_and_the_cross_term():
    assert equal(matrices.mean(terms.separable_sum).value, M * N * R)
    assert matrices.mean(terms.cross_entry).value == 0
    assert equal(matrices.mean(terms.cross_square_given_sizes).value, 2 * R * (R - 1))
    assert equal(matrices.mean(terms.cross_sum_square_given_factors).value, 2 * R * (R - 1) * M * N)


def test_a_derivation_has_steps():
    steps = matrices.mean(terms.squared_error).steps
    assert "27 pairings" in steps[0]
    assert steps[-1].startswith("Sum: ")


EXACT_G = sp.Matrix([[1, 2], [-2, 3]])  # its rows and columns are of rank one


@pytest.mark.parametrize(
    "name", ["squared_error", "estimate_norm2", "fourth_inner", "a7_b1", "a8_b2"]
)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 2), (1, 2, 1)])
def test_means_by_writing_out_all_coordinates(name, sizes):
    m, n, r = sizes
    quantity = getattr(terms, name, None) or getattr(cp, name)
    total, distinct = quantity()
    entries = {(i, j): EXACT_G[i, j] for i in range(m) for j in range(n)}
    norm2 = sum(x**2 for x in entries.values())
    values = {M: m, N: n, R: r, G_NORM2: norm2}
    direct = brute_force(total, values, {"G": entries}, distinct)
    found = matrices.mean(quantity).value
    assert matrices.at(found, m, n, r, (sp.sqrt(norm2),)) == direct


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 1)])
def test_sixth_moment_of_the_norm_by_brute_force(sizes):
    """Given u, v, ||Z||^2 = tau^T C tau: E||Z||^6 on a product Gauss-Hermite grid, exactly."""
    m, n, r = sizes
    x, w = np.polynomial.hermite_e.hermegauss(4)  # exact up to degree 7 >= 6 in each coordinate
    w = w / w.sum()
    dimension = r * (1 + m + n)
    total = 0.0
    for picks in itertools.product(range(4), repeat=dimension):
        point, weight = x[list(picks)], np.prod(w[list(picks)])
        tau, u, v = np.split(point, [r, r + r * m])
        z = np.einsum("s,si,sj->ij", tau, u.reshape(r, m), v.reshape(r, n))
        total += weight * np.sum(z**2) ** 3
    assert total == pytest.approx(float(matrices.mean(terms.norm6).value.subs({M: m, N: n, R: r})))


def test_the_sixth_moment_at_size_one():
    assert matrices.mean(terms.norm6).value.subs({M: 1, N: 1, R: 1}) == 15**3
    assert matrices.mean(terms.factor_norms_cubed).value.subs({M: 1, N: 1, R: 1}) == 15**3


def draws(m, n, r, size, seed=0):
    rng = np.random.default_rng(seed)
    tau, u, v = (rng.standard_normal((size, r, d)) for d in (1, m, n))
    return tau[:, :, 0], u, v


GIVEN = np.diag([1.0, 2.0])


def simulated(name, m, n, r, size):
    """Samples of a quantity from its words, for G = diag(1, 2) or its corner."""
    tau, u, v = draws(m, n, r, size)
    g = np.zeros((m, n))
    g[: min(2, m), : min(2, n)] = GIVEN[: min(2, m), : min(2, n)]
    h = np.einsum("bsi,ij,bsj->bs", u, g, v)
    overlap = (u @ u.transpose(0, 2, 1)) * (v @ v.transpose(0, 2, 1))
    off = overlap * (1 - np.eye(r))
    h2 = (h**2).sum(axis=1)
    return {
        "squared_inner_given_factors_square": lambda: h2**2,
        "squared_error_given_factors": lambda: (
            (
                h2 * np.trace(overlap, axis1=1, axis2=2)
                + 2 * np.einsum("bs,bst,bt->b", h, overlap, h)
            )
            / r**2
            - 2 * h2 / r
            + (g**2).sum()
        ),
        "cross_sum_square_given_factors": lambda: 2 * (off**2).sum(axis=(1, 2)),
        "separable_sum": lambda: np.einsum("bs,bss->b", tau**2, overlap),
        "factor_norms_cubed": lambda: np.einsum("bs,bss->b", tau**2, overlap) ** 3,
        "norm6": lambda: np.einsum("bs,bst,bt->b", tau, overlap, tau) ** 3,
    }[name]()


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["squared_error_given_factors", "cross_sum_square_given_factors"])
@pytest.mark.parametrize(("m", "n", "r"), [(12, 14, 8), (20, 10, 12)])
def test_variance_polynomials_against_simulation(name, m, n, r):
    """Sample variances at sizes where the fourth moment is tame, to 6%."""
    found = simulated(name, m, n, r, 60_000)
    quantity = getattr(terms, name, None) or getattr(cp, name)
    mean, variance = (
        float(matrices.at(x, m, n, r, (1, 2)))
        for x in (matrices.mean(quantity).value, matrices.variance(quantity))
    )
    assert abs(found.mean() - mean) < 5 * (variance / 60_000) ** 0.5
    assert found.var() == pytest.approx(variance, rel=0.12)


@pytest.mark.parametrize("name", ["separable_sum", "factor_norms_cubed", "norm6"])
def test_means_against_simulation(name):
    m, n, r, size = 3, 4, 3, 200_000
    found = simulated(name, m, n, r, size)
    mean = float(
        matrices.at(matrices.mean(getattr(terms, name, None) or getattr(cp, name)).value, m, n, r)
    )
    assert abs(found.mean() - mean) < 5 * found.std() / size**0.5


def test_the_weighted_cross_term_has_a_mean():
    """E kappa^2 sum_{p != q} w_p w_q = 2 r (r - 1) G_ij^2 at (i, j): pairs (p, q) and (q, p)."""
    i, j = Index("i", M), Index("j", N)
    along = contraction(matrices.G[i, j] * matrices.G[i, j] * matrices.H[i, j])
    assert equal(matrices.mean(terms.weighted_cross_entry).value, 2 * R * (R - 1) * along)


def test_at_needs_everything_that_remains():
    assert matrices.at(matrices.mean(terms.squared_error).value, 1, 1, 1) == 26
    with pytest.raises(ValueError, match="not determined"):
        matrices.at(matrices.mean(cp.squared_inner).value, 1, 1, 1)
    with pytest.raises(ValueError, match="not determined"):
        matrices.at(sp.Symbol("nothing") * M, 1, 1, 1)


def test_at_reads_the_spectrum():
    """E <G, Z>^4 has tr((G G^T)^2) beside ||G||^4."""
    value = matrices.mean(cp.fourth_inner).value
    one, flat = (
        matrices.at(value, 2, 2, 1, (1,)),
        matrices.at(value, 2, 2, 1, (sp.sqrt(2) / 2,) * 2),
    )
    assert one == 27
    assert flat < one


def test_bounded_is_a_bound_for_any_gradient():
    square = sp.expand(matrices.mean(terms.squared_inner_given_factors_square).value)
    m, n, r = 2, 3, 2
    bound = matrices.bounded(square, m, n, r)
    rng = np.random.default_rng(0)
    _, u, v = draws(m, n, r, 100_000)
    for _ in range(3):
        g, h = (x / np.linalg.norm(x) for x in rng.standard_normal((2, m, n)))
        product = np.einsum("bsi,ij,bsj,bsk,kl,bsl->b", u, g, v, u, h, v, optimize=True)
        assert (product**2).mean() < bound


def test_bounded_refuses_negative_terms():
    with pytest.raises(ValueError, match="nonnegative"):
        matrices.bounded(G_NORM2 - M * GH, 1, 1, 1)
