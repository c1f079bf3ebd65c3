"""E[A / (A + chi2)], the squared cosine of a direction whose part along G has the square A.

A direction v with <v, G>/||G|| = sqrt(A) and, independent of it, d - 1 standard normal entries
across G has cos^2(G, v) = A / (A + chi2_(d-1)). With F(c) = E exp(-(c - 1) A / 2), c >= 1,

    E A = -2 F'(1),  E A^2 = 4 F''(1),  E[A / (A + chi2_(d-1))] = int_1^oo -F'(c) c^(-(d-1)/2) dc,

the last from 1/x = int_0^oo e^(-tx) dt, E e^(-t chi2_(d-1)) = (1 + 2t)^(-(d-1)/2), c = 1 + 2t.
"""

from __future__ import annotations

import mpmath
import sympy as sp

C = sp.Symbol("c", positive=True)


def first_two_moments(transform: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """E A and E A^2 from F(c); ValueError if F(1) is not 1."""
    if sp.simplify(transform.subs(C, 1) - 1) != 0:
        raise ValueError(f"F(1) = {transform.subs(C, 1)}, a transform of a law has F(1) = 1")
    first, second = (sp.diff(transform, C, k).subs(C, 1) for k in (1, 2))
    return sp.radsimp(sp.expand(-2 * first)), sp.radsimp(sp.expand(4 * second))


def cosine_of_chi2(degrees: sp.Expr, d: sp.Expr) -> sp.Expr:
    """E[A / (A + chi2_(d-1))] for A ~ chi2 with the given degrees of freedom: F(c) = c^(-q/2)."""
    exponent = sp.Symbol("e", positive=True)  # (q + d - 1)/2
    tail = sp.integrate(C ** (-exponent - 1), (C, 1, sp.oo))
    return degrees / sp.S(2) * tail.subs(exponent, (degrees + d - 1) / sp.S(2))


def arcsine_transform(beta: sp.Expr) -> sp.Expr:
    """F(c) = c^(-1/2) (1 - pi beta/6 + beta arcsin(1/(1 + c)))."""
    return (1 - sp.pi * beta / 6 + beta * sp.asin(1 / (1 + C))) / sp.sqrt(C)


def cosine_of_arcsine(beta: sp.Expr, d: sp.Expr) -> sp.Expr:
    """E[A / (A + chi2_(d-1))] = (1 + (d-1) beta I_d) / d for the F of `arcsine_transform`.

    I_d = int_1^oo c^(-(d+1)/2) / ((1 + c) sqrt(c + 2)) dc. By parts, twice: the integral is
    1 - (d-1)/2 int F c^(-(d+1)/2) dc, and (arcsin(1/(1+c)))' = -1/((1+c) sqrt(c (c+2))).
    """
    if beta == 0:
        return 1 / sp.sympify(d)
    rest = sp.Integral(C ** (-(d + 1) / 2) / ((1 + C) * sp.sqrt(C + 2)), (C, 1, sp.oo))
    return (1 + (d - 1) * beta * rest) / d


# Numbers from expressions with integrals that have no closed form.


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
