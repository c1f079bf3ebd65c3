"""Gaussian smoothing f_eps(x) = E f(x + eps z), z ~ N(0, I_n), for every L-smooth f, exactly.

The two-point estimate g = (f(x + eps z) - f(x - eps z)) / (2 eps) z is one with n coordinates: all
that a method sees which perturbs n coordinates and leaves the others alone. Bounds are derived from
moments of z, which come out of pairings (Nesterov and Spokoiny 2017, "Random gradient-free
minimization of convex functions", Sec. 2 and 3, with two-sided differences).
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from proofs_check.moments import norm_moment, scalar_moment

EPS, L = sp.symbols("eps L", positive=True)
N = sp.Symbol("n", integer=True, positive=True)
SMOOTHED_SQUARE = sp.Symbol("||grad f_eps||^2", nonnegative=True)

Difference = Mapping[int, sp.Expr]
"""{s: c_s} of the estimate sum_s c_s f(x + s eps z) z, with s = 1 and s = -1."""

TWO_POINT: Difference = {1: 1 / (2 * EPS), -1: -1 / (2 * EPS)}


def mean(difference: Difference = TWO_POINT) -> Derivation:
    """The number k with E[estimate]_i = k d_i f_eps(x) for every perturbed coordinate i, any f.

    Stein's identity. f is differentiable and grows slowly enough for f phi to vanish at infinity,
    as every L-smooth f does. Raises ValueError unless the s are 1 and -1.
    """
    if not set(difference) <= {1, -1}:
        raise ValueError(f"the points must be x + eps z and x - eps z, got {sorted(difference)}")
    x, t = sp.symbols("x t", real=True)
    f, density = sp.Function("f"), sp.exp(-(t**2) / 2)
    for s in difference:
        value = f(x + s * EPS * t)
        by_parts = sp.diff(value * density, t) + t * value * density
        if sp.simplify(by_parts - s * EPS * sp.diff(value, x) * density) != 0:
            raise ArithmeticError("Stein's identity does not hold")
    factor = sum((c * s * EPS for s, c in difference.items()), start=sp.S.Zero)
    steps = (
        "d/dt [f(x + s eps t) phi(t)] = s eps f'(x + s eps t) phi(t) - t f(x + s eps t) phi(t), "
        "phi' = -t phi; the left side integrates to 0",
        "so E[f(x + s eps z) z_i] = s eps E[d_i f(x + s eps z)], in each coordinate i, the others "
        "fixed; -z has the law of z: = s eps d_i f_eps(x) for s = 1 and -1",
        f"sum_s c_s s eps = {sp.simplify(factor)}",
    )
    return Derivation(sp.simplify(factor), steps)


def cubic_shift() -> sp.Expr:
    """d f_eps(x) - d f(x) for f(x) = x^3: what smoothing adds to a gradient need not be 0."""
    x, z = sp.symbols("x z")
    smoothed = sp.Poly(sp.diff((x + EPS * z) ** 3, x), z)
    mean_slope = sum(c * scalar_moment(k) for (k,), c in smoothed.terms())
    return sp.expand(mean_slope - 3 * x**2)


def bias_square() -> Derivation:
    """A bound on ||E g - grad f(x)||^2 for every L-smooth f."""
    value = EPS**2 * L**2 * norm_moment(1, N)
    steps = (
        "E g - grad f = E[grad f(x + eps z) - grad f(x)] (Stein)",
        f"||E[...]||^2 <= E||...||^2 <= L^2 eps^2 E||z||^2 = {value} (Jensen, L-smoothness)",
    )
    return Derivation(value, steps)


def gradient_square() -> Derivation:
    """A bound on ||grad f(x)||^2 by the smoothed gradient, for every L-smooth f."""
    bias = bias_square()
    bound = sp.expand(2 * SMOOTHED_SQUARE + 2 * bias.value)
    step = f"grad f = grad f_eps - (E g - grad f), and {_twice()}: ||grad f||^2 <= {bound}"
    return Derivation(bound, (*bias.steps, step))


def linear_second_moment() -> Derivation:
    """E (<s, z> ||z||)^2 / ||s||^2 for a vector s: the second moment of <s, z> z."""
    s, z = Fixed("s"), Gaussian("z")
    i, j, k, a = (Index(name, N) for name in "ijka")
    found = derive(s[i] * z[i] * s[j] * z[j] * z[k] * z[k])
    return Derivation(sp.cancel(found.value / contraction(s[a] * s[a])), found.steps)


def second_moment() -> Derivation:
    """A bound on E||g||^2 by the smoothed gradient s = grad f_eps(x), for every L-smooth f.

    The route of Nesterov and Spokoiny. <s, z>^2 ||z||^2 is kept as it is; bounding it by
    ||s||^2 ||z||^4 would cost a factor n.
    """
    r2, sz2 = sp.symbols("z2 sz2", nonnegative=True)  # ||z||^2, <s, z>^2
    gap = EPS**2 * L * norm_moment(1, N) / 2  # of f_eps and f, at any point
    taylor = EPS**2 * L * r2 / 2  # of f_eps at x + eps z, which is L-smooth as f is
    a2, b2 = 2 * gap**2 + 2 * gap**2, 2 * EPS**2 * sz2 + 2 * taylor**2
    square = sp.expand(2 * a2 + 2 * b2)
    linear = linear_second_moment()
    powers = sp.Poly(sp.expand(square * r2 / EPS**2), r2, sz2)
    value = sp.S.Zero
    for (k, j), c in powers.terms():
        value += c * (linear.value * SMOOTHED_SQUARE if j else norm_moment(k, N))
    steps = (
        f"|f_eps(y) - f(y)| <= (L/2) eps^2 E||z||^2 = {gap} for all y; with "
        "A = (f_eps - f)(x) - (f_eps - f)(x + eps z)",
        "B = f_eps(x + eps z) - f_eps(x) = eps <s, z> + rest, |rest| <= (L/2) eps^2 ||z||^2",
        f"D = f(x + eps z) - f(x) = A + B, and three times {_twice()}: D^2 <= {square}, where "
        "z2 = ||z||^2 and sz2 = <s, z>^2",
        "||g||^2 = (D_+ - D_-)^2 ||z||^2/(4 eps^2) <= (D_+^2 + D_-^2) ||z||^2/(2 eps^2), and D_- "
        "has the law of D_+: E||g||^2 <= E[D^2 ||z||^2]/eps^2",
        *linear.steps,
        f"E||z||^2k = {norm_moment(1, N)}, {norm_moment(2, N)}, {norm_moment(3, N)} for k = 1, 2, "
        f"3: E||g||^2 <= {sp.expand(value)}",
    )
    return Derivation(sp.expand(value), steps)


def _twice() -> str:
    a, b = sp.symbols("a b", real=True)
    if sp.expand(2 * a**2 + 2 * b**2 - (a + b) ** 2 - (a - b) ** 2) != 0:
        raise ArithmeticError("the parallelogram identity does not hold")
    return "||a + b||^2 = 2||a||^2 + 2||b||^2 - ||a - b||^2 <= 2||a||^2 + 2||b||^2"
