"""Descent on f = (L/2)||theta||^2 with noise on n of d coordinates, the set drawn anew each step.

Every set is as likely as another of its size (or sets are unions of layers of equal size), so that
the kept part of a vector has n/d of its square on average. The gradient is L theta, and the
two-point estimate on the kept coordinates is <g, z> z exactly, z ~ N(0, I_n), for every eps.
With a fixed set the kept part alone has the factor of n = d, with n for d.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from proofs_check.moments import norm_moment
from proofs_check.results import Enclosed
from zotheory.papers.shared.smoothing import L, N, linear_second_moment

D = sp.Symbol("d", integer=True, positive=True)
ETA = sp.Symbol("eta", positive=True)
KEPT = sp.Symbol("kept", nonnegative=True)  # ||kept part of theta||^2 / ||theta||^2


LAYERS = sp.Symbol("N", integer=True, positive=True)
DROPPED = sp.Symbol("n_dropped", integer=True, nonnegative=True)


def probability() -> Derivation:
    """The probability that a layer is kept when n_dropped of N are left out, all sets alike."""
    without, all_sets = sp.binomial(LAYERS - 1, DROPPED), sp.binomial(LAYERS, DROPPED)
    value = sp.cancel(sp.combsimp(without / all_sets))
    step = f"of {all_sets} sets to leave out {without} do not hold the layer: a share {value}"
    return Derivation(value, (step,))


def factor() -> Derivation:
    """E||grad f||^2 after a step with rate eta over before it."""
    second = linear_second_moment()
    value = 1 - N / D * (2 * ETA * L - ETA**2 * L**2 * second.value)
    steps = (
        "||theta - eta <g, z> z||^2 = ||theta||^2 - 2 eta L s^2 + eta^2 L^2 s^2 ||z||^2, "
        "s = <theta, z> over the kept coordinates, g = L theta",
        "E s^2 = ||kept part of theta||^2; E s^2 ||z||^2 is this many times as much:",
        *second.steps,
        f"on average over the kept sets {N}/{D} of ||theta||^2 is kept: the factor is {value}",
    )
    return Derivation(value, steps)


def best_rate() -> Derivation:
    """The constant rate eta with the least factor."""
    found = factor()
    best = sp.solve(sp.diff(found.value, ETA), ETA)
    if len(best) != 1:
        raise ArithmeticError(f"no single stationary rate: {best}")
    least = found.value.subs(ETA, best[0])
    curvature = sp.diff(found.value, ETA, 2) / 2
    square = curvature * (ETA - best[0]) ** 2
    if sp.simplify(found.value - least - square) != 0 or not curvature.is_positive:
        raise ArithmeticError("the stationary rate is not the best one")
    step = (
        f"the factor is {sp.factor(least)} + ({sp.factor(square)}), whose last term is >= 0: the "
        f"best rate is {best[0]}"
    )
    return Derivation(best[0], (*found.steps, step))


def best_factor() -> Derivation:
    """The least factor over all constant rates eta."""
    best = best_rate()
    value = sp.factor(factor().value.subs(ETA, best.value))
    return Derivation(value, (*best.steps, f"with it the factor is {value}"))


def largest_rate() -> Derivation:
    """The rate below which the factor is less than 1, and from which on it is not."""
    found, value = factor(), 2 * best_rate().value
    curvature = sp.diff(found.value, ETA, 2) / 2
    excess = curvature * ETA * (ETA - value)
    if sp.simplify(found.value - 1 - excess) != 0 or not curvature.is_positive:
        raise ArithmeticError(f"the factor is not 1 at {value}")
    step = f"the factor minus 1 is {sp.factor(excess)}, negative for 0 < eta < {value} alone"
    return Derivation(value, (*found.steps, step))


def moment(s: int, r: int) -> sp.Expr:
    """E <theta, z>^s ||z||^r / ||kept part of theta||^s, s and r even."""
    theta, z = Fixed("theta"), Gaussian("z")
    indices = [Index(f"i{k}", N) for k in range(s)]
    norms = [Index(f"j{k}", N) for k in range(r // 2)]
    found = derive([(theta[i], z[i]) for i in indices], [(z[j], z[j]) for j in norms]).value
    a = Index("a", N)
    return sp.expand(found / contraction(theta[a] * theta[a]) ** (s // 2))


def factor_square() -> sp.Expr:
    """E (||theta - eta <g, z> z||^2 / ||theta||^2)^2 given the kept share, L = 1: for variances."""
    once = KEPT * (ETA**2 * moment(2, 2) - 2 * ETA * moment(2, 0))
    return sp.expand(1 + 2 * once + change_square())


def change_square() -> sp.Expr:
    """E (||theta - eta <g, z> z||^2 / ||theta||^2 - 1)^2 given the kept share, L = 1."""
    terms = {1: moment(4, 0), ETA: -moment(4, 2), ETA**2: moment(4, 4) / 4}
    return sp.expand(4 * ETA**2 * KEPT**2 * sum(power * m for power, m in terms.items()))


def slope_square() -> sp.Expr:
    """E ((<theta, estimate> - eta ||estimate||^2) / ||theta||^2)^2 given the kept share, L = 1."""
    terms = {1: moment(4, 0), ETA: -2 * moment(4, 2), ETA**2: moment(4, 4)}
    return sp.expand(KEPT**2 * sum(power * m for power, m in terms.items()))


# Odd moments of the norm of a Gaussian vector between rational functions of the dimension.
#
# p -> log E||z||^p is convex (Lyapunov, 1901), and the even moments are polynomials in n.


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
