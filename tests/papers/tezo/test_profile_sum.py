"""The pathwise search's function: its smoothness constant, and its values in high precision."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zotheory.papers.tezo.lemma1_search import ProfileSum
from zotheory.search.profiles import LogCosh, PiecewisePolynomial, Sine, signed_power

HAT = PiecewisePolynomial(2, (-0.5, 0.5), (0.0, 1.0, 0.0))


def functions(rng, d=3):
    """Functions and their constants."""
    g = rng.normal(size=d) * 10 ** rng.uniform(-2, 3)
    c = rng.uniform(-1, 1, size=3)
    pieces = [signed_power(2), HAT, LogCosh(0.3)]
    yield ProfileSum(g, pieces, c, rng.normal(size=3), 2.5), 2.5 * max(abs(c))
    yield ProfileSum(g, [Sine(2, 0.4)], [1.0], [0.2], 1.7), 1.7
    yield ProfileSum(g, [signed_power(2)] * 2, [0.5, -1.0], [0.0, 0.3], 1.7), 1.7


def exact(x):
    return [mpmath.mpf(v) for v in x]


def gradient(f, x):
    return np.array([float(v) for v in f.gradient_precise(exact(x))])


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_gradients_are_lipschitz_with_the_constant(seed):
    rng = np.random.default_rng(seed)
    for f, constant in functions(rng):
        x, y = rng.normal(size=(2, 3)) * 10 ** rng.uniform(-2, 1)
        change = np.linalg.norm(gradient(f, x) - gradient(f, y))
        rounding = 1e-13 * np.linalg.norm(gradient(f, x))
        assert change <= constant * np.linalg.norm(x - y) * (1 + 1e-12) + rounding


def test_the_gradient_at_zero_is_free():
    g = np.array([1e3, -7.0, 0.5])
    assert np.allclose(gradient(ProfileSum(g, [Sine(2, 0.4)], [1.0], [0.2], 1.7), np.zeros(3)), g)


def test_lipschitz_constants_are_attained():
    f = ProfileSum(np.array([1e3, -7.0]), [signed_power(2)] * 2, [0.4, -1.0], [0.0, 0.0], 2.0)
    x = np.array([0.0, 1e-2])
    change = np.linalg.norm(gradient(f, 2 * x) - gradient(f, x))
    assert change == pytest.approx(2 * np.linalg.norm(x))


def test_hessian_lipschitz_family():
    f = ProfileSum(np.array([2.0]), [signed_power(3)], [1.0], [0.0], 4.0)
    assert float(f.value_precise(exact([-3.0]))) == pytest.approx(-6 + 4 * 27 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_precise_values_and_gradients_agree_with_floats_and_differences(seed):
    rng = np.random.default_rng(seed)
    for f, _ in functions(rng):
        x = rng.normal(size=3)
        with mpmath.workdps(40):
            at = exact(x)
            linear = gradient(f, np.zeros(3)) @ x
            value = linear + float(f.remainder(x))
            assert float(f.value_precise(at)) == pytest.approx(value, rel=1e-11, abs=1e-9)
            slopes = f.gradient_precise(at)
            h = mpmath.mpf("1e-15")
            for i in range(3):
                ends = [
                    f.value_precise([v + s * h * (i == j) for j, v in enumerate(at)])
                    for s in (1, -1)
                ]
                assert abs((ends[0] - ends[1]) / (2 * h) - slopes[i]) < 1e-8 * (1 + abs(slopes[i]))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ProfileSum(np.ones(2), [signed_power(2)], [1.0], [0.0], 0.0),
        lambda: ProfileSum(np.ones(2), [signed_power(2)], [1.0, 2.0], [0.0], 1.0),
        lambda: ProfileSum(np.ones(1), [signed_power(2)] * 2, [1, 1], [0, 0], 1.0),
        lambda: ProfileSum(np.ones(2), [signed_power(2), signed_power(3)], [1, 1], [0, 0], 1.0),
        lambda: ProfileSum(np.array([math.nan]), [signed_power(2)], [1], [0], 1.0),
    ],
)
def test_bad_input(build):
    with pytest.raises(ValueError, match=r".+"):
        build()
