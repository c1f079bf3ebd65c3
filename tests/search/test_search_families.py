import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zotheory.search.families import ProfileSum, Quadratic, ridge
from zotheory.search.profiles import (
    LogCosh,
    PiecewisePolynomial,
    Sine,
    huber,
    profile_at,
    signed_power,
)

number = st.floats(-20, 20, allow_subnormal=False)
width = st.floats(0.05, 20)
level = st.floats(-1, 1)


@st.composite
def profiles(draw):
    order = draw(st.sampled_from([2, 3]))
    kind = draw(st.integers(0, 4))
    if kind == 4:
        kinks = tuple(sorted(draw(st.sets(st.integers(-10, 10), max_size=4))))
        levels = draw(st.lists(level, min_size=len(kinks) + 1, max_size=len(kinks) + 1))
        return PiecewisePolynomial(order, tuple(map(float, kinks)), tuple(levels))
    shape = {"kind": kind, "width": draw(width)} | {k: draw(level) for k in _LEVELS}
    return profile_at(shape, order)


_LEVELS = ("left", "middle", "right")
NAMED = [signed_power(2), signed_power(3), huber(0.7), Sine(2, 0.3), Sine(3, 2.0), LogCosh(1.4)]
NAMED += [PiecewisePolynomial(2, (-1.0, 0.5), (0.2, -1.0, 0.9))]


def top_difference(profile, t, h):
    """The p-th difference quotient of phi: the mean of phi^(p) over an interval of length p h."""
    p = profile.order
    with mpmath.workdps(60):
        terms = (
            (-1) ** (p - j)
            * math.comb(p, j)
            * profile.value(mpmath.mpf(t) + j * mpmath.mpf(h), mpmath)
            for j in range(p + 1)
        )
        return mpmath.fsum(terms) / mpmath.mpf(h) ** p


@given(profiles(), number, st.floats(1e-4, 10))
@settings(max_examples=300, deadline=None)
def test_top_derivative_never_exceeds_the_bound(profile, t, h):
    assert profile.bound <= 1
    assert abs(top_difference(profile, t, h)) <= profile.bound * (1 + mpmath.mpf(10) ** -30)


@pytest.mark.parametrize("profile", NAMED, ids=str)
def test_bound_is_attained(profile):
    grid = np.arange(-4, 4, 0.01)
    largest = max(abs(top_difference(profile, t, 1e-6)) for t in grid)
    assert largest == pytest.approx(profile.bound, rel=1e-3)
    assert profile.bound == 1


@given(profiles(), number)
@settings(deadline=None)
def test_slope_is_the_derivative_and_source_is_the_profile(profile, t):
    with mpmath.workdps(50):
        h = mpmath.mpf("1e-12")
        ends = profile.value(t + h, mpmath) - profile.value(t - h, mpmath)
        slope = profile.slope(mpmath.mpf(t), mpmath)
        assert abs(ends / (2 * h) - slope) < 1e-9 * (1 + abs(slope))
    values = profile.value(np.array([t])), profile.slope(np.array([t]))
    scale = 1 + abs(values[0][0]) + t**2
    assert abs(values[0][0] - profile.value(mpmath.mpf(t), mpmath)) < 1e-11 * scale**1.5
    for source, value in zip(profile.source(), values, strict=True):
        assert eval(source, {"np": np, "t": t}) == pytest.approx(
            value[0], rel=1e-9, abs=1e-10 * scale
        )


def test_log_cosh_does_not_overflow():
    assert LogCosh(1.0).value(np.array([1e5]))[0] == pytest.approx(1e5 - math.log(2))


def test_odd_error_of_known_profiles():
    assert signed_power(2).odd_error(0.0, 3.0) == pytest.approx(4.5)
    assert PiecewisePolynomial(2, (), (1.0,)).odd_error(0.3, 2.0) == pytest.approx(0, abs=1e-14)
    assert PiecewisePolynomial(3, (), (1.0,)).odd_error(0.3, 2.0) == pytest.approx(8 / 6)


def functions(rng, d=3):
    g = rng.normal(size=d) * 10 ** rng.uniform(-2, 3)
    pieces = [signed_power(2), huber(0.5), LogCosh(0.3)]
    yield ProfileSum(g, pieces, rng.uniform(-1, 1, size=3), rng.normal(size=3), 2.5)
    yield ridge(g, rng.normal(size=d), Sine(2, 0.4), 1.7, 0.2)
    yield ridge(g, rng.normal(size=d), signed_power(2), 1.7)
    yield Quadratic(g, rng.uniform(-3, 3, size=d), rng.normal(size=d))


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_gradients_are_lipschitz_with_the_constant(seed):
    rng = np.random.default_rng(seed)
    for f in functions(rng):
        x, y = rng.normal(size=(2, 3)) * 10 ** rng.uniform(-2, 1)
        change = np.linalg.norm(f.gradient(x) - f.gradient(y))
        rounding = 1e-13 * np.linalg.norm(f.gradient(x))
        assert change <= f.constant * np.linalg.norm(x - y) * (1 + 1e-12) + rounding
        assert np.allclose(f.gradient(np.zeros(3)), f.gradient_at_zero)


def test_lipschitz_constants_are_attained():
    a = np.array([3.0, 4.0])
    f = ridge(np.array([1e3, -7.0]), a, signed_power(2), 2.0)
    assert f.constant == 50.0
    x = 1e-2 * a
    assert np.linalg.norm(f.gradient(2 * x) - f.gradient(x)) == pytest.approx(
        50 * np.linalg.norm(x)
    )
    w = np.array([1.0, 2.0])
    q = Quadratic(np.zeros(2), np.array([-3.0, 1.0]), w)
    top = np.array([1.0, 0.0]) - 2 * w * w[0] / (w @ w)
    assert np.linalg.norm(q.gradient(top)) == pytest.approx(3.0)


def test_hessian_lipschitz_family():
    f = ridge(np.array([2.0]), np.array([1.0]), signed_power(3), 4.0)
    assert (f.order, f.constant) == (3, 4.0)
    assert f.value(np.array([-3.0])) == pytest.approx(-6 + 4 * 27 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_precise_values_and_gradients_agree_with_floats_and_differences(seed):
    rng = np.random.default_rng(seed)
    for f in functions(rng):
        x = rng.normal(size=3)
        with mpmath.workdps(40):
            exact = [mpmath.mpf(v) for v in x]
            assert float(f.value_precise(exact)) == pytest.approx(f.value(x), rel=1e-11, abs=1e-9)
            gradient = f.gradient_precise(exact)
            assert np.allclose([float(v) for v in gradient], f.gradient(x), rtol=1e-11, atol=1e-9)
            h = mpmath.mpf("1e-15")
            for i in range(3):
                ends = [
                    f.value_precise([v + s * h * (i == j) for j, v in enumerate(exact)])
                    for s in (1, -1)
                ]
                assert abs((ends[0] - ends[1]) / (2 * h) - gradient[i]) < 1e-8 * (
                    1 + abs(gradient[i])
                )


@pytest.mark.parametrize(
    "build",
    [
        lambda: PiecewisePolynomial(2, (1.0,), (1.0,)),
        lambda: PiecewisePolynomial(2, (1.0, 0.0), (1.0, 0.0, 1.0)),
        lambda: PiecewisePolynomial(1, (), (1.0,)),
        lambda: Sine(2, 0.0),
        lambda: LogCosh(math.nan),
        lambda: ridge(np.ones(2), np.ones(3), signed_power(2), 1.0),
        lambda: ridge(np.ones(2), np.ones(2), signed_power(2), 0.0),
        lambda: ProfileSum(np.ones(1), [signed_power(2)] * 2, [1, 1], [0, 0], 1.0),
        lambda: ProfileSum(np.ones(2), [signed_power(2), signed_power(3)], [1, 1], [0, 0], 1.0),
        lambda: ProfileSum(np.array([math.nan]), [signed_power(2)], [1], [0], 1.0),
        lambda: Quadratic(np.ones(2), np.ones(3)),
        lambda: Quadratic(np.ones(2), np.ones(2), np.zeros(2)),
    ],
)
def test_bad_input(build):
    with pytest.raises(ValueError, match=r".+"):
        build()
