"""TeZO's inequalities as search problems (App. B.2 and Eq. 6 of the paper).

Z = sum_s tau_s u_s v_s^T is the m x n perturbation, G the true gradient, rho the perturbation rate,
and kappa = (f(W + rho Z) - f(W - rho Z)) / (2 rho). The bounds are given by the caller, in symbols
named as each function says, so that a claim, a mutant and a correction are attacked alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from types import ModuleType

import mpmath
import numpy as np
import sympy

from zotheory.search.expectation import LogRule, rank_one_terms, terms_density
from zotheory.search.precise import precise_mean
from zotheory.search.problem import (
    Bound,
    Parameter,
    Point,
    Problem,
    Sides,
    as_bound,
    coded,
    variable,
)
from zotheory.search.profiles import SHAPE_PARAMETERS, Profile, profile_at

_DECADES = tuple(
    Parameter(name, low, high, scale="log")
    for name, low, high in (
        ("rho", 1e-6, 1e2),
        ("lambda", 1e-3, 1e3),
        ("gradient_norm", 1e-6, 1e12),
    )
)


# Pathwise


def pathwise(bound: sympy.Expr | Bound, m: int = 2, n: int = 2) -> Problem:
    """||(1/r) kappa Z - (1/r) <G, Z> Z||^2 <= bound for all lambda-smooth f and all Z (App. B.2).

    The bound's symbols: rho, lambda, Z_norm (Frobenius), r, m, n, gradient_norm. f is separable in
    the entries of W, with a free profile, signs and offset, and G is free; a function of one
    direction is the case of one nonzero weight. Raises ValueError for m, n < 1.
    """
    if m < 1 or n < 1:
        raise ValueError(f"m and n must be at least 1, got {m}, {n}")
    entries = [f"{i}{j}" for i in range(m) for j in range(n)]
    parameters = (
        Parameter("r", 1, min(m, n), integer=True),
        *_DECADES,
        Parameter("Z_scale", 1e-3, 1e3, scale="log"),
        *(Parameter(f"Z_{e}", -1, 1) for e in entries),
        *(Parameter(f"weight_{e}", -1, 1) for e in entries),
        *SHAPE_PARAMETERS,
        Parameter("offset", -2, 2),
    )
    sizes = (as_bound(bound), m, n)
    return Problem(
        name="TeZO App. B.2, pathwise",
        sides=partial(_pathwise_sides, *sizes),
        recheck=partial(_pathwise_recheck, *sizes),
        parameters=parameters,
    )


def _perturbation(m: int, n: int, point: Point) -> np.ndarray:
    return point["Z_scale"] * np.array(
        [point[f"Z_{i}{j}"] for i in range(m) for j in range(n)], dtype=float
    )


def _pathwise_function(m: int, n: int, point: Point) -> ProfileSum:
    """f in the entries of W; lengths are relative to rho Z_scale, f's size to its square."""
    unit = point["rho"] * point["Z_scale"]
    shape = profile_at({**point, "width": point["width"] * unit})
    weights = [point[f"weight_{i}{j}"] for i in range(m) for j in range(n)]
    gradient = np.full(m * n, point["gradient_norm"] / np.sqrt(m * n))
    d = m * n
    return ProfileSum(gradient, [shape] * d, weights, [point["offset"] * unit] * d, point["lambda"])


def _pathwise_quantities(m: int, n: int, point: Point) -> dict:
    return {"m": m, "n": n} | {k: point[k] for k in ("r", "rho", "lambda", "gradient_norm")}


def _pathwise_sides(bound: Bound, m: int, n: int, point: Point) -> Sides:
    z, rho = _perturbation(m, n, point), point["rho"]
    norm = float(np.linalg.norm(z))
    if norm == 0:
        return Sides(float("nan"), 0.0)
    f = _pathwise_function(m, n, point)
    # <G, Z> cancels between kappa and the linear term, so only the remainders are formed.
    difference = float(f.remainder(rho * z) - f.remainder(-rho * z)) / (2 * rho)
    lhs = (difference * norm / point["r"]) ** 2
    return Sides(lhs, bound(**_pathwise_quantities(m, n, point), Z_norm=norm))


def _pathwise_recheck(bound: Bound, m: int, n: int, point: Point, digits: int) -> Sides:
    """The definition itself: f's values at both ends, the matrices, nothing cancelled by hand."""
    with mpmath.workdps(2 * digits + 40):  # 40: the decades between G and the curvature
        f = _pathwise_function(m, n, point)
        z = [mpmath.mpf(float(x)) for x in _perturbation(m, n, point)]
        rho, r = mpmath.mpf(point["rho"]), point["r"]
        ends = [f.value_precise([sign * rho * x for x in z]) for sign in (1, -1)]
        kappa = (ends[0] - ends[1]) / (2 * rho)
        zero = [mpmath.mpf(0)] * len(z)
        slope = mpmath.fsum(g * x for g, x in zip(f.gradient_precise(zero), z, strict=True))
        lhs = mpmath.fsum((kappa * x / r - slope * x / r) ** 2 for x in z)
        norm = mpmath.sqrt(mpmath.fsum(x**2 for x in z))
        rhs = bound.precise(**_pathwise_quantities(m, n, point), Z_norm=norm)
        return Sides(lhs, rhs, (lhs + abs(rhs)) * mpmath.mpf(10) ** -digits)


# Lemma 1, Eq. 12


def eq12(bound: sympy.Expr | Bound, largest: int = 64) -> Problem:
    """E||(1/r) kappa Z - G||^2 <= bound at r = 1 (Lemma 1, Eq. 12).

    The bound's symbols: rho, lambda, sigma, gradient_norm (of the true gradient G), m, n, r (= 1).
    The loss is f(W, xi) = f(W) + <noise, W>, the noise of mean 0 and E||noise||^2 = sigma^2. With
    unit a, b and x = <a b^T, X>, f(W + X) = f(W) + <G, X> + lambda rho^2 R(x/rho) with
    R(s) = phi(t + s) - phi(t) - phi'(t) s is lambda-smooth, and `alignment`, cut to
    [-1, 1], is the cosine of G with a b^T (1 or -1 where m = n = 1). m and n run from 1 to
    `largest`; raises ValueError for largest < 1.

    With s = <a b^T, Z>, kappa = <G + noise, Z> + lambda rho e(s), where e is the odd error of phi.
    As Z given s is symmetric in the directions across a b^T,
        lhs = (c - 1) ||G||^2 + c sigma^2 + 2 cosine ||G|| lambda rho E[e(s) s (||Z||^2 - 1)]
              + lambda^2 rho^2 E[e(s)^2 ||Z||^2],   c = E[<G,Z>^2 ||Z||^2]/||G||^2 = 3 (m+2)(n+2).
    """
    parameters = (
        Parameter("m", 1, largest, scale="log", integer=True),
        Parameter("n", 1, largest, scale="log", integer=True),
        *_DECADES,
        Parameter("alignment", -1.5, 1.5),  # beyond 1: parallel, a face the optimiser must reach
        Parameter("noise", 0, 1e6, scale="symlog"),
        *SHAPE_PARAMETERS,
        Parameter("offset", -2, 2),
    )
    return Problem(
        name="TeZO Lemma 1, Eq. 12",
        sides=partial(_eq12_sides, as_bound(bound)),
        recheck=partial(_eq12_recheck, as_bound(bound)),
        parameters=parameters,
    )


def eq12_kinks(profile: Profile, offset: float) -> list[float]:
    """The |s| where the odd error of the profile at this offset is not analytic."""
    return [abs(kink - offset) for kink in profile.kinks]


def eq12_quantities(point: Point) -> dict:
    """The quantities of Eq. 12's bound at a search point: sigma = noise x gradient_norm, r = 1."""
    names = ("m", "n", "rho", "lambda", "gradient_norm")
    sigma = point["noise"] * point["gradient_norm"]
    return {"r": 1, "sigma": sigma} | {name: point[name] for name in names}


def eq12_cosine(point: Point) -> float:
    """The cosine between G and a b^T: the alignment cut to [-1, 1]."""
    return min(max(point["alignment"], -1.0), 1.0)


def _second_moment(m: int, n: int) -> int:
    """c = E[<G, Z>^2 ||Z||^2] / ||G||^2 at r = 1: E[tau^4] (m + 2) (n + 2)."""
    return 3 * (m + 2) * (n + 2)


def _eq12_lhs(point: Point, cross, square, number=float):
    """The left side from E[e(s) s (||Z||^2 - 1)] and E[e(s)^2 ||Z||^2]."""
    q = {name: number(value) for name, value in eq12_quantities(point).items()}
    c = _second_moment(point["m"], point["n"])
    gradient, scale = q["gradient_norm"], q["rho"] * q["lambda"]
    linear = (c - 1) * gradient**2 + c * q["sigma"] ** 2
    cosine = number(eq12_cosine(point))
    return linear + 2 * cosine * gradient * scale * cross + scale**2 * square


def _eq12_moments(point: Point) -> tuple[float, float]:
    """E[e(s) s (||Z||^2 - 1)] and E[e(s)^2 ||Z||^2] in floats."""
    profile, t = profile_at(point), point["offset"]
    rule = LogRule(eq12_kinks(profile, t))
    squared = terms_density(rule, rank_one_terms(point["m"], point["n"], 1))
    plain = rule.density((0, 0, 0))
    error = profile.odd_error(t, rule.x)  # odd in s, so both integrands are even
    cross = rule.weights @ (error * rule.x * (squared - plain))
    return float(cross), float(rule.weights @ (error**2 * squared))


def _eq12_sides(bound: Bound, point: Point) -> Sides:
    if point["m"] * point["n"] == 1 and abs(eq12_cosine(point)) < 1:
        return Sides(float("nan"), 0.0)  # there is one direction only
    return Sides(_eq12_lhs(point, *_eq12_moments(point)), bound(**eq12_quantities(point)))


def _eq12_recheck(bound: Bound, point: Point, digits: int) -> Sides:
    """Meijer G densities in mpmath; the error bound is ten times the distance from the floats."""
    floats = _eq12_sides(bound, point)
    if math.isnan(floats.lhs):
        return floats
    profile, t = profile_at(point), point["offset"]
    kinks = eq12_kinks(profile, t)
    with mpmath.workdps(2 * digits):
        terms = rank_one_terms(point["m"], point["n"], 1)

        def error(s: mpmath.mpf) -> mpmath.mpf:
            return profile.odd_error(mpmath.mpf(t), s, mpmath)

        def mean(h, of) -> mpmath.mpf:
            return precise_mean(h, of, kinks, digits)

        square = mean(lambda s: error(s) ** 2, terms)
        cross = mean(lambda s: error(s) * s, {**terms, (0, 0, 0): -1})
        lhs = _eq12_lhs(point, cross, square, mpmath.mpf)
        rhs = bound.precise(**eq12_quantities(point))
        distance = abs(lhs - floats.lhs) + abs(rhs - floats.rhs)
        return Sides(lhs, rhs, 10 * distance + (lhs + rhs) * mpmath.mpf(10) ** -digits)


_EQ12 = '''\
# f(W + X) = <G, X> + lam rho^2 [phi(t0 + <a b^T, X>/rho) - phi(t0) - phi'(t0) <a b^T, X>/rho]
# with |phi''| <= 1 is lam-smooth; a, b are unit vectors, cosine = <G, a b^T>/||G||, r = 1.
import math
import numpy as np

{values}
t0 = {offset}
phi = lambda t: {phi}
slope = lambda t: {slope}

def moments(step):
    """E[e(s) s (||Z||^2 - 1)] and E[e(s)^2 ||Z||^2], s = tau p q a product of three normals.

    The density of log|s| is a convolution; ||Z||^2 = tau^2 (p^2 + chi^2_(m-1)) (q^2 + chi^2_(n-1)).
    """
    y = np.arange(-16, 3, step)
    def factor(power):
        return step * np.sqrt(2 / np.pi) * np.exp((power + 1) * y - np.exp(2 * y) / 2)
    def weights(i, j, k):
        return np.convolve(np.convolve(factor(i), factor(j)), factor(k))
    s = np.exp(3 * y[0] + step * np.arange(3 * y.size - 2))
    e = (phi(t0 + s) - phi(t0 - s)) / 2 - slope(t0) * s
    squared = (weights(2, 2, 2) + (m + n - 2) * weights(2, 2, 0)
               + (m - 1) * (n - 1) * weights(2, 0, 0))
    return e * s @ (squared - weights(0, 0, 0)), e**2 @ squared

def actual(step):
    cross, square = moments(step)
    c = 3 * (m + 2) * (n + 2)  # E[<G,Z>^2 ||Z||^2] / ||G||^2
    return ((c - 1) * gradient_norm**2 + c * sigma**2
            + 2 * cosine * gradient_norm * lam * rho * cross + (lam * rho)**2 * square)

claimed = {bound}
value = actual(1 / 128)
print("claimed bound:", claimed)
print("actual value: ", value, "(quadrature error about", abs(value - actual(1 / 64)), ")")
print("ratio:        ", value / claimed)
'''


def eq12_snippet(bound: sympy.Expr | Bound, point: Point) -> str:
    """The code that prints Eq. 12's bound and the actual mean square error at a search point."""
    quantities = {**eq12_quantities(point), "cosine": eq12_cosine(point)}
    phi, slope = profile_at(point).source()
    return _EQ12.format(
        values="\n".join(f"{variable(k)} = {v!r}" for k, v in quantities.items()),
        offset=repr(point["offset"]),
        phi=phi,
        slope=slope,
        bound=coded(bound),
    )


# A function on R^d whose smoothness constant is exact by construction.
#
# The argument is the displacement x from the point W where the estimate is taken; f(0) = 0 and the
# gradient at x = 0 is free, whatever the curvature.


class ProfileSum:
    """f(x) = <g, x> + scale sum_i c_i [phi_i(t_i + x_i) - phi_i(t_i) - phi_i'(t_i) x_i].

    With profiles of order 2 its gradient, of order 3 its Hessian, is Lipschitz with the constant
    scale max_i |c_i| bound_i, exactly.

    Raises ValueError for shapes that do not match, more profiles than coordinates, profiles of
    different orders or a scale that is not positive and finite.
    """

    def __init__(
        self,
        gradient: np.ndarray,
        profiles: Sequence[Profile],
        weights: Sequence[float],
        offsets: Sequence[float],
        scale: float,
    ) -> None:
        gradient = np.asarray(gradient, dtype=float)
        if gradient.ndim != 1 or not np.all(np.isfinite(gradient)):
            raise ValueError(f"gradient must be a finite vector; got shape {gradient.shape}")
        if not 1 <= len(profiles) <= gradient.size or len({p.order for p in profiles}) != 1:
            raise ValueError("needs between 1 and d profiles, all of the same order")
        if not len(profiles) == len(weights) == len(offsets):
            raise ValueError("needs one weight and one offset per profile")
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be positive and finite, got {scale}")
        self._gradient, self._scale = gradient, float(scale)
        self._terms = tuple(zip(profiles, map(float, weights), map(float, offsets), strict=True))

    def remainder(self, x: Sequence, xp: ModuleType = np):
        """f(x) - <g, x>, for x of shape (d,)."""
        total = 0 * x[0]
        for (profile, c, t), s in zip(self._terms, x, strict=False):
            t = s * 0 + t  # the offset in the arithmetic of x
            here, slope = profile.value(t, xp), profile.slope(t, xp)
            total = total + c * (profile.value(t + s, xp) - here - slope * s)
        return self._scale * total

    def value_precise(self, x: Sequence[mpmath.mpf]) -> mpmath.mpf:
        """f(x) in mpmath's current precision."""
        linear = (mpmath.mpf(float(g)) * s for g, s in zip(self._gradient, x, strict=True))
        return mpmath.fsum(linear) + self.remainder(x, mpmath)

    def gradient_precise(self, x: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
        """The gradient at x in mpmath's current precision."""
        total = [mpmath.mpf(float(g)) for g in self._gradient]
        for i, ((profile, c, t), s) in enumerate(zip(self._terms, x, strict=False)):
            t = s * 0 + t
            total[i] += self._scale * c * (profile.slope(t + s, mpmath) - profile.slope(t, mpmath))
        return total
