"""What B loss values tell, against simulations of other strategies and the largest value itself."""

import mpmath
import numpy as np
import pytest

from zotheory.papers.own import query_limit
from zotheory.papers.own.query_limit import VALUES, D

PAIRS = [(2, 2), (2, 3), (3, 3), (3, 4), (4, 9), (8, 9)]


def at(expression, values, d):
    return float(expression.subs({VALUES: values, D: d}))


def largest(values, d):
    """E max(c, (1 - c)/(d - k)) by quadrature."""
    a, b = mpmath.mpf(values - 1) / 2, mpmath.mpf(d - values + 1) / 2
    density = mpmath.beta(a, b)
    return mpmath.quad(
        lambda c: max(c, (1 - c) / (d - values + 1)) * c ** (a - 1) * (1 - c) ** (b - 1) / density,
        [0, mpmath.mpf(1) / (d - values + 2), 1],
    )


def directions(rng, size, d):
    g = rng.standard_normal((size, d))
    return g / np.linalg.norm(g, axis=1, keepdims=True)


@pytest.mark.parametrize(("values", "d"), PAIRS)
def test_the_largest_value_lies_between_the_bounds(values, d):
    found = query_limit.unrestricted()
    exactly = largest(values, d)
    assert at(found.lower, values, d) < exactly < at(found.upper, values, d)
    assert exactly > (values - 1) / d
    assert values > 2 or at(found.lower, values, d) > 1 / d


def test_two_losses_in_the_plane():
    assert largest(2, 2) == pytest.approx(0.5 + 1 / np.pi)
    assert at(query_limit.unrestricted().lower, 2, 2) == 0.75


@pytest.mark.parametrize(("values", "d"), PAIRS)
def test_simulated_estimates(values, d):
    rng = np.random.default_rng(values)
    g = directions(rng, 100_000, d)
    k = values - 1
    c = np.sum(g[:, :k] ** 2, axis=1)
    across = g[:, k] ** 2 if k < d else 0 * c
    mixed = np.where(rng.random(len(c)) < 1 - c, across, c)
    assert c.mean() == pytest.approx(
        at(query_limit.orthonormal_forward().value, values, d), rel=0.02
    )
    assert mixed.mean() == pytest.approx(at(query_limit.unrestricted().lower, values, d), rel=0.02)
    assert np.sqrt(c).mean() == pytest.approx(at(query_limit.signed().value, values, d), rel=0.01)


def test_adaptive_directions_learn_no_more():
    """The second direction leans on the first as the first difference says: c has the same law."""
    d, rng = 5, np.random.default_rng(0)
    g = directions(rng, 200_000, d)
    first = g[:, 0]
    angle = 3 * first + np.sign(first)
    second = np.cos(angle) * g[:, 1] + np.sin(angle) * g[:, 2]
    c = first**2 + second**2
    plain = first**2 + g[:, 1] ** 2
    for power in (1, 2):
        assert np.mean(c**power) == pytest.approx(at(query_limit.kept(power).value, 3, d), rel=0.01)
        assert np.mean(c**power) == pytest.approx(np.mean(plain**power), rel=0.02)


def test_what_is_scale_free_is_not_better_across():
    assert query_limit.scale_free().value == (VALUES - 1) / D
