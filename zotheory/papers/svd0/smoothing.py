"""Gaussian smoothing: Lemma 2's bias, the moments of Lemma 8 and Eq. 10 of Lemma 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.moments import norm_moment, norm_power_moment
from proofs_check.peano import worst_case
from proofs_check.results import Proved, Result, Undecided, Violated
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, conjuncts, exact, refuted
from zotheory.evidence.searched import searched
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.smoothing import SMOOTHED_SQUARE, N
from zotheory.search import Bound, Problem, as_bound
from zotheory.search.smoothing import bias, gradient_norm
from zotheory.vocabulary import (
    Check,
    Claim,
    Evidence,
    Kind,
    Setting,
    Statement,
    Verdict,
    conjunction,
)

Q = sp.Symbol("q", integer=True, positive=True)
EPS, L1, L2 = sp.symbols("eps L1 L2", positive=True)
BIAS = sp.Symbol("||E[estimate] - P P^T grad f||")
GRADIENT = sp.Symbol("||grad f||^2")

T = sp.Symbol("t", nonnegative=True)
S = sp.Symbol("s", nonnegative=True)
MOMENT, SMALL = sp.Symbol("E||z||^t"), sp.Symbol("E||z||^s")
LONG, SHORT = sp.Ge(T, 2, evaluate=False), sp.Le(S, 2, evaluate=False)


def _bias(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Lemma 2's proof with the exact fourth moment in place of Lemma 8."""
    length = sp.Symbol("||z||", positive=True)
    found = worst_case({EPS: 1, -EPS: -1}, {sp.S.Zero: -2 * EPS}, EPS, L2 * length**3, order=3)
    pathwise = sp.expand(found.value / (2 * EPS) * length)
    coefficient, power = pathwise.as_independent(length)
    if power != length**4:
        raise ArithmeticError(f"not a multiple of ||z||^4: {pathwise}")
    value = coefficient * norm_moment(2, Q)
    steps = (
        "E[estimate] - P P^T grad f = E[kappa - <P^T grad f, z>] P z, ||P z|| = ||z||, where "
        "t -> f(x + t P z) has an L2 ||z||^3-Lipschitz second derivative",
        *found.steps,
        f"divided by 2 eps, times ||z||: at most {pathwise} for every z",
        f"E||z||^4 = {norm_moment(2, Q)}: the bias is at most {value}",
    )
    return {BIAS: Derivation(value, steps)}


def _bias_problem(statement: Statement) -> Problem:
    return bias(_bound(statement, {L2: "L", Q: "n"}), order=3)


def _gradient(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = smoothing.gradient_square()
    return {GRADIENT: Derivation(_named(found.value), found.steps)}


def _named(expression: sp.Expr) -> sp.Expr:
    """With this paper's names for eps and L."""
    return expression.subs({smoothing.EPS: EPS, smoothing.L: L1})


def _gradient_problem(statement: Statement) -> Problem:
    return gradient_norm(_bound(statement, {L1: "L"}))


def _bound(statement: Statement, names: Mapping[sp.Symbol, str]) -> Bound:
    """The bound in the names of the search: norms for their squares, too."""
    smoothed = sp.Symbol("smoothed_gradient", nonnegative=True)
    bound = statement.bound.subs(SMOOTHED_SQUARE, smoothed**2)
    return as_bound(bound, {symbol.name: name for symbol, name in names.items()})


def _moments(statement: Statement, context: Context) -> Evidence:
    """Every relation of Lemma 8 for all real exponents of its interval and all n >= 1."""
    context.tell(f"{context.claim}  deriving")
    exponents = {MOMENT: (T, (2, sp.oo)), SMALL: (S, (0, 2))}
    steps: list[str] = []
    routes: set[str] = set()
    for relation in conjuncts(statement.formula):
        (moment,) = relation.atoms(sp.Symbol) & set(exponents)
        exponent, interval = exponents[moment]
        value = norm_power_moment(exponent, N)
        sides = (side.subs(moment, value) for side in (relation.lts, relation.gts))
        found = decide_power(*sides, exponent, interval, N)
        if isinstance(found, Violated):
            point = {str(symbol): x for symbol, x in found.point.items()}
            failed = Counterexample(point, claimed=found.rhs, actual=found.lhs)
            return refuted(statement, failed, relation)
        if isinstance(found, Undecided):
            return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, f"{relation}: {found.reason}")
        if isinstance(found, Proved):
            steps += [f"{moment} = {value}", *found.steps]
            routes.add(found.route)
    summary = f"for every real exponent and every n >= 1; decided by {', '.join(sorted(routes))}"
    return Evidence(
        Kind.EXACT, Verdict.PROVED, summary, {"routes": sorted(routes)}, {"steps": steps}
    )


def _moment_statement(says: str, shift: sp.Expr) -> Statement:
    formula = conjunction(
        sp.Le(N ** (T / 2), MOMENT),
        sp.Le(MOMENT, (N + shift) ** (T / 2)),
        sp.Le(SMALL, N ** (S / 2)),
    )
    return Statement(says, formula, (LONG, SHORT))


LEMMA2 = Claim(
    id="svd0.lemma2.bias",
    where="Lemma 2, Eq. 5",
    setting=Setting("any loss with an L2-Lipschitz Hessian, a fixed subspace"),
    statement=Statement(
        "For f with L2-Lipschitz Hessian: ||E[estimate] - P P^T grad f|| <= (eps^2/6) L2 (q+4)^2.",
        sp.Le(BIAS, EPS**2 / 6 * L2 * (Q + 4) ** 2),
    ),
    needs=(Kind.EXACT, Kind.SEARCH),
    checks=(exact(_bias, attained=False), searched(_bias_problem)),
    mutant=Statement("The same with q^2 in place of (q+4)^2.", sp.Le(BIAS, EPS**2 / 6 * L2 * Q**2)),
)

LEMMA8 = Claim(
    id="svd0.lemma8",
    where="Lemma 8",
    setting=Setting("standard Gaussian vectors of any length"),
    statement=_moment_statement(
        "n^(t/2) <= E||z||^t <= (n+t)^(t/2), for all t >= 2 and n >= 1; E||z||^t <= n^(t/2) for "
        "0 <= t <= 2.",
        T,
    ),
    needs=(Kind.EXACT,),
    checks=(Check(Kind.EXACT, _moments),),
    mutant=_moment_statement("The same with (n + t/4)^(t/2) as the upper bound.", T / 4),
)

LEMMA11 = Claim(
    id="svd0.lemma11.eq10",
    where="Lemma 11, Eq. 10",
    setting=Setting("any L1-smooth loss"),
    statement=Statement(
        "||grad f||^2 <= 2||grad f_eps||^2 + (eps^2/2) L1^2 (n+6)^3 for every L1-smooth f.",
        sp.Le(GRADIENT, 2 * SMOOTHED_SQUARE + EPS**2 / 2 * L1**2 * (N + 6) ** 3),
    ),
    needs=(Kind.SEARCH,),
    checks=(exact(_gradient, attained=False), searched(_gradient_problem)),
    mutant=Statement(
        "The same with n^3 in place of (n+6)^3.",
        sp.Le(GRADIENT, 2 * SMOOTHED_SQUARE + EPS**2 / 2 * L1**2 * N**3),
    ),
)


# Inequalities between powers and quotients of gamma functions, for every real exponent.
#
# For A <= B with positive A(t), B(t) let D = log B - log A. On an interval of t either of these
# proves D >= 0:
#
# - *slope*: D >= 0 at the left end, and D' >= 0;
# - *concavity*: D >= 0 at both ends, and D'' <= 0.
#
# D' is bounded from below by a rational function, with psi = (log Gamma)' and
#
#     log x - 1/x < psi(x) < log x,   psi'(x) > 0,   log y >= 1 - 1/y   (x, y > 0).
#
# The bounds on psi are Binet's: psi(x) = log x + int_0^oo (1/u - 1/(1 - e^-u)) e^(-ux) du, where
# the bracket lies between -1 and 0, as 1 + u < e^u says twice.


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
