"""How long a block of SVD-0's Theorem 1 may be for its Eq. 23 to hold.

f = ||x||^2/2 (L1 = 1, grad f = x), one m x n matrix, d = mn, eps -> 0, P fresh at every F steps
with E[P P^T] = (q/d) I, independent of x; eta = 1/(4(q+4)).
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
import sympy as sp

from proofs_check.enclosures import enclose
from proofs_check.gaussian import Derivation
from proofs_check.inequalities import decide
from proofs_check.matrices import M, N, R
from proofs_check.results import Enclosed, Proved
from zotheory.evidence.exact import exact
from zotheory.papers.shared.smoothing import N as LENGTH
from zotheory.papers.shared.smoothing import linear_second_moment
from zotheory.papers.svd0 import frames
from zotheory.papers.svd0.convergence import BLOCKS, EPS, GAP, L1, RIGHT23, D, F
from zotheory.papers.svd0.convergence import Q as SIZE
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

SAFE = sp.Symbol("largest c: Eq. 23 holds at every T if F <= c (q+4)")
BROKEN = sp.Symbol("least c: Eq. 23 fails at some T if F >= c (q+4), d >= 100 q")
SHORT, LONG, KAPPA = sp.Rational(772, 100), sp.Rational(789, 100), sp.Rational(4854, 10000)
WIDE, LONG_AT_WIDE = 10**4, 78_031  # q, and a block shorter than 7.8 (q+4)
AT_LEAST_ONE = (sp.Ge(SIZE, 1, evaluate=False),)


def contraction_factor() -> Derivation:
    """rho: what a step leaves of the square of the gradient's part within the subspace."""
    eta = 1 / (4 * (SIZE + 4))
    second = linear_second_moment()
    rho = sp.factor(1 - 2 * eta + eta**2 * second.value.subs(LENGTH, SIZE))
    step = f"E||(I - eta z z^T) y||^2 = rho ||y||^2, rho = {rho} at eta = {eta}"
    return Derivation(rho, (*second.steps, step))


def total(rho: sp.Expr) -> sp.Expr:
    """sum over all k of E||x_k||^2/||x_0||^2: a block's sum over 1 - what a block leaves."""
    share = SIZE / D
    left = 1 - share + share * rho**F
    block = (1 - share) * F + share * (1 - rho**F) / (1 - rho)
    return block / (1 - left)


def claimed() -> sp.Expr:
    """What Eq. 23 says of the same sum up to T, the same number for every T."""
    steps = sp.Symbol("T", positive=True)
    right = RIGHT23.subs({EPS: 0, L1: 1, GAP: sp.Rational(1, 2)}).subs(BLOCKS, steps / F)
    return sp.cancel(right * steps)


def _shown(lesser: sp.Expr, greater: sp.Expr) -> tuple[str, ...]:
    found = decide(lesser, greater, AT_LEAST_ONE)
    if not isinstance(found, Proved):
        raise ArithmeticError(f"not shown for all q >= 1: {lesser} <= {greater}")
    return (f"{lesser} <= {greater} for all q >= 1", *found.steps)


def _below(lesser: sp.Expr, greater: sp.Expr) -> str:
    """lesser < greater between numbers, in interval arithmetic."""
    if not enclose(lesser).high < enclose(greater).low:
        raise ArithmeticError(f"{lesser} is not below {greater}")
    return f"{lesser} < {greater}"


def _thresholds(_: Statement) -> Mapping[sp.Expr, Enclosed]:
    factor = contraction_factor()
    projection, _ = frames.independent_projection()
    if sp.cancel(projection.value - R**2 / (M * N)) != 0:
        raise ArithmeticError(f"E[P P^T] is {projection.value} I")
    x = sp.factor(1 - factor.value)
    unit = sp.cancel(claimed() / ((SIZE + 4) * D / SIZE))  # 8
    common = (
        *projection.steps,
        *factor.steps,
        f"1 - rho = {x}",
        "within a block the part of x across the subspace stays, the part within it falls as rho^k "
        f"in mean square: the sum over all steps is S = {total(sp.Symbol('rho'))} times ||x_0||^2, "
        "the limit of growing sums",
        f"Eq. 23 says that the sum up to T is at most {claimed()}, at every T: it holds at every T "
        f"exactly if S is at most that, i.e. (1 - q/d) A + (q/d) B <= {unit} with "
        "A = F/((q+4)(1 - rho^F)) and B = 1/((q+4)(1 - rho))",
    )
    b = sp.cancel(1 / (x * (SIZE + 4)))
    short = (
        *_shown(sp.Rational(7, 16), sp.cancel((SIZE + 4) * x)),
        *_shown(b, unit),
        "rho^F <= exp(-F (1 - rho)) <= exp(-7 c/16), c = F/(q+4), and c/(1 - exp(-7 c/16)) grows "
        "with c: "
        + _below(SHORT / (1 - sp.exp(-7 * SHORT / 16)), unit)
        + f" bounds A for F <= {SHORT} (q+4)",
    )
    series = x + x**2 / 2 + x**3 / (3 * (1 - x))
    least_b = b.subs(SIZE, 1)
    least_a = LONG / (1 - sp.exp(-LONG * KAPPA))
    long = (
        *_shown(sp.cancel((SIZE + 4) * series), KAPPA),
        f"log(1/rho) <= {sp.Symbol('x') + sp.Symbol('x') ** 2 / 2} + x^3/(3 (1 - x)), x = 1 - rho: "
        f"rho^F >= exp(-{KAPPA} c), and A >= {least_a} for F >= {LONG} (q+4), as c/(1 - exp(-k c)) "
        "grows with c and falls with k",
        *_shown(least_b, b),
        "(1 - q/d) A + (q/d) B is least at q/d = 1/100, as A > B: "
        + _below(unit, sp.Rational(99, 100) * least_a + least_b / 100),
    )
    return {
        SAFE: Enclosed(SHORT, _violation(factor.value), (*common, *short)),
        BROKEN: Enclosed(SHORT, LONG, long),
    }


def _violation(rho: sp.Expr) -> sp.Rational:
    """A c at which Eq. 23 is violated: q = 10^4, d = 10^4 q, a block of 78,031 steps."""
    point = {SIZE: WIDE, D: WIDE**2, F: LONG_AT_WIDE}
    with mpmath.workdps(60):
        value = rho.subs(point)
        left = mpmath.mpf(value.p) / value.q
        share = mpmath.mpf(1) / WIDE
        power = left**LONG_AT_WIDE
        found = ((1 - share) * LONG_AT_WIDE + share * (1 - power) / (1 - left)) / (
            share * (1 - power)
        )
        if not found > mpmath.mpf(int(claimed().subs(point))) * (1 + mpmath.mpf(10) ** -20):
            raise ArithmeticError("no violation at the block meant")
    return sp.Rational(LONG_AT_WIDE, WIDE + 4)


CLAIMS = (
    Claim(
        id="own.eq23_blocks",
        where="ours, sharpening svd0.eq23.average",
        setting=Setting("ours: f = ||x||^2 / 2, one matrix, fresh frames every F steps"),
        statement=Statement(
            "On f = ||x||^2/2 (L1 = 1) with one matrix, eps -> 0, P = V kron U of fresh Haar "
            "frames every F steps and eta = 1/(4(q+4)): Eq. 23 holds at every T for all q = r^2 >= "
            "1 and d >= q if F <= 7.7 (q+4), and is violated at some T if F >= 7.9 (q+4) and d >= "
            "100 q.",
            conjunction(sp.Ge(SAFE, sp.Rational(77, 10)), sp.Le(BROKEN, sp.Rational(79, 10))),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_thresholds),),
        mutant=Statement(
            "The same if F <= 7.8 (q+4).",
            conjunction(sp.Ge(SAFE, sp.Rational(78, 10)), sp.Le(BROKEN, sp.Rational(79, 10))),
        ),
    ),
)
