import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zotheory.search.profiles import (
    LogCosh,
    PiecewisePolynomial,
    Sine,
    profile_at,
    signed_power,
)


def hat(width):
    """phi'' = 1 on [-width, width], 0 outside."""
    return PiecewisePolynomial(2, (-width, width), (0.0, 1.0, 0.0))


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
NAMED = [signed_power(2), signed_power(3), hat(0.7), Sine(2, 0.3), Sine(3, 2.0), LogCosh(1.4)]
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


@pytest.mark.parametrize(
    "build",
    [
        lambda: PiecewisePolynomial(2, (1.0,), (1.0,)),
        lambda: PiecewisePolynomial(2, (1.0, 0.0), (1.0, 0.0, 1.0)),
        lambda: PiecewisePolynomial(1, (), (1.0,)),
        lambda: Sine(2, 0.0),
        lambda: LogCosh(math.nan),
    ],
)
def test_bad_input(build):
    with pytest.raises(ValueError, match=r".+"):
        build()
