import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import k0
from scipy.stats import norm

from zotheory.search.expectation import (
    LogRule,
    chi_square_moment,
    gaussian_terms,
    rank_one_terms,
    terms_density,
)
from zotheory.search.precise import precise_mean

SHAPES = [(0,), (3,), (0, 0), (0, 0, 0), (2, 2, 2), (2, 0, 2), (1, 0, 4)]


def weighted_mean(h, terms, kinks=(), order=16):
    """E[h(s) times the sum of the terms]."""
    rule = LogRule(kinks, order)
    return rule.mean(h, terms_density(rule, terms))


def product_mean(h, powers, kinks=()):
    """E[h(s) prod |N_i|^p_i] for s = N_1 ... N_k, and its distance to a rule of lower order."""
    fine, coarse = (weighted_mean(h, {powers: 1}, kinks, order) for order in (16, 12))
    return fine, abs(fine - coarse)


def gaussian_mean(h, n, power):
    """E[h(<a, z>) ||z||^(2 power)] for z ~ N(0, I_n), ||a|| = 1."""
    return weighted_mean(h, gaussian_terms(n, power))


def rank_one_mean(h, m, n, power):
    """E[h(<a b^T, Z>) ||Z||^(2 power)] for Z = tau u v^T, ||a|| = ||b|| = 1."""
    return weighted_mean(h, rank_one_terms(m, n, power))


def absolute_moment(k):
    return 2 ** (k / 2) * math.gamma((k + 1) / 2) / math.sqrt(math.pi)


@pytest.mark.parametrize("powers", SHAPES)
@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_moments_of_products(powers, k):
    exact = math.prod(absolute_moment(k + p) for p in powers)
    value, error = product_mean(lambda s: np.abs(s) ** k, powers)
    assert value == pytest.approx(exact, rel=1e-13)
    assert error < 1e-13 * exact


def test_odd_integrands_vanish():
    assert product_mean(lambda s: s**3, (0, 0, 0))[0] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("kink", [1e-8, 0.3, 1.0, 2.7])
def test_kinks_are_integrated_exactly(kink):
    value, error = product_mean(lambda s: np.maximum(np.abs(s) - kink, 0), (0,), [kink])
    assert value == pytest.approx(2 * (norm.pdf(kink) - kink * norm.sf(kink)), rel=1e-12)
    assert error < 1e-12


def test_indicator_of_a_product():
    """P(|N1 N2| > 0.3), from the density K_0(x) 2/pi."""
    above, _ = product_mean(lambda s: (np.abs(s) > 0.3) * 1.0, (0, 0), [0.3])
    exact, _ = quad(lambda x: 2 * k0(x) / math.pi, 0.3, np.inf, epsabs=1e-13)
    assert above == pytest.approx(exact, rel=1e-10)


def test_missing_kinks_show_in_the_error_estimate():
    value, error = product_mean(lambda s: np.maximum(np.abs(s) - 1.2, 0), (0,))
    exact = 2 * (norm.pdf(1.2) - 1.2 * norm.sf(1.2))
    assert error > abs(value - exact) / 10 > 1e-9


@pytest.mark.parametrize("powers", [(0,), (0, 2), (2, 2, 0)])
def test_precise_route_agrees(powers):
    def h(s):
        return abs(s) ** 3 + 2 * max(abs(s) - 0.8, 0) ** 2

    value, _ = product_mean(np.vectorize(h), powers, [0.8])
    precise = precise_mean(h, {powers: 1}, [0.8], 12)
    assert float(precise) == pytest.approx(value, rel=1e-11)


def test_precise_moment_to_more_digits_than_floats():
    with mpmath.workdps(30):
        precise = precise_mean(lambda s: s**2, {(0, 0): 1, (2, 2): 2}, [], 15)
        assert abs(precise - (1 + 2 * 9)) < mpmath.mpf(10) ** -17


@pytest.mark.parametrize("n", [1, 2, 7, 10**6])
def test_gaussian_directions_in_any_dimension(n):
    assert gaussian_mean(np.ones_like, n, 3) == pytest.approx(chi_square_moment(n, 3))
    # E <a, z>^2 ||z||^2 = n + 2 and E |<a, z>| ||z||^2 = sqrt(2/pi) (n + 1)
    assert gaussian_mean(np.square, n, 1) == pytest.approx(n + 2)
    assert gaussian_mean(np.abs, n, 1) == pytest.approx(math.sqrt(2 / math.pi) * (n + 1))
    assert gaussian_terms(1, 2) == {(4,): 1}


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 4), (3, 2), (50, 60)])
def test_rank_one_perturbations(m, n):
    # E <G,Z>^2 ||Z||^2 = 3 (m + 2)(n + 2) ||G||^2; E ||Z||^4 = 3 m(m + 2) n(n + 2)
    assert rank_one_mean(np.square, m, n, 1) == pytest.approx(3 * (m + 2) * (n + 2))
    fourth = 3 * m * (m + 2) * n * (n + 2)
    assert rank_one_mean(np.ones_like, m, n, 2) == pytest.approx(fourth)
    # E |s|^3 ||Z||^4 factorises over tau, u and v
    factors = [
        absolute_moment(7) + 2 * (k - 1) * absolute_moment(5) + (k * k - 1) * absolute_moment(3)
        for k in (m, n)
    ]
    cubes = absolute_moment(7) * math.prod(factors)
    assert rank_one_mean(lambda s: np.abs(s) ** 3, m, n, 2) == pytest.approx(cubes)


def test_rank_one_terms_of_a_scalar():
    assert rank_one_terms(1, 1, 1) == {(2, 2, 2): 1}


def test_no_factor():
    with pytest.raises(ValueError, match="at least one factor"):
        LogRule().density(())
