"""What the claims share: sizes, "within x%", and the expectations that the lemmas approximate."""

from __future__ import annotations

from functools import partial

import sympy as sp

from proofs_check.cards.order_statistics import Selection, minimum, split
from proofs_check.cards.ratio import number
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.moments import norm_power_moment, scalar_moment
from proofs_check.results import Proved
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.measured import Measurement
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.selection import Statistic
from zotheory.statistics import Catoni, decide_within

# Limits and bounds, for every k, of the selections that greedy and GV make among k normals.
#
# y_1, ..., y_k iid N(0, 1), Y_(1) the least of them, Q(t) = P(y > t). Every fact that a limit
# rests on is computed or decided here, not assumed; an ArithmeticError says which one does not
# hold.


K = sp.Symbol("k", integer=True, positive=True)
_T, _X = sp.symbols("t x", positive=True)


def size_of_minimum_limit() -> Derivation:
    """lim E|Y_(1)| / sqrt(log k) as k -> oo, as the common value of two bounds."""
    upper, lower = _largest_size(), _smallest_size()
    limit = _common([upper.value, lower.value])
    return Derivation(limit, (*upper.steps, *lower.steps, f"so the limit is {limit}"))


def _largest_size() -> Derivation:
    """limsup: E|Y_(1)| <= E max |y_i| <= log(sum_i E e^(rate |y_i|))/rate for every rate > 0."""
    rate = sp.Symbol("rate", positive=True)
    bound = sp.expand_log(sp.log(2 * K)) / rate + rate / 2  # E e^(rate |y|) <= 2 e^(rate^2/2)
    best = sp.sqrt(2 * sp.log(2 * K))
    at_best = bound.subs(rate, best)
    if sp.simplify(sp.expand_log(at_best - best)) != 0:
        raise ArithmeticError(f"the bound at the best rate is {at_best}, not {best}")
    limit = sp.limit(best.subs(K, _X) / sp.sqrt(sp.log(_X)), _X, sp.oo)
    return Derivation(
        limit,
        (
            "Jensen: e^(rate E max|y_i|) <= sum_i E e^(rate |y_i|) <= 2 k e^(rate^2/2)",
            f"E|Y_(1)| <= E max|y_i| <= log(2 k)/rate + rate/2 = {best} at the best rate",
            f"upper bound / sqrt(log k) -> {limit}",
        ),
    )


def _smallest_size() -> Derivation:
    """liminf: E|Y_(1)| >= t P(Y_(1) <= -t) >= t (1 - e^(-k Q(t))) at t = sqrt(2 b log k).

    k Q(t) -> oo for b < 1, by Mills' lower bound Q(t) >= t phi(t)/(1 + t^2).
    """
    density = sp.exp(-(_T**2) / 2) / sp.sqrt(2 * sp.pi)
    mills = _T * density / (1 + _T**2)
    slope = sp.simplify((-density - sp.diff(mills, _T)) / density)  # of Q - mills, over phi
    falling = decide(slope, 0, (sp.Ge(_T, 0, evaluate=False),), strict=True)
    if not isinstance(falling, Proved) or sp.limit(mills, _T, sp.oo) != 0:
        raise ArithmeticError(f"Mills' bound is not proved: {slope}")
    b = sp.Symbol("b", positive=True)
    level = sp.sqrt(2 * b * _X)  # t, with x = log k
    expected = sp.expand_log(sp.log(sp.exp(_X) * mills.subs(_T, level)), force=True)
    growth = sp.limit(sp.expand(expected / _X), _X, sp.oo)  # k Q(t) >= k^(growth - o(1))
    thresholds = sp.solve(sp.Eq(growth, 0), b)
    if len(thresholds) != 1 or not growth.subs(b, thresholds[0] / 2).is_positive:
        raise ArithmeticError(f"no threshold for b: the exponent is {growth}")
    limit = sp.sqrt(2 * thresholds[0])
    return Derivation(
        limit,
        (
            f"Q(t) >= t phi(t)/(1 + t^2): the difference has the slope phi * ({slope}) < 0 and "
            "tends to 0",
            "Markov: E|Y_(1)| >= t P(Y_(1) <= -t) = t (1 - (1 - Q)^k) >= t (1 - e^(-k Q(t)))",
            f"t = sqrt(2 b log k): log(k Q(t))/log k -> at least {growth}, so k Q(t) -> oo for "
            f"b < {thresholds[0]}",
            f"liminf E|Y_(1)|/sqrt(log k) >= sqrt(2 b) for every such b: at least {limit}",
        ),
    )


def guided_second_bounds() -> tuple[sp.Expr, sp.Expr, tuple[str, ...]]:
    """(lower, upper, steps): E(m/s)^2 lies between them for even k >= 4 and s = k/2.

    m = (sum of the s least) - (sum of the s greatest) of k normals.
    """
    size, second = norm_power_moment(1, 1), scalar_moment(2)  # E|y|, E y^2
    upper = sp.expand(4 * (K * second + K * (K - 1) * size**2) / K**2)
    lower = sp.expand(2 * size - 2 * sp.sqrt(2 * second / K)) ** 2
    steps = (
        "with t* a median nearest to 0, |m| = sum_i |y_i - t*| = min over t of sum_i |y_i - t|",
        f"so |m| <= sum_i |y_i|, E(m/s)^2 <= 4 E(sum_i |y_i|)^2/k^2 = {upper}",
        "convexity: sum_i |y_i - t*| >= sum_i |y_i| - |D| |t*|, D = #(y_i < 0) - #(y_i > 0), "
        "E D^2 = k",
        "k/2 of the |y_i| are at least |t*|: t*^2 <= (2/k) sum_i y_i^2, E t*^2 <= 2; Cauchy and "
        "Schwarz: E|D||t*| <= sqrt(2 k)",
        f"E(m/s)^2 >= (E|m|/s)^2 >= {lower}, for k >= 4, where the root is not negative",
    )
    return lower, upper, steps


def guided_growth(power: int) -> tuple[Derivation, Derivation]:
    """(lim E m^2/s^power, lim of that at 2s over that at s) as s = k/2 -> oo.

    The second is 2 for what grows linearly in s.
    """
    lower, upper, steps = guided_second_bounds()
    ends = [(bound * (K / 2) ** (2 - power)).subs(K, _X) for bound in (lower, upper)]
    limit = _common([sp.limit(end, _X, sp.oo) for end in ends])
    quotients = [b.subs(_X, 2 * _X) / a for a, b in (ends, ends[::-1])]
    doubled = _common([sp.limit(quotient, _X, sp.oo) for quotient in quotients])
    return (
        Derivation(limit, (*steps, f"both bounds of E m^2/s^{power} tend to {limit}")),
        Derivation(doubled, (f"its quotient at 2s and at s tends to {doubled}, by both bounds",)),
    )


def _common(limits: list[sp.Expr]) -> sp.Expr:
    """The limit of what lies between quantities with these limits."""
    if limits[0] != limits[1] and sp.simplify(limits[0] - limits[1]) != 0:
        raise ArithmeticError(f"the bounds' limits differ: {limits}")
    return limits[0]


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
