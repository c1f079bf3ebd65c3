"""The worst case of a difference formula over a smoothness class, by its Peano kernel.

For a functional ``L[f] = sum_k c_k f(t_k) + sum_k d_k f'(s_k)`` that annihilates the polynomials of
degree < q, and f whose (q-1)-th derivative is Lipschitz with constant C on the line,

    L[f] = integral K(t) f^(q)(t) dt,
    K(t) = sum_k c_k (t_k - t)_+^(q-1) / (q-1)! + sum_k d_k (s_k - t)_+^(q-2) / (q-2)!

(Peano; Taylor's formula with integral remainder from the left of all points). As |f^(q)| <= C
almost everywhere, ``sup L = C integral |K|``, attained where f^(q) = C sign K. q = 2 is the class
of functions with Lipschitz gradient along a line, q = 3 the one with Lipschitz Hessian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import sympy as sp

Weights: TypeAlias = Mapping[sp.Expr | int, sp.Expr | int]
Function = Callable[[sp.Expr], sp.Expr]


@dataclass(frozen=True)
class WorstCase:
    """``value`` = sup L[f]; ``kernel`` and ``extremal`` (an f that attains it), functions of ``t``.

    If L does not annihilate the polynomials below the order, ``value`` is oo and ``extremal`` a
    polynomial of the class whose multiples make L as large as one likes.
    """

    value: sp.Expr
    kernel: sp.Expr | None
    extremal: sp.Expr
    t: sp.Symbol
    steps: tuple[str, ...]


def worst_case(
    values: Weights,
    derivatives: Weights,
    rho: sp.Symbol,
    constant: sp.Expr | int,
    order: int = 2,
) -> WorstCase:
    """sup of ``sum c_k f(t_k) + sum d_k f'(s_k)`` over f with ``constant``-Lipschitz f^(order-1).

    ``values`` = {t_k: c_k}, ``derivatives`` = {s_k: d_k}; the points are rational multiples of the
    positive symbol ``rho`` and the weights such that the kernel is (a power of rho) times a
    rational function of t/rho: c_k rational multiples of rho^p, d_k of rho^(p+1). The sup of
    ``|L|`` is the same, as the class contains -f with f. Raises ValueError for other input.
    """
    points, slopes, power = _scaled(values, derivatives, rho, order)
    constant = sp.sympify(constant)
    t = sp.Symbol("t", real=True)
    for j in range(order):
        moment = _apply(points, slopes, partial(_monomial, j), partial(_monomial_slope, j))
        if moment != 0:
            step = f"L[t^{j}] = {moment * rho ** (power + j)}, not 0: the supremum is infinite."
            return WorstCase(sp.oo, None, sp.sign(moment) * t**j, t, (step,))
    pieces = _kernel(points, slopes, order)
    signed = [part for piece in pieces for part in _split_by_sign(*piece)]
    integral = sum((sign * _integrate(p, a, b) for p, a, b, sign in signed), start=sp.S.Zero)
    value = sp.simplify(constant * rho ** (power + order) * integral)
    extremal = _extremal(signed, rho, constant, order, t)
    attained = _evaluate_at(extremal, t, values, derivatives)
    if sp.simplify(attained - value) != 0:
        raise AssertionError(f"the extremal function gives {attained}, not {value}")
    scale = rho ** (power + order - 1)
    kernel = _piecewise([(scale * p.subs(_X, t / rho), a, b) for p, a, b in pieces], rho, t)
    steps = (
        f"L annihilates the polynomials of degree < {order}.",
        f"K(t) = {kernel}.",
        f"integral |K| dt = {sp.simplify(value / constant) if constant != 0 else integral}.",
        f"f = {extremal} has L[f] = {value}, so the bound is attained.",
    )
    return WorstCase(value, kernel, extremal, t, steps)


_X = sp.Symbol("x", real=True)  # t / rho
Piece = tuple[sp.Expr, sp.Expr, sp.Expr]  # (polynomial in x, left end, right end)


def _scaled(
    values: Weights, derivatives: Weights, rho: sp.Symbol, order: int
) -> tuple[dict[sp.Rational, sp.Rational], dict[sp.Rational, sp.Rational], int]:
    """Points in units of rho, rational weights, and p with c_k ~ rho^p, d_k ~ rho^(p+1)."""
    if not rho.is_positive or not isinstance(order, int) or order < 2:
        raise ValueError("rho is a positive symbol and order an integer >= 2")
    weights = [(c, 0) for c in values.values()] + [(d, 1) for d in derivatives.values()]
    powers = {_homogeneity(sp.sympify(w), rho) - k for w, k in weights if w != 0}
    if len(powers) != 1:
        raise ValueError("weights of values and derivatives must scale as rho^p and rho^(p+1)")
    power = powers.pop()
    points = {sp.cancel(t / rho): sp.cancel(c / rho**power) for t, c in values.items()}
    slopes = {sp.cancel(s / rho): sp.cancel(d / rho ** (power + 1)) for s, d in derivatives.items()}
    numbers = [*points, *points.values(), *slopes, *slopes.values()]
    if not all(sp.sympify(x).is_Rational for x in numbers):
        raise ValueError("points and weights must be rational multiples of powers of rho")
    return points, slopes, power


def _homogeneity(weight: sp.Expr, rho: sp.Symbol) -> sp.Expr:
    """p for a constant times rho^p (Euler: rho w'(rho) / w(rho))."""
    return sp.cancel(rho * sp.diff(weight, rho) / weight)


def _monomial(j: int, x: sp.Expr) -> sp.Expr:
    return x**j


def _monomial_slope(j: int, x: sp.Expr) -> sp.Expr:
    return j * x ** max(j - 1, 0)


def _apply(points: Weights, slopes: Weights, f: Function, derivative: Function) -> sp.Expr:
    """L in units of rho."""
    total = sum((c * f(t) for t, c in points.items()), start=sp.S.Zero)
    return total + sum((d * derivative(s) for s, d in slopes.items()), start=sp.S.Zero)


def _kernel(points: Weights, slopes: Weights, order: int) -> list[Piece]:
    """K between neighbouring points, in units of rho; outside it is 0."""
    knots = sorted({*points, *slopes})
    pieces = []
    for a, b in pairwise(knots):
        k = sp.S.Zero
        for weights, q in ((points, order - 1), (slopes, order - 2)):
            k += sum(w * (x - _X) ** q / sp.factorial(q) for x, w in weights.items() if x >= b)
        pieces.append((sp.expand(k), a, b))
    return pieces


def _split_by_sign(
    polynomial: sp.Expr, a: sp.Expr, b: sp.Expr
) -> list[tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]]:
    """(polynomial, left, right, sign) between the roots of the polynomial inside (a, b)."""
    if polynomial == 0:
        return [(polynomial, a, b, sp.S.Zero)]
    roots = sp.real_roots(polynomial, _X) if polynomial.has(_X) else []
    ends = [a, *sorted({r for r in roots if a < r < b}), b]
    return [
        (polynomial, left, right, sp.sign(polynomial.subs(_X, (left + right) / 2)))
        for left, right in pairwise(ends)
    ]


def _integrate(polynomial: sp.Expr, a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return sp.integrate(polynomial, (_X, a, b))


def _extremal(
    signed: list[tuple[sp.Expr, sp.Expr, sp.Expr, sp.Expr]],
    rho: sp.Symbol,
    constant: sp.Expr,
    order: int,
    t: sp.Symbol,
) -> sp.Expr:
    """f with f^(order) = constant * sign K, continued outside; f and its derivatives 0 at t = 0.

    Integrating a step function: f = sum over its jumps h at x of h (t - x)_+^order / order!, plus a
    polynomial, which L does not see; it is chosen to make f vanish at 0.
    """
    signs = [sign for *_, sign in signed]
    ends = [rho * left for _, left, _, _ in signed[1:]]
    pieces = [signs[0] * constant * t**order / sp.factorial(order)]
    for end, before, after in zip(ends, signs, signs[1:], strict=False):
        jump = (after - before) * constant * (t - end) ** order / sp.factorial(order)
        pieces.append(sp.expand(pieces[-1] + jump))
    here = next((k for k, end in enumerate(ends) if end.is_nonnegative), len(ends))
    at_zero = pieces[here]
    lower = sum((at_zero.coeff(t, j) * t**j for j in range(order)), start=sp.S.Zero)
    pieces = [sp.factor(sp.expand(piece - lower)) for piece in pieces]
    return sp.Piecewise(*zip(pieces, [t < end for end in ends] + [True], strict=True))


def _evaluate_at(f: sp.Expr, t: sp.Symbol, values: Weights, derivatives: Weights) -> sp.Expr:
    slope = sp.diff(f, t)
    return sum((c * f.subs(t, x) for x, c in values.items()), start=sp.S.Zero) + sum(
        (d * slope.subs(t, x) for x, d in derivatives.items()), start=sp.S.Zero
    )


def _piecewise(pieces: list[Piece], rho: sp.Symbol, t: sp.Symbol) -> sp.Expr:
    first = pieces[0][1] * rho
    branches = [(sp.S.Zero, t < first)]
    branches += [(sp.factor(p), t < b * rho) for p, _, b in pieces]
    return sp.Piecewise(*branches, (sp.S.Zero, True))
