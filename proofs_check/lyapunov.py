"""Odd moments of the norm of a Gaussian vector between rational functions of the dimension.

p -> log E||z||^p is convex (Lyapunov, 1901), and the even moments are polynomials in n.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.moments import norm_moment
from proofs_check.results import Enclosed


def enclose(p: int, n: sp.Expr) -> Enclosed:
    """(E||z||^p)^2 for z ~ N(0, I_n), p odd: p lies between p - 1 and p + 1, p + 1 below p + 3.

    The bounds are the even moments' in (E||z||^p)^2 <= E||z||^(p-1) E||z||^(p+1) and
    E||z||^(p+1) <= (E||z||^p)^(2/3) (E||z||^(p+3))^(1/3). Raises ValueError unless p is odd and
    positive.
    """
    if p < 1 or p % 2 == 0:
        raise ValueError(f"the order must be odd and positive, got {p}")
    below, above, far = (norm_moment(k // 2, n) for k in (p - 1, p + 1, p + 3))
    upper, lower = sp.factor(below * above), sp.factor(above**3 / far)
    steps = (
        f"(E||z||^{p})^2 <= E||z||^{p - 1} E||z||^{p + 1} = {upper}",
        f"(E||z||^{p})^2 >= (E||z||^{p + 1})^3 / E||z||^{p + 3} = {lower}, "
        f"as {p + 1} = (2/3) {p} + (1/3) {p + 3}",
    )
    return Enclosed(lower, upper, steps)
