"""How many samples make the empirical covariance of a standard Gaussian close to the identity.

S_k = (1/k) sum_(i<=k) z_i z_i^T, z_i ~ N(0, I_d), 0 < eps < 1, 0 < delta < 1. Sample sizes of the
form k = C eps^-2 kappa(d, delta) are judged for all d at once: is there a C, the same for every d,
with P(||S_k - I|| > eps) <= delta?

Necessary: k >= d, by rank. Sufficient: a net of the sphere, a union bound and the chi-square's
tails (Vershynin 2018, "High-Dimensional Probability", Corollary 4.2.13, Lemma 4.4.3, Theorem
4.6.1 has the same order), with constants.
"""

from __future__ import annotations

import sympy as sp

from proofs_check.enclosures import enclose
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.results import Proved

D = sp.Symbol("d", integer=True, positive=True)
DELTA = sp.Symbol("delta", positive=True)
_LOG_D, _LOG_DELTA = sp.symbols("log_d minus_log_delta", nonnegative=True)
_NET = sp.Rational(1, 4)  # mesh of the net
_LARGEST = 1 << 20


def share_of_dimension(kappa: sp.Expr) -> sp.Expr:
    """lim kappa/d as d -> oo at a fixed delta; 0 means that k < d in the end, whatever C is."""
    x = sp.Symbol("x", positive=True)
    return sp.limit((kappa / D).subs(D, x), x, sp.oo)


def below_the_rank() -> tuple[str, ...]:
    """Why k < d fails with probability 1."""
    return (
        "S_k has rank at most k: for k < d some unit x has S_k x = 0, x^T (S_k - I) x = -1",
        "so ||S_k - I|| >= 1 > eps with probability 1",
    )


def least_constant(kappa: sp.Expr) -> Derivation | None:
    """The least integer C for which the union bound gives P(||S_k - I|| > eps) <= delta.

    For k >= C eps^-2 kappa, all d >= 1, 0 < eps < 1 and 0 < delta < 1. None if there is none.
    """
    needed, steps = _sufficient()
    if not _covers(kappa, _LARGEST, needed):
        return None
    low, high = 0, 1  # low does not do, high is to
    while not _covers(kappa, high, needed):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _covers(kappa, middle, needed) else (middle, high)
    found = f"{high} * ({kappa}) >= {needed} for all d >= 1, 0 < delta < 1: C = {high} does"
    return Derivation(sp.Integer(high), (*steps, found))


def _covers(kappa: sp.Expr, constant: int, needed: sp.Expr) -> bool:
    """C kappa >= needed for all d >= 1 and delta < 1, with log d, -log delta >= 0 as unknowns."""
    difference = _in_logs(constant * kappa - needed)
    domain = (sp.Ge(D, 1, evaluate=False),)
    ends = {}
    for logarithm in difference.atoms(sp.log):
        coefficient, interval = difference.coeff(logarithm), enclose(logarithm)
        if isinstance(decide(0, coefficient, domain), Proved):
            ends[logarithm] = sp.Rational(interval.low)
        elif isinstance(decide(coefficient, 0, domain), Proved):
            ends[logarithm] = sp.Rational(interval.high)
    bound = difference.xreplace(ends)
    return not bound.has(sp.log) and isinstance(decide(0, bound, domain), Proved)


def _in_logs(expression: sp.Expr) -> sp.Expr:
    """The expression with log d and -log delta as symbols."""
    expanded = sp.expand(sp.expand_log(expression, force=True))
    return expanded.xreplace({sp.log(D): _LOG_D, sp.log(DELTA): -_LOG_DELTA})


def _sufficient() -> tuple[sp.Expr, tuple[str, ...]]:
    """(n, steps): k eps^2 >= n(d, delta) suffices."""
    u = sp.Symbol("u", positive=True)
    rate = u**2 / 8
    tails = {"above": (u - sp.log(1 + u)) / 2, "below": (-u - sp.log(1 - u)) / 2}
    for exponent in tails.values():
        slope = sp.cancel(sp.diff(exponent - rate, u))
        rising = decide(0, slope, (sp.Lt(u, 1, evaluate=False),))
        if exponent.subs(u, 0) != 0 or not isinstance(rising, Proved):
            raise ArithmeticError(f"{exponent} >= {rate} is not proved")
    inside = 1 - 2 * _NET  # ||M|| <= max over the net of |x^T M x| / inside
    points = 1 + 2 / _NET  # to the power d
    needed = (D * sp.log(points) + sp.log(2) - sp.log(DELTA)) / rate.subs(u, inside)
    steps = (
        "x^T S_k x = chi2_k/k for a unit x; Chernoff: P(chi2_k/k - 1 > u) <= e^(-k (u - "
        "log(1+u))/2), P(chi2_k/k - 1 < -u) <= e^(-k (-u - log(1-u))/2)",
        f"both exponents are at least k {rate} for 0 < u < 1: equal at 0, steeper after",
        f"a {_NET}-net of the sphere has at most {points}^d points (volumes), and "
        f"||M|| <= max |x^T M x| / {inside} over it for a symmetric M",
        f"union bound with u = {inside} eps: P(||S_k - I|| > eps) <= 2 * {points}^d "
        f"e^(-k eps^2 {rate.subs(u, inside)}), at most delta if k eps^2 >= {needed}",
    )
    return needed, steps
