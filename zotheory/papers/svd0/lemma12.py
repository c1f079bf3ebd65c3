"""Lemmas 11 and 12: the second moment of the estimates, and the fall of a step in one subspace."""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.moments import norm_moment
from proofs_check.results import Proved
from zotheory.evidence.exact import exact
from zotheory.evidence.searched import searched
from zotheory.papers.shared import smoothing
from zotheory.papers.shared.smoothing import SMOOTHED_SQUARE, linear_second_moment, second_moment
from zotheory.papers.svd0.smoothing import EPS, L1, _bound, _named
from zotheory.papers.svd0.smoothing import Q as SIZE
from zotheory.search import Parameter, Point, Problem, Sides
from zotheory.search.smoothing import second_moment as second_moment_problem
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

N = smoothing.N
ONE_SIDED = sp.Symbol("E||one-sided g_eps||^2")
TWO_SIDED = sp.Symbol("E||two-sided g_eps||^2")
FALL = sp.Symbol("phi_(k+1) - phi_k + (eta/4) E||grad h||^2")
ETA = 1 / (4 * (SIZE + 4) * L1)
FIRST, LAST = EPS**2 * (SIZE + 6) ** 3 / 8 * L1**2, 3 * EPS**2 * (SIZE + 4) / 32 * L1


def _seconds(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The bound of E[D^2 ||z||^2]/eps^2, D = f(x + eps z) - f(x), serves both."""
    found = second_moment()
    value = _named(found.value)
    one = "one-sided: ||g_eps||^2 = D^2 ||z||^2/eps^2, so that the same bound is one of its mean"
    return {
        ONE_SIDED: Derivation(value, (*found.steps, one)),
        TWO_SIDED: Derivation(value, ("two-sided: as above",)),
    }


def _seconds_problem(statement: Statement) -> Problem:
    """The two-sided estimate, on the functions of `search.smoothing`."""
    two = next(relation for relation in statement.formula.args if relation.has(TWO_SIDED))
    return second_moment_problem(_bound(Statement(statement.says, two), {L1: "L"}))


def _fall(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """A step on h itself, as phi_k = E h(y_k): descent, E g = grad h_eps, and exact moments."""
    square = sp.Symbol("||grad h||^2", nonnegative=True)
    linear = linear_second_moment().value.subs(N, SIZE)  # E <s, z>^2 ||z||^2 / ||s||^2
    second = 2 * linear * square + EPS**2 * L1**2 / 2 * norm_moment(3, SIZE)
    gap = EPS**2 * L1**2 * norm_moment(1, SIZE)  # of grad h and grad h_eps, squared
    bound = sp.expand(-ETA / 2 * (square - gap) + ETA**2 * L1 / 2 * second + ETA / 4 * square)
    slope = sp.factor(bound.coeff(square))
    rest = sp.factor(sp.cancel(bound - bound.coeff(square) * square))
    falling = decide(sp.cancel(slope * L1), 0, (sp.Ge(SIZE, 1, evaluate=False),))
    if not isinstance(falling, Proved):
        raise ArithmeticError(f"the coefficient of ||grad h||^2 may be positive: {slope}")
    steps = (
        "h(y - eta g) <= h(y) - eta <grad h, g> + (L1/2) eta^2 ||g||^2, and E g = grad h_eps",
        "<grad h, grad h_eps> >= (||grad h||^2 - ||grad h - grad h_eps||^2)/2, the last at most "
        f"{gap} (L1-smoothness, Jensen)",
        "|h(y + eps z) - h(y) - eps <grad h, z>| <= (L1/2) eps^2 ||z||^2 and (a + b)^2 <= 2 a^2 + "
        f"2 b^2: E||g||^2 <= {second}",
        f"with eta = {ETA} the change plus (eta/4)||grad h||^2 is at most ({slope}) ||grad h||^2 + "
        f"{rest}",
        *falling.steps,
        f"the first coefficient is at most 0: at most {rest}",
    )
    return {FALL: Derivation(rest, steps)}


def _fall_problem(statement: Statement) -> Problem:
    """h = (s L1/2)||y||^2 and (s L1/w^2) cos-like in one coordinate: a step's exact change.

    On h = (a/2)||y||^2, |a| <= L1, all moments are exact; kind 1 is h = L1 (log cosh y) in one
    coordinate, by quadrature.
    """
    bound = sp.lambdify((SIZE, L1, EPS), statement.formula.rhs, "mpmath")

    def value(point: Point, digits: int) -> mpmath.mpf:
        q, l1, eps = point["q"], mpmath.mpf(point["L1"]), mpmath.mpf(point["eps"])
        y = mpmath.mpf(point["y"])
        eta = 1 / (4 * (q + 4) * l1)
        if point["kind"] == 0 or q > 1:
            a, y2 = l1 * mpmath.mpf(point["shape"]), y**2
            cubic = (q + 2) * y2 + eps**2 / 4 * q * (q + 2) * (q + 4)
            change = -eta * a**2 * y2 + eta**2 / 2 * a**3 * cubic
            return change + eta / 4 * a**2 * y2

        def h(x: mpmath.mpf) -> mpmath.mpf:
            return l1 * mpmath.log(mpmath.cosh(x))

        def moved(z: mpmath.mpf) -> mpmath.mpf:
            g = (h(y + eps * z) - h(y)) / eps * z
            return h(y - eta * g) * mpmath.npdf(z)

        ends = (-9, -6, -3, 0, 3, 6, 9)
        mean = mpmath.quad(moved, ends) + h(y) * 2 * mpmath.ncdf(-9)
        return mean - h(y) + eta / 4 * (l1 * mpmath.tanh(y)) ** 2

    def sides(point: Point, digits: int = 15) -> Sides:
        with mpmath.workdps(digits):
            right = bound(point["q"], mpmath.mpf(point["L1"]), mpmath.mpf(point["eps"]))
            found = value(point, digits)
            scale = abs(right) + mpmath.mpf(point["L1"]) * (1 + point["y"] ** 2)
            return Sides(found, right, scale * mpmath.mpf(10) ** (3 - digits))

    return Problem(
        "the fall of one step",
        sides,
        lambda point, digits: sides(point, 2 * digits),
        parameters=(
            Parameter("q", 1, 64, scale="log", integer=True),
            Parameter("L1", 1e-3, 1e3, scale="log"),
            Parameter("eps", 1e-3, 1.0, scale="log"),
            Parameter("y", 0, 3),
            Parameter("shape", -1, 1),
            Parameter("kind", 0, 1, integer=True),
        ),
    )


def _second(says: str, smoothed: sp.Expr, rest: sp.Expr) -> Statement:
    bound = smoothed * SMOOTHED_SQUARE + rest * EPS**2 * L1**2
    return Statement(says, conjunction(sp.Le(ONE_SIDED, bound), sp.Le(TWO_SIDED, bound)))


CLAIMS = (
    Claim(
        id="svd0.lemma11.eq9",
        where="Lemma 11, Eq. 9",
        setting=Setting("any L1-smooth loss, any n and eps"),
        statement=_second(
            "E||g_eps||^2 <= 4(n+4)||grad f_eps||^2 + 3 eps^2 L1^2 (n+4)^3 for every L1-smooth f, "
            "n >= 1 and eps > 0, for the one-sided g_eps defined above Lemma 10 and for the "
            "two-sided (f(x + eps z) - f(x - eps z)) z/(2 eps).",
            4 * (N + 4),
            3 * (N + 4) ** 3,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_seconds, attained=False), searched(_seconds_problem, share=0.4)),
        mutant=_second("The same with n/2 in place of 4(n+4).", N / 2, 3 * (N + 4) ** 3),
    ),
    Claim(
        id="svd0.lemma12.statement",
        where="Lemma 12, Eq. 11",
        setting=Setting("any L1-smooth loss, the steps of the proof"),
        statement=Statement(
            "Eq. 11 itself, with phi_k = E h(y_k) as the lemma defines it and the one-sided "
            "estimate of the proof, holds for every L1-smooth h, every L1 > 0 and q >= 1.",
            sp.Le(FALL, FIRST + LAST),
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_fall, attained=False), searched(_fall_problem, share=0.1)),
        mutant=Statement(
            "The same with a hundredth of the last term, and without the second one.",
            sp.Le(FALL, LAST / 100),
        ),
    ),
)
