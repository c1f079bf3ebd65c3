"""From which step size on zeroth-order descent on x^T H x / 2 no longer converges in mean square.

With fresh draws x' = x - eta g'(x) is linear in x, and X = E x x^T follows a linear map, exactly.
In the eigenbasis of H (eigenvalues l_i > 0; for signs: where H is diagonal) the diagonal
X_i = E x_i^2 follows a map of its own, and E||x||^2 = sum_i X_i:

    X_i' = D(l_i) X_i + eta^2 sum_j l_j^2 X_j.

It is positive, so by Perron and Frobenius E||x||^2 -> 0 from every start if and only if its
spectral radius is below 1: if all D < 1 and sum_i eta^2 l_i^2/(1 - D(l_i)) < 1. Where the sum is 1,
V(x) = sum_i x_i^2 eta^2 l_i^2/(1 - D(l_i)) is kept on average by every step, whatever x is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.moments import scalar_moment

ETA, EIGENVALUE = sp.symbols("eta l", positive=True)
BETA = sp.Symbol("beta", nonnegative=True)
Moment = Callable[[int], sp.Expr]  # E z^k of an entry of the noise


def sign_moment(k: int) -> sp.Expr:
    """E z^k of a random sign."""
    return sp.Integer(1 - k % 2)


def second_moment_map(eigenvalues: Sequence[sp.Expr], moment: Moment, eta: sp.Expr) -> sp.Matrix:
    """The map of (X_1, ..., X_d) for kappa z with iid entries z of the given moments, written out.

    x_i' = x_i - eta z_i sum_j z_j l_j x_j; every product of entries is integrated on its own.
    Odd moments vanish, so that E x_i'^2 has the squares X_j alone.
    """
    size = len(eigenvalues)
    z, x = sp.symbols(f"z:{size}"), sp.symbols(f"x:{size}")
    kappa = sum(a * b * c for a, b, c in zip(z, eigenvalues, x, strict=True))
    rows = []
    for i in range(size):
        square = sp.Poly(sp.expand((x[i] - eta * z[i] * kappa) ** 2), *z)
        mean = sp.expand(
            sum(c * sp.prod([moment(k) for k in powers]) for powers, c in square.terms())
        )
        row = [mean.coeff(y, 2) for y in x]
        if sp.expand(mean - sum(a * y**2 for a, y in zip(row, x, strict=True))) != 0:
            raise ArithmeticError(f"the diagonal does not follow a map of its own: {mean}")
        rows.append(row)
    return sp.Matrix(rows)


def own_factor(moment: Moment) -> sp.Expr:
    """D(l): what X_i' has of X_i besides eta^2 sum_j l_j^2 X_j, from a map of two eigenvalues."""
    first, second = sp.symbols("l_1 l_2", positive=True)
    found = second_moment_map((first, second), moment, ETA)
    shared = [ETA**2 * first**2, ETA**2 * second**2]
    own = sp.expand(found[0, 0] - shared[0])
    other = sp.expand(found[1, 1] - shared[1]).subs(second, first)
    if sp.expand(found[0, 1] - shared[1]) != 0 or sp.expand(own - other) != 0:
        raise ArithmeticError(f"not of the form D X_i + eta^2 sum_j l_j^2 X_j: {found}")
    return own.subs(first, EIGENVALUE)


@cache
def term(law: str = "gaussian") -> Derivation:
    """eta^2 l^2/(1 - D(l)): the sum of these over the spectrum is 1 at the critical step.

    law: "gaussian" or "signs" (H diagonal). A second route: det(I - map) of two and of three
    eigenvalues is the product of 1 - D times 1 less the sum. ArithmeticError if it is not.
    """
    moment = {"gaussian": scalar_moment, "signs": sign_moment}[law]
    own = own_factor(moment)
    value = sp.factor(ETA**2 * EIGENVALUE**2 / (1 - own))
    for size in (2, 3):
        spectrum = sp.symbols(f"l_1:{size + 1}", positive=True)
        found = second_moment_map(spectrum, moment, ETA)
        terms = [value.subs(EIGENVALUE, x) for x in spectrum]
        product = sp.prod([1 - own.subs(EIGENVALUE, x) for x in spectrum])
        difference = (sp.eye(size) - found).det() - product * (1 - sum(terms))
        if sp.cancel(sp.together(difference)) != 0:
            raise ArithmeticError(f"det(I - map) of {size} eigenvalues is another: {difference}")
    steps = (
        f"{law}: x_i' = x_i - eta z_i kappa, kappa = sum_j z_j l_j x_j: E x_i'^2 = D X_i + eta^2 "
        f"sum_j l_j^2 X_j, D = {own}.",
        "A positive matrix, diag(D) + eta^2 (1, ..., 1)^T (l_1^2, ..., l_d^2). If all D < 1 and "
        "sum_i eta^2 l_i^2/(1 - D_i) < 1, the weights w_i = eta^2 l_i^2/(1 - D_i) + small shrink "
        "V = sum_i w_i X_i; if the sum is 1, V stays; if it is above 1 or a D reaches 1, some "
        "positive V grows from every start (Perron, Frobenius).",
        f"eta^2 l^2/(1 - D) = {value}; again by det(I - map), for two and three eigenvalues.",
    )
    return Derivation(value, steps)


@cache
def momentum_term() -> Derivation:
    """The same for M <- beta M + (1 - beta) kappa z, w <- w - eta M, Gaussian z.

    Per eigenvalue (x^2, x m, m^2) follow a map whose only coupling is S = sum_j l_j^2 X_j; its
    fixed point at S = 1 gives l^2 X, and an eigenvalue 1 of the whole is sum_i l_i^2 X_i = 1. At
    beta = 0 it is `term`.
    """
    x2, xm, m2 = sp.symbols("x2 xm m2")
    unit, mean = 1 - BETA, EIGENVALUE
    # g' = z kappa: E g'_i = l x_i, E g'_i^2 = S + 2 l^2 x_i^2 for Gaussian z.
    moment = scalar_moment(4) - scalar_moment(2)
    square = BETA**2 * m2 + 2 * BETA * unit * mean * xm + unit**2 * (1 + moment * mean**2 * x2)
    mixed = BETA * xm + unit * mean * x2
    after = (x2 - 2 * ETA * mixed + ETA**2 * square, mixed - ETA * square, square)
    (found,) = sp.solve(
        [sp.expand(a - b) for a, b in zip(after, (x2, xm, m2), strict=True)],
        [x2, xm, m2],
        dict=True,
    )
    value = sp.factor(EIGENVALUE**2 * found[x2])
    if sp.cancel(value.subs(BETA, 0) - term().value) != 0:
        raise ArithmeticError(f"without momentum it is {value.subs(BETA, 0)}")
    steps = (
        "m' = beta m + (1-beta) g', x' = x - eta m': E m'^2 = beta^2 m2 + 2 beta (1-beta) l xm + "
        "(1-beta)^2 (S + 2 l^2 x2), E x m' = beta xm + (1-beta) l x2.",
        f"Its fixed point at S = 1: l^2 x2 = {value}; sum over the spectrum = 1.",
    )
    return Derivation(value, steps)


def isotropic() -> Derivation:
    """The critical step on h||W||^2/2 of estimates g' with E g' = s G, E||g'||^2 = s^2 (1+delta).

    G = h W; E||W - eta g'||^2 is ||W||^2 times a number that is below 1 exactly for eta between 0
    and its second root. The norms are those of G, delta its relative variance.
    """
    growth = isotropic_growth()
    (root,) = (x for x in sp.solve(sp.Eq(growth, 1), ETA) if x != 0)
    steps = (
        f"G = h W: E||W'||^2 / ||W||^2 = {growth} for every W, so E||W_t||^2 is its power.",
        f"1 at eta = 0 and at {sp.factor(root)}, below 1 exactly between them.",
    )
    return Derivation(sp.factor(root), steps)


CURVATURE, SCALE = sp.symbols("h s", positive=True)
DELTA = sp.Symbol("delta", nonnegative=True)


def isotropic_growth() -> sp.Expr:
    """E||W'||^2 / ||W||^2 of one step."""
    inner, square = SCALE, SCALE**2 * (1 + DELTA)  # E<G, g'> and E||g'||^2, over ||G||^2
    return 1 - 2 * ETA * CURVATURE * inner + ETA**2 * CURVATURE**2 * square


def critical(
    eigenvalues: Sequence[float], equation: sp.Expr | None = None, beta: float = 0.0
) -> float:
    """The critical step of a spectrum: the root of sum_i term(l_i) = 1 below the terms' poles.

    equation: the term as an expression in eta and l (Gaussian noise with momentum beta if not
    given). Found by bisection; eigenvalues > 0. Raises ValueError for none or others.
    """
    if not eigenvalues or min(eigenvalues) <= 0:
        raise ValueError(f"eigenvalues must be positive, got {list(eigenvalues)}")
    if equation is None:
        equation = momentum_term().value.subs(BETA, sp.nsimplify(beta, rational=True))
    ratio = sp.Symbol("x", positive=True)
    reduced = sp.lambdify(ratio, equation.subs({ETA: ratio, EIGENVALUE: 1}))  # of eta l alone
    # Terms increase from 0; eta T/2 <= sum: the root is at most 2/T unless a pole comes first.
    low, high = 0.0, 4 / max(eigenvalues)
    for _ in range(200):
        middle = (low + high) / 2
        terms = [_finite(reduced, middle * x) for x in eigenvalues]
        if all(t >= 0 for t in terms) and sum(terms) < 1:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _finite(function: Callable[[float], float], x: float) -> float:
    try:
        return float(function(x))
    except ZeroDivisionError:
        return -1.0
