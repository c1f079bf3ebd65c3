"""Inequalities about Gaussian smoothing as search problems.

For f on R^n and z ~ N(0, I_n), f_eps(x) = E f(x + eps z), and the two-point estimate at x = 0 is

    g(z) = (f(eps z) - f(-eps z)) / (2 eps) z,   with mean grad f_eps(0).

(A method that perturbs n of d coordinates, or a subspace of dimension n, sees f there.) The losses
are f(x) = <g, x> + L eps^p s(x / eps) with the curved parts s of `curvature`: a ridge with a free
profile and offset, or a form homogeneous about an axis e. The gradient is free, so the point of the
search names grad f_eps(0), which g then makes so. Bounds are in symbols named as the functions say.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import sympy

from zotheory.search.curvature import CubicForm, Curvature, DoubleCone, Moments, Ridge
from zotheory.search.problem import Bound, Parameter, Point, Problem, Sides, as_bound
from zotheory.search.profiles import SHAPE_PARAMETERS, profile_at

# Of moments, n, L eps, ||grad f_eps|| and <u, e>: numbers, floats or mpmath's.
Quantity = Callable[[Moments, int, Any, Any, Any], Any]

_GRADIENT = (
    Parameter("smoothed_gradient", 0, 1e12, scale="symlog"),
    Parameter("alignment", -1.5, 1.5),  # beyond 1: parallel, a face the optimiser must reach
)


def bias(bound: sympy.Expr | Bound, order: int = 2, largest: int = 64) -> Problem:
    """||E[two-point estimate] - grad f|| <= bound.

    For all L-smooth f (order 2), or all f with an L-Lipschitz Hessian (order 3). The bound's
    symbols: eps, L, n. n runs from 1 to `largest`. Raises ValueError for other orders.
    """
    if order not in (2, 3):
        raise ValueError(f"order must be 2 or 3, got {order}")
    bound = as_bound(bound)
    return Problem(
        name=f"bias of the two-point estimate, order {order}",
        sides=partial(_bias_sides, bound, order),
        recheck=partial(_bias_recheck, bound, order),
        parameters=(*_common(largest), *((Parameter("tilt", -1, 1),) if order == 3 else ())),
    )


def gradient_norm(bound: sympy.Expr | Bound, largest: int = 64) -> Problem:
    """||grad f||^2 <= bound for all L-smooth f.

    The bound's symbols: eps, L, n and smoothed_gradient, the norm of grad f_eps.
    """
    return _of_smoothed_gradient("squared gradient", _gradient_norm, bound, largest)


def second_moment(bound: sympy.Expr | Bound, largest: int = 64) -> Problem:
    """E||two-point estimate||^2 <= bound for all L-smooth f.

    The bound's symbols: eps, L, n and smoothed_gradient, the norm of grad f_eps.
    """
    return _of_smoothed_gradient("second moment of the estimate", _second_moment, bound, largest)


def _of_smoothed_gradient(
    name: str, quantity: Quantity, bound: sympy.Expr | Bound, largest: int
) -> Problem:
    sizes = (as_bound(bound), quantity)
    return Problem(
        name=name,
        sides=partial(_sides, *sizes),
        recheck=partial(_recheck, *sizes),
        parameters=(*_common(largest), *_GRADIENT),
    )


def _common(largest: int) -> tuple[Parameter, ...]:
    return (
        Parameter("n", 1, largest, scale="log", integer=True),
        Parameter("eps", 1e-6, 1e2, scale="log"),
        Parameter("L", 1e-3, 1e3, scale="log"),
        Parameter("axial", 0, 1, integer=True),  # a ridge, or a form about an axis
        *SHAPE_PARAMETERS,
        Parameter("offset", -2, 2),
    )


def curvature_at(point: Point, order: int = 2) -> Curvature:
    """The curved part that a search's point names."""
    if not point["axial"]:
        return Ridge(profile_at(point, order), point["offset"])
    if order == 2:
        return DoubleCone()
    return CubicForm(across=point["tilt"], along=1 - abs(point["tilt"]))


# The bias: L eps^(p-1) |slope|


def _bias_sides(bound: Bound, order: int, point: Point) -> Sides:
    slope = curvature_at(point, order).slope(point["n"])
    scale = point["L"] * point["eps"] ** (order - 1)
    return Sides(scale * abs(slope), bound(**_sizes(point)))


def _bias_recheck(bound: Bound, order: int, point: Point, digits: int) -> Sides:
    floats = _bias_sides(bound, order, point)
    with mpmath.workdps(2 * digits):
        slope = curvature_at(point, order).precise(point["n"], digits).slope
        scale = mpmath.mpf(point["L"]) * mpmath.mpf(point["eps"]) ** (order - 1)
        return _compared(scale * abs(slope), bound.precise(**_sizes(point)), floats, digits)


# Quantities of the estimate, given grad f_eps(0) = G u with <u, e> = cosine


def _gradient_norm(moments: Moments, n: int, scale: Any, gradient: Any, cosine: Any) -> Any:
    """||grad f||^2: the gradient is G u - scale slope e."""
    shift = scale * moments.slope
    return gradient**2 - 2 * gradient * shift * cosine + shift**2


def _second_moment(moments: Moments, n: int, scale: Any, gradient: Any, cosine: Any) -> Any:
    """E (<g, z> + scale o(z))^2 ||z||^2 with g = grad f; E <g, z>^2 ||z||^2 = (n + 2) ||g||^2."""
    along = gradient * cosine - scale * moments.slope
    linear = (n + 2) * _gradient_norm(moments, n, scale, gradient, cosine)
    return linear + 2 * along * scale * moments.cross + scale**2 * moments.square


def _sides(bound: Bound, quantity: Quantity, point: Point) -> Sides:
    if point["n"] == 1 and abs(_cosine(point)) < 1:
        return Sides(math.nan, 0.0)  # there is one direction only
    moments = curvature_at(point).moments(point["n"])
    scale = point["L"] * point["eps"]
    lhs = quantity(moments, point["n"], scale, point["smoothed_gradient"], _cosine(point))
    return Sides(lhs, bound(**_quantities(point)))


def _recheck(bound: Bound, quantity: Quantity, point: Point, digits: int) -> Sides:
    floats = _sides(bound, quantity, point)
    if math.isnan(floats.lhs):
        return floats
    with mpmath.workdps(2 * digits):
        moments = curvature_at(point).precise(point["n"], digits)
        scale = mpmath.mpf(point["L"]) * mpmath.mpf(point["eps"])
        gradient, cosine = mpmath.mpf(point["smoothed_gradient"]), mpmath.mpf(_cosine(point))
        lhs = quantity(moments, point["n"], scale, gradient, cosine)
        return _compared(lhs, bound.precise(**_quantities(point)), floats, digits)


def _compared(lhs: mpmath.mpf, rhs: mpmath.mpf, floats: Sides, digits: int) -> Sides:
    """The error bound is ten times the distance from the floats."""
    distance = abs(lhs - floats.lhs) + abs(rhs - floats.rhs)
    return Sides(lhs, rhs, 10 * distance + (abs(lhs) + abs(rhs)) * mpmath.mpf(10) ** -digits)


def _cosine(point: Point) -> float:
    return min(max(point["alignment"], -1.0), 1.0)


def _sizes(point: Point) -> dict:
    return {name: point[name] for name in ("n", "eps", "L")}


def _quantities(point: Point) -> dict:
    return {**_sizes(point), "smoothed_gradient": point["smoothed_gradient"]}
