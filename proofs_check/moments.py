"""Moments of one Gaussian variable and of the norm of one Gaussian vector, exact.

The integer moments come out of :mod:`proofs_check.gaussian`, none is typed in.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.gaussian import Gaussian, Index, expect


def scalar_moment(k: int) -> sp.Integer:
    """``E tau^k`` for tau ~ N(0, 1): 0 for odd k, (k-1)!! for even k."""
    _check_order(k)
    tau = Gaussian("tau")
    return expect([tau[()]] * k)


def norm_moment(k: int, m: sp.Expr | int) -> sp.Expr:
    """``E ||u||^(2k)`` for u ~ N(0, I_m), a polynomial in m: m (m+2) ... (m+2k-2)."""
    _check_order(k)
    u = Gaussian("u")
    indices = [Index(f"i{a}", m) for a in range(k)]
    return expect([(u[i], u[i]) for i in indices])


def norm_power_moment(p: sp.Expr | int, m: sp.Expr | int) -> sp.Expr:
    """``E ||u||^p = 2^(p/2) Gamma((m+p)/2) / Gamma(m/2)`` for u ~ N(0, I_m) and real p > -m.

    The integral of ``t^p`` against the chi density ``t^(m-1) e^(-t^2/2) / (2^(m/2-1) Gamma(m/2))``.
    Raises ValueError where p <= -m is certain (the moment is infinite).
    """
    p, m = sp.sympify(p), sp.sympify(m)
    if (p + m).is_nonpositive:
        raise ValueError(f"E||u||^p is infinite for p = {p} <= -m = {-m}")
    return 2 ** (p / 2) * sp.gamma((m + p) / 2) / sp.gamma(m / 2)


def _check_order(k: int) -> None:
    if not isinstance(k, int) or k < 0:
        raise ValueError(f"the order of a moment is a nonnegative integer, not {k!r}")
