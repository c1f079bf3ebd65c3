"""Inequalities between powers and quotients of gamma functions, for every real exponent.

For A <= B with positive A(t), B(t) let D = log B - log A. On an interval of t either of these
proves D >= 0:

- *slope*: D >= 0 at the left end, and D' >= 0;
- *concavity*: D >= 0 at both ends, and D'' <= 0.

D' is bounded from below by a rational function, with psi = (log Gamma)' and

    log x - 1/x < psi(x) < log x,   psi'(x) > 0,   log y >= 1 - 1/y   (x, y > 0).

The bounds on psi are Binet's: psi(x) = log x + int_0^oo (1/u - 1/(1 - e^-u)) e^(-ux) du, where the
bracket lies between -1 and 0, as 1 + u < e^u says twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import sympy as sp

from proofs_check.inequalities import decide
from proofs_check.results import Proved, Result, Undecided, Violated

_LARGEST = 24
_FACTS = "log x - 1/x < psi(x) < log x and psi'(x) > 0 for x > 0 (Binet); log y >= 1 - 1/y"


def decide_power(
    lesser: sp.Expr,
    greater: sp.Expr,
    t: sp.Symbol,
    interval: tuple[sp.Expr | int, sp.Expr | int],
    dimension: sp.Symbol,
) -> Result:
    """Is lesser <= greater for all t of the closed interval and integers dimension >= 1?

    Both sides are positive products of gamma functions and powers with bases and exponents
    rational in t and the dimension. A violation is a point with an even t, where all is rational.
    """
    violation = _violation(lesser, greater, t, interval, dimension)
    if violation:
        return violation
    low, high = map(sp.sympify, interval)
    difference = _log(greater) - _log(lesser)
    domain = [sp.Ge(t, low, evaluate=False), sp.Ge(dimension, 1, evaluate=False)]
    if high != sp.oo:
        domain.append(sp.Le(t, high, evaluate=False))
    if not _holds_at(lesser, greater, t, low, dimension):
        return Undecided(f"not shown at {t} = {low}")
    slope = sp.diff(difference, t)
    bound = _rational_bound(slope)
    if bound is not None and isinstance(found := decide(0, bound, domain), Proved):
        steps = (
            f"D = log({greater}) - log({lesser}) >= 0 at {t} = {low}",
            _FACTS,
            f"D' = {slope} >= {sp.factor(bound)} >= 0: *slope*",
            *found.steps,
        )
        return Proved(steps, "slope")
    bend = sp.expand(sp.diff(difference, t, 2))
    if high != sp.oo and _never_positive(bend) and _holds_at(lesser, greater, t, high, dimension):
        steps = (
            f"D = log({greater}) - log({lesser}) >= 0 at {t} = {low} and at {t} = {high}",
            _FACTS,
            f"D'' = {bend} <= 0: *concavity*",
        )
        return Proved(steps, "concavity")
    return Undecided("neither slope nor concavity proves it, and no even exponent violates it")


def _log(expression: sp.Expr) -> sp.Expr:
    """The logarithm of a product, with loggamma for the gamma functions in it."""
    logarithm = sp.expand_log(sp.log(expression), force=True)
    return logarithm.replace(
        lambda e: isinstance(e, sp.log) and isinstance(e.args[0], sp.gamma),
        lambda e: sp.loggamma(e.args[0].args[0]),
    )


def _holds_at(lesser: sp.Expr, greater: sp.Expr, t, value: sp.Expr, dimension: sp.Symbol) -> bool:
    """lesser <= greater at one t, where both simplify to rational functions of the dimension."""
    ratio = sp.cancel(sp.gammasimp((greater / lesser).subs(t, value)))
    if not ratio.is_rational_function(dimension):
        return False
    return isinstance(decide(1, ratio, [sp.Ge(dimension, 1, evaluate=False)]), Proved)


def _rational_bound(slope: sp.Expr) -> sp.Expr | None:
    """A rational function below D', or None if the logarithms do not pair up."""
    total, logs = sp.S.Zero, []
    for term in sp.Add.make_args(sp.expand(slope)):
        coefficient, psi = term.as_independent(sp.polygamma)
        if psi.is_Function and psi.args[0] == 0:
            argument = psi.args[1]
            logs.append((coefficient, argument))
            if coefficient > 0:
                total -= coefficient / argument
            continue
        coefficient, logarithm = term.as_independent(sp.log)
        if isinstance(logarithm, sp.log):
            logs.append((coefficient, logarithm.args[0]))
        else:
            total += term
    return _paired(logs, total)


def _paired(logs: Sequence[tuple[sp.Expr, sp.Expr]], total: sp.Expr) -> sp.Expr | None:
    """A rational function below sum c log x + total, for rational c of one size."""
    if any(not c.is_Rational for c, _ in logs):
        return None
    size = max((abs(c) for c, _ in logs), default=sp.S.One)
    quotient = sp.cancel(sp.Mul(*[x ** (c / size) for c, x in logs]))
    if not quotient.is_rational_function():
        return None
    return sp.cancel(total + size * (1 - 1 / quotient))


def _never_positive(bend: sp.Expr) -> bool:
    """Whether every term of D'' is a negative multiple of psi'."""
    parts = [term.as_independent(sp.polygamma) for term in sp.Add.make_args(bend)]
    return all(c.is_negative and psi.is_Function and psi.args[0] == 1 for c, psi in parts)


def _violation(lesser, greater, t, interval, dimension) -> Violated | None:
    low, high = interval
    for even, size in product(range(0, _LARGEST + 1, 2), range(1, 4)):
        if not low <= even <= high:
            continue
        point = {t: sp.Integer(even), dimension: sp.Integer(size)}
        left, right = (sp.gammasimp(side.subs(point)) for side in (lesser, greater))
        if left.is_Rational and right.is_Rational and left > right:
            return Violated(point, left, right)
    return None
