"""Numbers from expressions with integrals that have no closed form."""

from __future__ import annotations

import mpmath
import sympy as sp


def number(expression: sp.Expr) -> float:
    """The value of an expression whose integrals (over one variable) are computed by quadrature.

    SymPy's own evalf takes minutes on infinite ranges. Raises ValueError if symbols are left, or
    if the quadrature's own error estimate exceeds 1e-9 of the value.
    """
    if expression.free_symbols:
        raise ValueError(f"sizes are missing: {sorted(map(str, expression.free_symbols))}")
    return float(expression.replace(lambda e: isinstance(e, sp.Integral), _quadrature).evalf())


def _quadrature(integral: sp.Integral) -> sp.Float:
    ((variable, lower, upper),) = integral.limits
    function = sp.lambdify(variable, integral.function, "mpmath", cse=True)
    cuts = [x for x in (-8, -3, -1, 0, 1, 3, 8) if lower < x < upper]
    points = [mpmath.mpf(str(x).replace("oo", "inf")) for x in (lower, *cuts, upper)]
    value, error = mpmath.quad(function, points, error=True)
    if error > 1e-9 * abs(value):
        raise ValueError(f"quadrature error {error} of {value} for {integral}")
    return sp.Float(value)
