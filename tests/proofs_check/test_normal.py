"""Phi and its quantiles, enclosed."""

import pytest
import sympy as sp
from scipy.stats import norm

from proofs_check.normal import distribution, quantile


@pytest.mark.parametrize("x", ["-5", "-1.25", "0", "1/3", "2", "5"])
def test_the_distribution_function_lies_within_narrow_bounds(x):
    low, high = distribution(sp.Rational(x))
    assert low <= high
    assert float(high - low) < 2e-15
    assert float(low) == pytest.approx(norm.cdf(float(sp.Rational(x))), abs=2e-15)


@pytest.mark.parametrize("p", ["1/3", "1/13", "1/2", "999/1000"])
def test_quantiles_lie_between_their_bounds(p):
    low, high = quantile(sp.Rational(p))
    assert 0 <= float(high - low) <= 4e-9
    assert float(low) - 1e-12 <= norm.ppf(float(sp.Rational(p))) <= float(high) + 1e-12


def test_what_is_too_far_out_is_told():
    with pytest.raises(ValueError, match="at most 5"):
        distribution(sp.Integer(6))
    with pytest.raises(ValueError, match="between"):
        quantile(sp.Rational(1, 10**9))
