"""How often a step that lowers one linear loss lowers another one.

The step is -sum_i <g_1, Z_i> Z_i over q Gaussian directions, times a positive number; it changes
the second loss by that times -||g_1|| ||g_2|| sum_i x_i y_i, where the pairs (x_i, y_i) are
standard normal with correlation cos(g_1, g_2), and independent.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.gaussian import Derivation

COSINE = sp.Symbol("cos(g1, g2)", real=True)
_T = sp.Symbol("t", real=True)


def agreement(directions: int) -> Derivation:
    """P(sum_i x_i y_i > 0) as a function of the correlation, -1 <= cos <= 1."""
    weight = (1 - _T**2) ** (sp.Rational(directions, 2) - 1)
    total = sp.integrate(weight, (_T, -1, 1))
    gained = sp.integrate(weight, (_T, 0, COSINE), conds="none")
    value = sp.Rational(1, 2) + sp.simplify(gained / total)
    steps = (
        "4 x y = (x + y)^2 - (x - y)^2; x + y ~ N(0, 2 (1 + cos)) and x - y ~ N(0, 2 (1 - cos)) "
        "are independent",
        f"so sum_i x_i y_i > 0 where (1 + cos) A > (1 - cos) B, A and B ~ chi^2 of {directions} "
        "degrees of freedom: where t > -cos, t = (A - B)/(A + B)",
        f"A/(A + B) ~ Beta({directions}/2, {directions}/2): t has the density {weight / total} on "
        "[-1, 1], which is even",
        f"P(t > -cos) = 1/2 + int_0^cos = {value}",
    )
    return Derivation(value, steps)
