"""Lemma 1: how many samples make S_k close to the identity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import ceil

import sympy as sp

from proofs_check.enclosures import enclose
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.results import Proved
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, refuted
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior import snippets
from zotheory.papers.prior.selection import CovarianceFails
from zotheory.statistics import ClopperPearson, decide_at_most
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, Verdict

# How many samples make the empirical covariance of a standard Gaussian close to the identity.
#
# S_k = (1/k) sum_(i<=k) z_i z_i^T, z_i ~ N(0, I_d), 0 < eps < 1, 0 < delta < 1. Sample sizes of
# the form k = C eps^-2 kappa(d, delta) are judged for all d at once: is there a C, the same for
# every d, with P(||S_k - I|| > eps) <= delta?
#
# Necessary: k >= d, by rank. Sufficient: a net of the sphere, a union bound and the chi-square's
# tails (Vershynin 2018, "High-Dimensional Probability", Corollary 4.2.13, Lemma 4.4.3, Theorem
# 4.6.1 has the same order), with constants.


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


FAILURE, SAMPLES = sp.Symbol("P(||S_k - I|| > eps)"), sp.Symbol("k")
EPS, C = sp.symbols("eps C", positive=True)
DOMAIN = (
    sp.Ge(D, 1, evaluate=False),
    sp.Lt(EPS, 1, evaluate=False),
    sp.Lt(DELTA, 1, evaluate=False),
)
HALF = sp.Rational(1, 2)
TRIED = 100  # the C at which the statement is measured; no check may depend on it otherwise


def _size(statement: Statement, constant: int, d: int) -> int:
    """ceil(k) at eps = delta = 1/2."""
    at = {C: constant, D: d, EPS: HALF, DELTA: HALF}
    return ceil(statement.where[SAMPLES].subs(at))


def _judge(statement: Statement, context: Context) -> Evidence:
    """Is there a C, the same for every d? k/C times eps^2 is kappa(d, delta)."""
    context.tell(f"{context.claim}  deriving")
    kappa = sp.simplify(statement.where[SAMPLES] * EPS**2 / C)
    share = share_of_dimension(kappa)
    step = f"eps^2 k/(C d) -> {share} as d -> oo"
    if share == 0:
        return _no_constant(statement, (step, "so k < d in the end, for every C and eps"))
    found = least_constant(kappa)
    if found is None:
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, "the union bound gives no constant")
    return Evidence(
        Kind.EXACT,
        Verdict.PROVED,
        f"C = {found.value} does, for all d >= 1, 0 < eps < 1, 0 < delta < 1",
        {"C": found.value},
        {"steps": [step, *found.steps, "necessary: k >= d", *below_the_rank()]},
    )


def _no_constant(statement: Statement, steps: tuple[str, ...]) -> Evidence:
    """The first power of 2 that is a dimension above k, at C = 1 (every C has one)."""
    d = 1
    while _size(statement, 1, d) >= d:
        d *= 2
    point = {"C": 1, "eps": HALF, "delta": HALF, "d": d, "k": _size(statement, 1, d)}
    failed = Counterexample(point, claimed=HALF, actual=sp.S.One)
    steps = (*steps, *below_the_rank())
    return refuted(statement, failed, statement.formula, steps, snippets.covariance)


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """How often it fails with a generous C, at a small and at a larger dimension."""
    measurements = []
    for d in (4, 256):
        k = _size(statement, TRIED, d)
        decide = partial(decide_at_most, method=ClopperPearson(), bound=0.5)
        sampler = CovarianceFails(d, k, float(HALF))
        at = f"C={TRIED} eps=1/2 delta=1/2 d={d} k={k}"
        measurements.append(Measurement(at, sampler, decide, 8, 32, first_look=8))
    return measurements


def _statement(says: str, size: sp.Expr) -> Statement:
    return Statement(says, sp.Le(FAILURE, DELTA), DOMAIN, {SAMPLES: size})


CLAIMS = (
    Claim(
        id="prior.lemma1",
        where="Lemma 1",
        setting=Setting("k standard Gaussian vectors in any dimension d"),
        statement=_statement(
            "There is a constant C, the same for every d, such that k = C eps^-2 log(d/delta) "
            "samples give ||S_k - I_d|| <= eps with probability at least 1 - delta.",
            C * sp.log(D / DELTA) / EPS**2,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(Check(Kind.EXACT, _judge), measured(_measure)),
        correction=_statement(
            "k = C eps^-2 (d + log(1/delta)) samples do, for 0 < eps, delta < 1 and every d, with "
            "C = 93 (Vershynin 2018, Theorem 4.6.1, without a constant); fewer than d never do: "
            "S_k has rank at most k. The summands' norm and variance in the matrix Bernstein bound "
            "are of order d, not 1.",
            C * (D + sp.log(1 / DELTA)) / EPS**2,
        ),
    ),
)
