"""Lemma 1: the moments it rests on, its pathwise step, and Eq. 12."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from proofs_check import matrices
from proofs_check.gaussian import Derivation
from proofs_check.identities import identity
from proofs_check.inequalities import decide
from proofs_check.matrices import M, N, R
from proofs_check.moments import norm_moment, scalar_moment
from proofs_check.peano import worst_case
from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.context import Context
from zotheory.evidence import snippets
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.evidence.snippets import inputs
from zotheory.papers.tezo import terms
from zotheory.papers.tezo.lemma1_search import eq12, eq12_snippet, pathwise
from zotheory.papers.tezo.theorem1 import DELTA, SIZES
from zotheory.search import Bound, Parameter, Point, Problem, Sides, as_bound
from zotheory.statistics import Catoni, decide_at_most
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

NORM4, NORM6 = sp.Symbol("E||u||^4"), sp.Symbol("E||u||^6")
TAU2, TAU4, TAU6 = (sp.Symbol(f"E[tau^{k}]") for k in (2, 4, 6))
SIXTH = sp.Symbol("E(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3")
LENGTH = (sp.Ge(M, 1, evaluate=False),)
NORM6_PRINTED = M * (15 + 3 * (M - 1) + (M - 1) * (M - 2))

RHO, LAM, Z_NORM = sp.symbols("rho lambda ||Z||", positive=True)
FINITE_DIFFERENCE_ERROR = sp.Symbol("||(1/r) two-point estimate - (1/r) <G,Z> Z||^2")
GRADIENT, SIGMA = (sp.Symbol(name, nonnegative=True) for name in ("||grad f||", "sigma"))
MEAN_SQUARE_ERROR = sp.Symbol("E||(1/r) two-point estimate - grad f||^2")
NAMES = {"||Z||": "Z_norm", "||grad f||": "gradient_norm"}
SHORT = sp.Le(R, sp.Min(M, N), evaluate=False)
PATHWISE = RHO**2 * LAM**2 * Z_NORM**6 / (4 * R**2)
# delta_rho as Lemma 1 prints it, with r (r-1) and r (r-1) (r-2), divided by r/4
SMALL_BOUND = (
    15 * R * (M + 3) ** 3 * (N + 3) ** 3
    + 36 * R * (R - 1) * M**3 * N**3
    + R * (R - 1) * (R - 2) * M**3 * N**3
)


def _sixth_bound(shift: int) -> sp.Expr:
    """15 r (m+a)^3 (n+a)^3 + 36 r^2 m^3 n^3 + r^3 m^3 n^3 with a = `shift`, 3 as printed."""
    return 15 * R * (M + shift) ** 3 * (N + shift) ** 3 + (36 * R**2 + R**3) * M**3 * N**3


def delta_rho() -> sp.Expr:
    """delta_rho of Theorem 2."""
    return R * _sixth_bound(3) / 4


FIRST, REST = sp.symbols("smooth_part linear_part", nonnegative=True)
PARTS = {
    FIRST: RHO**2 * LAM**2 * delta_rho(),
    REST: (DELTA + 1) * SIGMA**2 + DELTA * GRADIENT**2,
}


def _sixth(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {SIXTH: matrices.mean(terms.factor_norms_cubed)}


def _sixth_problem(statement: Statement) -> Problem:
    """Sizes and ranks within the statement's domain at which the exact mean exceeds the bound."""
    value = as_bound(matrices.mean(terms.factor_norms_cubed).value)
    bound = as_bound(statement.bound)
    domain = sp.lambdify((M, N, R), conjunction(*statement.domain))

    def sides(point: Point) -> Sides:
        inside = domain(point["m"], point["n"], point["r"])
        return Sides(value(**point) if inside else math.nan, bound(**point))

    def recheck(point: Point, digits: int) -> Sides:
        with mpmath.workdps(2 * digits):  # integers of fewer digits: no rounding
            error = abs(bound.precise(**point)) * mpmath.mpf(10) ** -digits
            return Sides(value.precise(**point), bound.precise(**point), error)

    sizes = (Parameter("m", 1, 64, "log", True), Parameter("n", 1, 64, "log", True))
    ranks = Parameter("r", 1, 10**5, "log", True)
    name = "E(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3"
    return Problem(name, sides, recheck, (*sizes, ranks))


def _sixth_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""{inputs(failed.inputs)}


def gaussian(k):  # E x^2k for x ~ N(0, 1): 1, 3, 15
    return 1 if k == 0 else (2 * k - 1) * gaussian(k - 1)


def norm(d, k):  # E||u||^2k for u ~ N(0, I_d): d (d + 2) (d + 4) ...
    return 1 if k == 0 else norm(d, k - 1) * (d + 2 * (k - 1))


def a(k):  # E (tau^2 ||u||^2 ||v||^2)^k
    return gaussian(k) * norm(m, k) * norm(n, k)


claimed = {sp.pycode(statement.formula.rhs)}
# the cube of a sum of r independent numbers: all alike, two alike, all different
actual = r * a(3) + 3 * r * (r - 1) * a(2) * a(1) + r * (r - 1) * (r - 2) * a(1) ** 3
print("claimed", float(claimed))
print("actual", float(actual))
"""


def _norms(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """E||u||^4 and E||u||^6 out of Wick pairings."""
    return {
        name: Derivation(norm_moment(k, M), (f"E||u||^{2 * k} = {norm_moment(k, M)} by pairings",))
        for name, k in ((NORM4, 2), (NORM6, 3))
    }


def _scalars(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {
        name: Derivation(scalar_moment(k), (f"E tau^{k} = {scalar_moment(k)}: pairings of {k}",))
        for name, k in ((TAU2, 2), (TAU4, 4), (TAU6, 6))
    }


def _norm_witness(statement: Statement, failed: Counterexample) -> str:
    """The power of ||u|| is read off the quantity that the formula names."""
    half = 2 if statement.formula.has(NORM4) else 3
    quantity = f"(grid**2).sum(axis=1) ** {half}"
    return snippets.gaussian_moment(failed.inputs, statement.formula.rhs, "m", quantity)


def _norm(says: str, formula: sp.Basic, domain: tuple[sp.Basic, ...] = LENGTH) -> Statement:
    return Statement(f"For u ~ N(0, I_m): {says}", formula, domain)


def _pathwise(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The supremum over lambda-smooth f of the left side, which some f attains."""
    found = worst_case({RHO: 1, -RHO: -1}, {sp.S.Zero: -2 * RHO}, RHO, LAM * Z_NORM**2)
    value = (found.value / (2 * RHO)) ** 2 * Z_NORM**2 / R**2
    steps = (
        "t -> f(W + tZ) is lambda ||Z||^2-smooth, and every such function of t is attained",
        *found.steps,
        f"divided by 2 rho, squared, times ||Z||^2/r^2: {value}",
    )
    return {FINITE_DIFFERENCE_ERROR: Derivation(value, steps)}


def _bound(statement: Statement) -> Bound:
    return as_bound(statement.bound, NAMES)


def _eq12_steps(statement: Statement, context: Context) -> Evidence:
    """The proof of Eq. 12, step by step: what its premises give, and whether the bound follows.

    a is the finite-difference error, b the linear estimate's; ||a + b||^2 <= 2||a||^2 + 2||b||^2,
    and no better without the cross term, which the proof drops.
    """
    context.tell(f"{context.claim}  deriving")
    sixth = matrices.mean(terms.norm6).value / (4 * R**2)
    linear = matrices.mean(terms.squared_error).value / matrices.G_NORM2
    premises = (
        (
            f"E||a||^2 <= rho^2 lambda^2 E||Z||^6/(4 r^2); E||Z||^6/(4 r^2) = {sixth} <= delta_rho",
            decide(sixth, delta_rho(), statement.domain),
        ),
        (
            f"E||b||^2 = (delta + 1) sigma^2 + delta ||grad f||^2 with delta = {linear}",
            identity(linear, DELTA, statement.domain),
        ),
    )
    total, a2, b2 = sp.symbols("total a2 b2", nonnegative=True)
    facts = (sp.Le(a2, FIRST), sp.Eq(b2, REST), sp.Le(total, 2 * a2 + 2 * b2))
    conclusion = follows(facts, sp.Le(total, statement.formula.rhs))
    steps = [said for said, _ in premises] + ["E||a + b||^2 <= 2 E||a||^2 + 2 E||b||^2"]
    if all(isinstance(r, Proved) for r in (*(found for _, found in premises), conclusion)):
        steps += list(conclusion.steps)
        return Evidence(Kind.EXACT, Verdict.PROVED, "from its parts", {}, {"steps": steps})
    return Evidence(
        Kind.EXACT,
        Verdict.INCONCLUSIVE,
        "does not follow from the mean squares of its two parts: their cross term is missing",
        {},
        {"steps": steps},
    )


def _eq12_problem(statement: Statement) -> Problem:
    return eq12(_bound(statement))


def _eq12_witness(statement: Statement, point: dict[str, Any]) -> str:
    return eq12_snippet(_bound(statement), point)


def _measure_eq12(_: Statement, __: Context) -> Sequence[Measurement]:
    """m = n = r = 1, rho = lambda = 1, f(w) = g w + w|w|/2 with g at several scales, no noise."""
    measurements = []
    for g in (1, 10, 100):
        point = {M: 1, N: 1, R: 1, RHO: 1, LAM: 1, SIGMA: 0, GRADIENT: g}
        mean, second = (scalar_error_moment(g, power) for power in (1, 2))
        decide = partial(decide_at_most, method=Catoni(second - mean**2))
        sampler = ScalarError(float(g))
        measurements.append(Measurement(f"g = {g}", sampler, decide, 50_000, 512, point=point))
    return measurements


CLAIMS = (
    Claim(
        id="tezo.lemma1.norm4",
        where="App. B.2",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=_norm("E||u||^4 = m(2m-1), for all m >= 1.", sp.Eq(NORM4, M * (2 * M - 1))),
        needs=(Kind.EXACT,),
        checks=(exact(_norms, _norm_witness),),
        correction=_norm("E||u||^4 = m(m+2), for all m >= 1.", sp.Eq(NORM4, M * (M + 2))),
    ),
    Claim(
        id="tezo.lemma1.norm4_bound",
        where="App. B.2",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=_norm("E||u||^4 <= 2 m^2, for all m >= 1.", sp.Le(NORM4, 2 * M**2)),
        needs=(Kind.EXACT,),
        checks=(exact(_norms, _norm_witness),),
        correction=_norm(
            "E||u||^4 <= 2 m^2, for all m >= 2 (and E||u||^4 = 3 at m = 1).",
            sp.Le(NORM4, 2 * M**2),
            (sp.Ge(M, 2, evaluate=False),),
        ),
    ),
    Claim(
        id="tezo.lemma1.norm6",
        where="App. B.2",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=_norm(
            "E||u||^6 = m(15 + 3(m-1) + (m-1)(m-2)), for all m >= 1.", sp.Eq(NORM6, NORM6_PRINTED)
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_norms, _norm_witness),),
        correction=_norm(
            "E||u||^6 = m(m+2)(m+4), for all m >= 1.", sp.Eq(NORM6, M * (M + 2) * (M + 4))
        ),
    ),
    Claim(
        id="tezo.lemma1.norm6_bound",
        where="App. B.2",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=_norm("E||u||^6 <= (m+3)^3, for all m >= 1.", sp.Le(NORM6, (M + 3) ** 3)),
        needs=(Kind.EXACT,),
        checks=(exact(_norms, _norm_witness),),
        mutant=_norm("E||u||^6 <= (m+1)^3, for all m >= 1.", sp.Le(NORM6, (M + 1) ** 3)),
    ),
    Claim(
        id="tezo.lemma1.tau_moments",
        where="App. B.2",
        setting=Setting("a standard normal number"),
        statement=Statement(
            "E tau^2 = 1, E tau^4 = 3, E tau^6 = 15.",
            conjunction(sp.Eq(TAU2, 1), sp.Eq(TAU4, 3), sp.Eq(TAU6, 15)),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_scalars),),
        mutant=Statement(
            "E tau^2 = 1, E tau^4 = 3, E tau^6 = 9.",
            conjunction(sp.Eq(TAU2, 1), sp.Eq(TAU4, 3), sp.Eq(TAU6, 9)),
        ),
    ),
    Claim(
        id="tezo.lemma1.sixth_bound",
        where="App. B.2",
        setting=Setting("fresh Gaussian factors of one m x n weight, any m, n, r"),
        statement=Statement(
            "E(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3 <= 15 r (m+3)^3 (n+3)^3 + 36 r^2 m^3 n^3 "
            "+ r^3 m^3 n^3, for all m, n, r >= 1 (the domain of Theorem 2, which sets no other).",
            sp.Le(SIXTH, _sixth_bound(3)),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_sixth, _sixth_witness), searched(_sixth_problem)),
        correction=(
            low_rank := Statement(
                "The same for 1 <= r <= min(m, n).", sp.Le(SIXTH, _sixth_bound(3)), (*SIZES, SHORT)
            )
        ),
    ),
    Claim(
        id="tezo.lemma1.sixth_bound_low_rank",
        where="App. B.2, at ranks that a matrix can have",
        setting=Setting("fresh Gaussian factors of one m x n weight, any m, n and r <= min(m, n)"),
        statement=low_rank,
        needs=(Kind.EXACT,),
        checks=(exact(_sixth, _sixth_witness),),
        mutant=Statement(
            "The same with (m+1)^3 (n+1)^3 in place of (m+3)^3 (n+3)^3.",
            sp.Le(SIXTH, _sixth_bound(1)),
            (*SIZES, SHORT),
        ),
    ),
    Claim(
        id="tezo.lemma1.delta_rho_small",
        where="Lemma 1, delta_rho with r(r-1) and r(r-1)(r-2)",
        setting=Setting("one m x n weight, fresh Gaussian factors"),
        statement=Statement(
            "(r/4) E(sum_s tau_s^2 ||u_s||^2 ||v_s||^2)^3 <= (15 r^2 (m+3)^3 (n+3)^3 + 36 r^2 "
            "(r-1) m^3 n^3 + r^2 (r-1)(r-2) m^3 n^3)/4, for all m, n, r >= 1.",
            sp.Le(SIXTH, SMALL_BOUND),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(exact(_sixth, _sixth_witness), searched(_sixth_problem)),
        correction=Statement(
            "The same for 1 <= r <= min(m, n).", sp.Le(SIXTH, SMALL_BOUND), (*SIZES, SHORT)
        ),
    ),
    Claim(
        id="tezo.lemma1.pathwise",
        where="App. B.2",
        setting=Setting("any lambda-smooth loss of one m x n weight, any rho, any perturbation"),
        statement=Statement(
            "For every lambda-smooth f and every Z: ||(1/r)(two-point estimate) - (1/r)<G,Z>Z||^2 "
            "<= rho^2 lambda^2 ||Z||^6 / (4 r^2).",
            sp.Le(FINITE_DIFFERENCE_ERROR, PATHWISE),
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(
            exact(_pathwise),
            searched(lambda statement: pathwise(_bound(statement))),
        ),
        mutant=Statement(
            "The same with 5 r^2 in place of 4 r^2.",
            sp.Le(FINITE_DIFFERENCE_ERROR, PATHWISE * sp.Rational(4, 5)),
        ),
    ),
    Claim(
        id="tezo.lemma1.eq12",
        where="Lemma 1, Eq. 12",
        setting=Setting(
            "any lambda-smooth loss with gradient noise sigma, one m x n weight, fresh factors"
        ),
        statement=Statement(
            "For every lambda-smooth f with gradient noise sigma: E||(1/r) two-point estimate - "
            "grad f||^2 <= rho^2 lambda^2 delta_rho + (delta+1) sigma^2 + delta E||grad f||^2, "
            "with delta_rho = (15 r^2 (m+3)^3 (n+3)^3 + 36 r^3 m^3 n^3 + r^4 m^3 n^3)/4.",
            sp.Le(MEAN_SQUARE_ERROR, FIRST + REST),
            (*SIZES, SHORT),
            PARTS,
        ),
        needs=(Kind.SEARCH, Kind.MEASURED),
        checks=(
            Check(Kind.EXACT, _eq12_steps),
            searched(_eq12_problem, _eq12_witness, share=0.2),
            measured(_measure_eq12),
        ),
        correction=Statement(
            "It is at most twice that bound. The cross term between the two parts of the error was "
            "dropped.",
            sp.Le(MEAN_SQUARE_ERROR, 2 * FIRST + 2 * REST),
            (*SIZES, SHORT),
            PARTS,
        ),
    ),
)


# Samplers of two-point estimates on smooth functions that are not linear or quadratic.


def _tau_moment(power: int) -> float:
    """E|tau|^power for tau ~ N(0, 1)."""
    return float(2 ** sp.Rational(power, 2) * sp.gamma(sp.Rational(power + 1, 2)) / sp.sqrt(sp.pi))


def _polynomial(g: float) -> np.polynomial.Polynomial:
    """|estimate - g|^2 as a polynomial in |Z|: (g (Z^2 - 1) + |Z|^3 / 2)^2."""
    error = np.polynomial.Polynomial([-g, 0.0, g, 0.5])
    return error * error


@dataclass(frozen=True)
class ScalarError:
    """|two-point estimate - f'(0)|^2 for f(w) = g w + w|w|/2, rho = 1, in expectation over tau.

    f is 1-smooth. Z = tau u v, and the estimate is (f(Z) - f(-Z)) Z / 2 = g Z^2 + |Z|^3 / 2.
    """

    g: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        given = np.prod(np.abs(rng.standard_normal((2, size))), axis=0)
        coefficients = _polynomial(self.g).coef
        moments = [_tau_moment(k) for k in range(len(coefficients))]
        return np.polynomial.Polynomial(coefficients * np.array(moments))(given)


def scalar_error_moment(g: float, power: int) -> float:
    """E of the `power`-th power of `ScalarError`, by the Gaussian absolute moments of u and v."""
    coefficients = _polynomial(g).coef
    moments = np.array([_tau_moment(k) for k in range(len(coefficients))])
    conditional = np.polynomial.Polynomial(coefficients * moments) ** power
    return float(sum(c * _tau_moment(k) ** 2 for k, c in enumerate(conditional.coef)))
