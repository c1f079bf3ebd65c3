import pytest
import sympy as sp

from proofs_check.moments import norm_moment, norm_power_moment, scalar_moment

m = sp.Symbol("m", integer=True, positive=True)


def test_scalar_moments():
    assert [scalar_moment(k) for k in range(9)] == [1, 0, 1, 0, 3, 0, 15, 0, 105]


def test_norm_moments():
    assert norm_moment(0, m) == 1
    assert norm_moment(1, m) == m
    assert sp.factor(norm_moment(2, m)) == m * (m + 2)
    assert sp.factor(norm_moment(3, m)) == m * (m + 2) * (m + 4)


def test_norm_moments_differ_from_the_printed_lemma():
    assert sp.expand(norm_moment(2, m) - m * (2 * m - 1)) != 0


@pytest.mark.parametrize("k", range(6))
def test_gamma_formula_agrees_with_the_engine(k):
    assert sp.gammasimp(norm_power_moment(2 * k, m) - norm_moment(k, m)).expand() == 0


def test_gamma_formula_against_the_integral():
    t = sp.Symbol("t", positive=True)
    for dimension, p in [(1, 3), (3, 1), (2, sp.Rational(1, 2))]:
        weight = t ** (dimension - 1) * sp.exp(-(t**2) / 2)
        integral = sp.integrate(t**p * weight, (t, 0, sp.oo)) / sp.integrate(weight, (t, 0, sp.oo))
        assert sp.simplify(norm_power_moment(p, dimension) - integral) == 0


def test_bad_orders():
    for bad in (-1, 1.5):
        with pytest.raises(ValueError, match="order of a moment"):
            norm_moment(bad, m)
    with pytest.raises(ValueError, match="infinite"):
        norm_power_moment(-3, 2)
