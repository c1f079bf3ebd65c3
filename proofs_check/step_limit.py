"""What no estimate that knows nothing of g and H in advance can fall further by.

B loss values (eps -> 0) give at most k = B - 1 slopes, those of k orthonormal directions, chosen
one after the other if wanted. An estimator is *equivariant* if turning the problem turns its
estimate: MeZO, its averages, NES, Greedy, the guiding vector, the sphere and orthonormal
differences are (signs, masks and layers see coordinates). For it the problem may be turned at
random. Given the slopes, with c = ||P g||^2/||g||^2 the part of g that they show,

    E[g | slopes] = P g,   E[H | g] = t I + (rho - t) g g^T/||g||^2,

rho the Rayleigh quotient of g and t = (Tr H - rho)/(d - 1) the mean curvature across it. A step
x = -u along P g/||P g|| thus falls by u sqrt(c) ||g|| - (u^2/2) (t + (rho - t) c) on average.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.falls import NORM2
from proofs_check.gaussian import Derivation
from proofs_check.moments import norm_moment

SLOPES = sp.Symbol("k", integer=True, positive=True)
D = sp.Symbol("d", integer=True, positive=True)
RHO, ACROSS = sp.symbols("rho t", positive=True)


def limit() -> Derivation:
    """The largest mean fall of one step with k slopes, where rho >= t: ||g||^2 k/(2 (...)).

    The bracket is d t + (rho - t) k = Tr H + (k - 1)(rho - t): at most ||g||^2 k/(2 Tr H), per
    loss value less than ||g||^2/(2 Tr H), twice what MeZO has. Orthonormal forward differences
    come within the factor (d t + (rho - t) k)/(d t + (rho - t) d (k + 2)/(d + 2)) of it.
    """
    shown = sp.cancel(norm_moment(1, SLOPES) / norm_moment(1, D))
    c = sp.Symbol("c", positive=True)
    bracket = ACROSS + (RHO - ACROSS) * c
    step = sp.Symbol("u", positive=True)
    lowered = step * sp.sqrt(c * NORM2) - step**2 * bracket / 2
    (best,) = sp.solve(sp.diff(lowered, step), step)
    given = sp.simplify(lowered.subs(step, best))
    curved = sp.factor(sp.diff(given, c, 2))
    # -(rho - t) t ||g||^2 / bracket^3, negative where rho > t
    if sp.cancel(curved + (RHO - ACROSS) * ACROSS * NORM2 / bracket**3) != 0:
        raise ArithmeticError(f"the second derivative in c is {curved}")
    value = sp.factor(sp.cancel(given.subs(c, shown)))
    trace = (D - 1) * ACROSS + RHO
    total = NORM2 * SLOPES / (2 * (trace + (SLOPES - 1) * (RHO - ACROSS)))
    if sp.cancel(value - total) != 0:
        raise ArithmeticError(f"{value} by Jensen, {total} by the trace")
    steps = (
        "What is across the span is uniform on a sphere given the slopes: E[g | slopes] = P g, and "
        "the part of a step across the span gains nothing and costs curvature.",
        f"given c the best step along P g falls by {given}, concave in c for rho >= t (second "
        f"derivative {curved})",
        f"E c = {shown} whatever the order of the directions; Jensen: at most {value}",
        f"d t + (rho - t) k = Tr H + (k - 1)(rho - t) with Tr H = {trace}",
    )
    return Derivation(value, steps)
