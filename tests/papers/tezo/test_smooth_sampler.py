import numpy as np
import pytest

from zotheory.papers.tezo.lemma1 import ScalarError, scalar_error_moment


def objective(w, g):
    return g * w + w * abs(w) / 2


@pytest.mark.parametrize("g", [0.0, 1.0, 10.0])
def test_the_scalar_error_from_two_evaluations_of_f(g):
    size = 400_000
    z = np.prod(np.random.default_rng(0).standard_normal((3, size)), axis=0)
    estimate = (objective(z, g) - objective(-z, g)) / 2 * z
    defined = (estimate - g) ** 2
    mean = scalar_error_moment(g, 1)
    assert abs(defined.mean() - mean) < 5 * defined.std() / size**0.5


@pytest.mark.parametrize("g", [1.0, 100.0])
def test_moments_of_the_sampler(g):
    size = 400_000
    found = ScalarError(g)(np.random.default_rng(1), size)
    assert found.shape == (size,)
    mean, second = scalar_error_moment(g, 1), scalar_error_moment(g, 2)
    assert abs(found.mean() - mean) < 4 * ((second - mean**2) / size) ** 0.5


def test_known_moments():
    """g = 0: E |Z|^6 / 4 = 15^3 / 4 and E_uv (15 u^6 v^6 / 4)^2 = (15/4)^2 (11!!)^2."""
    assert scalar_error_moment(0.0, 1) == pytest.approx(15**3 / 4)
    assert scalar_error_moment(0.0, 2) == pytest.approx((15 / 4 * 10395) ** 2)
