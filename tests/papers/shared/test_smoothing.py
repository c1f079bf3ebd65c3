import numpy as np
import pytest
import sympy as sp

from zotheory.papers.shared import smoothing
from zotheory.papers.shared.smoothing import EPS, SMOOTHED_SQUARE, L, N

S = SMOOTHED_SQUARE


def test_the_two_point_estimate_is_unbiased_for_the_smoothed_gradient():
    assert smoothing.mean().value == 1


@pytest.mark.parametrize(
    ("difference", "factor"),
    [
        ({1: 1 / EPS}, 1),  # one-sided, with or without f(x) subtracted
        ({1: 1 / EPS, -1: -1 / EPS}, 2),
        ({1: 1 / EPS, -1: 1 / EPS}, 0),
    ],
)
def test_other_differences(difference, factor):
    assert smoothing.mean(difference).value == factor


def test_other_points_are_refused():
    with pytest.raises(ValueError, match="points"):
        smoothing.mean({2: 1})


def test_smoothing_shifts_a_gradient():
    assert smoothing.cubic_shift() == 3 * EPS**2


def test_bounds():
    assert smoothing.bias_square().value == EPS**2 * L**2 * N
    assert smoothing.gradient_square().value == 2 * S + 2 * EPS**2 * L**2 * N
    assert smoothing.linear_second_moment().value == N + 2
    smooth = EPS**2 * L**2 * (2 * N**3 + N * (N + 2) * (N + 4))
    assert sp.expand(smoothing.second_moment().value - smooth - 4 * (N + 2) * S) == 0


def test_the_bounds_hold_for_a_loss():
    """f = sum_i w_i |w_i| / 2 in 3 coordinates is 1-smooth: every gradient entry is |w_i|."""
    rng, n = np.random.default_rng(0), 3
    w = np.array([0.3, -0.2, 1.0])
    z = rng.standard_normal((400_000, n))
    plus, minus = ((np.abs(w + s * z) * (w + s * z)).sum(axis=1) / 2 for s in (1, -1))
    estimate = ((plus - minus) / 2)[:, None] * z
    smoothed = np.abs(w + z).mean(axis=0)
    assert estimate.mean(axis=0) == pytest.approx(smoothed, abs=0.05)
    at = {EPS: 1, L: 1, N: n, S: float(smoothed @ smoothed)}
    gradient = np.abs(w)
    assert ((smoothed - gradient) ** 2).sum() < smoothing.bias_square().value.subs(at)
    assert gradient @ gradient < smoothing.gradient_square().value.subs(at)
    second = (estimate**2).sum(axis=1)
    assert second.mean() < smoothing.second_moment().value.subs(at)
    assert second.mean() > (smoothing.linear_second_moment().value * S).subs(at)


def test_the_second_moment_bound_is_that_of_a_known_case():
    """At eps = 0 it is four times the exact second moment, which a linear loss has."""
    at_zero = smoothing.second_moment().value.subs(EPS, 0)
    assert sp.expand(at_zero - 4 * smoothing.linear_second_moment().value * S) == 0
    assert smoothing.linear_second_moment().value.subs(N, 1) == 3  # E z^4
