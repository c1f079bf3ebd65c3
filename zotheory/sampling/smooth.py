"""Samplers of two-point estimates on smooth functions that are not linear or quadratic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp


def _tau_moment(power: int) -> float:
    """E|tau|^power for tau ~ N(0, 1)."""
    return float(2 ** sp.Rational(power, 2) * sp.gamma(sp.Rational(power + 1, 2)) / sp.sqrt(sp.pi))


def _polynomial(g: float) -> np.polynomial.Polynomial:
    """|estimate - g|^2 as a polynomial in |Z|: (g (Z^2 - 1) + |Z|^3 / 2)^2."""
    error = np.polynomial.Polynomial([-g, 0.0, g, 0.5])
    return error * error


@dataclass(frozen=True)
class ScalarError:
    """|two-point estimate - f'(0)|^2 for f(w) = g w + w|w|/2, rho = 1, in expectation over tau.

    f is 1-smooth. Z = tau u v, and the estimate is (f(Z) - f(-Z)) Z / 2 = g Z^2 + |Z|^3 / 2.
    """

    g: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        given = np.prod(np.abs(rng.standard_normal((2, size))), axis=0)
        coefficients = _polynomial(self.g).coef
        moments = [_tau_moment(k) for k in range(len(coefficients))]
        return np.polynomial.Polynomial(coefficients * np.array(moments))(given)


def scalar_error_moment(g: float, power: int) -> float:
    """E of the `power`-th power of `ScalarError`, by the Gaussian absolute moments of u and v."""
    coefficients = _polynomial(g).coef
    moments = np.array([_tau_moment(k) for k in range(len(coefficients))])
    conditional = np.polynomial.Polynomial(coefficients * moments) ** power
    return float(sum(c * _tau_moment(k) ** 2 for k, c in enumerate(conditional.coef)))
