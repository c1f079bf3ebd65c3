"""What the claims share: sizes, "within x%", and the expectations that the lemmas approximate."""

from __future__ import annotations

from functools import partial

import sympy as sp

from proofs_check.cards.numeric import number
from proofs_check.cards.order_statistics import Selection, minimum, split
from proofs_check.covariance import D
from proofs_check.moments import norm_power_moment
from zotheory.checks.exact import conjuncts
from zotheory.checks.measured import Measurement
from zotheory.sampling.selection import Statistic
from zotheory.statistics import Catoni, decide_within

S = sp.Symbol("s", integer=True, positive=True)
SETTINGS = ((2, 1), (4, 2), (8, 4), (12, 6))  # (k, s), the paper's settings
CANDIDATES = tuple(k for k, _ in SETTINGS)
DIMENSION = 10**5

SHRINK = sp.Symbol("E[1/chi_(d-1)]", positive=True)
SHRINK_BOUNDS = (1 / sp.sqrt(D - 2), 1 / sp.sqrt(D - 3))
LENGTH_BOUNDS = (sp.sqrt(D - 2), sp.sqrt(D - 1))  # of E chi_(d-1) = 1/a_d, see below
SHRINK_STEPS = (
    "a_n = E[1/chi_n] = Gamma((n-1)/2)/(sqrt(2) Gamma(n/2)) falls with n, and a_n a_(n+1) = "
    "1/(n-1): 1/sqrt(n-1) <= a_n <= 1/sqrt(n-2), n = d - 1",
)


def within(name: sp.Symbol, value: sp.Expr, share: sp.Rational) -> sp.Le:
    """`name` is within `share` of the positive `value`."""
    return sp.Le(sp.Abs(name / value - 1), share)


def band(formula: sp.Basic, name: sp.Symbol) -> tuple[sp.Expr, sp.Rational]:
    """(value, share) of the formula's relation `within(name, value, share)`."""
    (relation,) = (r for r in conjuncts(formula) if r.has(name))
    deviation = relation.lhs.args[0]  # +-(name/value - 1)
    constant = deviation.subs(name, 0)
    return sp.expand(-constant / (deviation.subs(name, 1) - constant)), relation.rhs


def chi(degrees: int) -> sp.Expr:
    """E chi, the mean norm of a standard normal vector."""
    return norm_power_moment(1, degrees)


def greedy(k: int) -> Selection:
    """Y_(1), the part along g of greedy's direction."""
    return minimum(k)


def guided(k: int, s: int) -> Selection:
    """m/s, the part along g of Lemma 4's zhat, which at k = 2s is Eq. 5's v.

    Raises ValueError for other s.
    """
    if k != 2 * s:
        raise ValueError(f"zhat and v differ at k = {k}, s = {s}")
    return split(k, s)


def spread(law: Selection) -> float:
    """Var A^2 of a selection's part A along g."""
    return number(law.fourth) - number(law.second) ** 2


def near(
    at: str, statistic: Statistic, claimed: float, share: float, variance: float, size: int = 50
) -> Measurement:
    """The mean of a statistic against `claimed`, within `share` of it."""
    decide = partial(decide_within, method=Catoni(variance), target=claimed, tolerance=float(share))
    return Measurement(at, statistic, decide, size, 256)
