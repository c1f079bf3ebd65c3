import math

import mpmath
import numpy as np
import pytest

from zotheory.search.curvature import CubicForm, DoubleCone, Ridge
from zotheory.search.profiles import LogCosh, PiecewisePolynomial, Sine, signed_power

RIDGES = (
    Ridge(signed_power(2), 0.0),
    Ridge(PiecewisePolynomial(2, (-0.8, 0.8), (0.3, 1.0, -1.0)), 0.4),
    Ridge(Sine(2, 0.7), 0.3),
    Ridge(LogCosh(1.5), -0.6),
    Ridge(signed_power(3), 0.5),
    Ridge(Sine(3, 1.2), 1.0),
)
FORMS = (DoubleCone(), CubicForm(1.0, 0.0), CubicForm(0.5, 0.5), CubicForm(-0.6, 0.4))


def axial(form, y):
    """s at the rows of y, by its definition, with axis e_1."""
    n, radius = y.shape[1], np.linalg.norm(y, axis=1)
    c, d = y[:, 0] / radius, np.linalg.norm(y[:, 1:], axis=1) / radius
    return np.sign(c) * radius**form.order * form.sigma(np.abs(c), d, n)


def ridge(s, y):
    t, x = np.float64(s.offset), y[:, 0]
    return s.profile.value(t + x) - s.profile.value(t) - s.profile.slope(t) * x


def curve(s, y):
    return ridge(s, y) if isinstance(s, Ridge) else axial(s, y)


def gradient(s, y, step=1e-5):
    shifts = step * np.eye(y.shape[1])
    return np.stack([(curve(s, y + h) - curve(s, y - h)) / (2 * step) for h in shifts], axis=1)


@pytest.mark.sampled
@pytest.mark.parametrize("s", RIDGES + FORMS)
@pytest.mark.parametrize("n", [1, 2, 3, 17])
def test_floats_and_precise_route_agree(s, n):
    floats, precise = s.moments(n), s.precise(n, 12)
    assert s.slope(n) == floats.slope
    for name in ("slope", "cross", "square"):
        assert getattr(floats, name) == pytest.approx(float(getattr(precise, name)), rel=1e-9)


@pytest.mark.parametrize("s", RIDGES + FORMS)
@pytest.mark.parametrize("n", [1, 4])
def test_moments_against_simulation(s, n):
    """Five standard errors, of the definition with whole vectors and a numerical gradient."""
    z = np.random.default_rng(n).standard_normal((200_000, n))
    odd, norm2 = (curve(s, z) - curve(s, -z)) / 2, (z**2).sum(axis=1)
    found = s.moments(n)
    samples = {
        "slope": gradient(s, z)[:, 0],
        "cross": odd * z[:, 0] * norm2,
        "square": odd**2 * norm2,
    }
    for name, values in samples.items():
        error = values.std() / math.sqrt(len(values))
        assert abs(values.mean() - getattr(found, name)) <= 5 * error + 1e-8, name


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_double_cone_is_one_smooth(n):
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, 4000, n))
    b = np.where(rng.random((4000, 1)) < 0.5, a + 0.05 * b, b)
    moved = np.linalg.norm(gradient(DoubleCone(), a) - gradient(DoubleCone(), b), axis=1)
    ratio = moved / np.linalg.norm(a - b, axis=1)
    assert 0.95 < ratio.max() <= 1 + 1e-6


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_cubic_form_has_norm_one(form, n):
    """6 s is the form at three equal unit vectors; its largest value is its norm (Banach)."""
    y = np.random.default_rng(n).standard_normal((200_000, n))
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    exists = float(n > 1 or form.along != 0)  # there is nothing across the axis in one dimension
    assert np.abs(6 * axial(form, y)).max() == pytest.approx(exists, abs=1e-3)


def test_closed_forms():
    """E max(|z_1|, |z_2|) = 2/sqrt(pi), E|z| = sqrt(2/pi); the cubic has slope 1/2."""
    assert DoubleCone().slope(2) == pytest.approx(2 / math.sqrt(math.pi))
    assert DoubleCone().slope(1) == pytest.approx(math.sqrt(2 / math.pi))
    assert Ridge(signed_power(2), 0.0).slope(7) == pytest.approx(math.sqrt(2 / math.pi))
    assert CubicForm(0.5, 1.0).slope(5) == pytest.approx((5 + 1) / 4)
    assert CubicForm(1.0, 0.0).precise(1, 12).slope == 0


def test_the_double_cone_approaches_the_largest_slope():
    """No s exceeds E||z|| < sqrt(n)."""
    shares = [DoubleCone().slope(n) / math.sqrt(n) for n in (1, 4, 64, 4000)]
    assert shares[-1] == pytest.approx(1, abs=1e-3)
    assert max(shares) < 1


@pytest.mark.parametrize(("a", "b"), [(0, 0), (math.nan, 1)])
def test_bad_forms(a, b):
    with pytest.raises(ValueError, match="coefficients"):
        CubicForm(a, b)


def test_bad_dimension():
    with pytest.raises(ValueError, match="dimension"):
        DoubleCone().slope(0)


def test_precise_works_in_high_precision():
    found = DoubleCone().precise(2, 30).slope
    with mpmath.workdps(40):
        assert abs(found - 2 / mpmath.sqrt(mpmath.pi)) < mpmath.mpf(10) ** -30
