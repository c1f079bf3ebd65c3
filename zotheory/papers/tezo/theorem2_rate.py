"""Theorem 2's choice of eta, the rate that it gives, and Remark 2's reading of both.

Square roots are judged by their squares, or by naming one of them: all sides are positive.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.tezo.descent import ETA, HORIZON
from zotheory.papers.tezo.lemma1 import LAM, SIGMA, delta_rho
from zotheory.papers.tezo.theorem1 import DELTA, SIZES
from zotheory.papers.tezo.theorem2_redrawn import D0
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, conjunction

RHO = sp.Symbol("rho", nonnegative=True)
SMOOTH_PART = RHO**2 * LAM**2 * delta_rho()
NOISE = SMOOTH_PART + DELTA * SIGMA**2
NAMES = {"lambda": "lam"}

# The step size that is chosen against the step size that is allowed. B and delta stay symbols: all
# that is known of them is that they are positive, which proves the most.

ETA2, CHOSEN_FOR = sp.symbols("eta^2 B", positive=True)
DELTA_SYMBOL, SMOOTH = sp.symbols("delta delta_rho", positive=True)


def _chosen(_: Statement) -> Mapping[sp.Expr, Derivation]:
    value = D0 / (LAM * HORIZON * CHOSEN_FOR)
    steps = (
        f"eta^2 = {value}, B = rho^2 lambda^2 delta_rho + delta sigma^2: the paper's choice with "
        "constant 1",
        "whatever m, n, r and lambda are, B takes every positive value as rho, sigma >= 0, not "
        "both 0, vary: delta_rho and delta are positive",
    )
    return {ETA2: Derivation(value, steps)}


def _chosen_witness(_: Statement, failed: Counterexample) -> str:
    values = {NAMES.get(k, k): v for k, v in failed.inputs.items()}
    return f"""import numpy as np

{inputs(values)}
delta = 1 + m * n + (2 * m * n + 6 * (m + n) + 10) / r
rho, sigma = 0.0, np.sqrt(B / delta)  # so that rho^2 lambda^2 delta_rho + delta sigma^2 = B
eta = np.sqrt(D_0 / (lam * T * delta * sigma**2))
print("claimed", float((1 / (lam * (delta + 1))) ** 2))  # of eta^2, at most
print("actual", float(eta**2))
"""


# The rate that it gives.

LEFT = sp.Symbol("2 D_0/(eta T) + eta lambda (rho^2 lambda^2 delta_rho + (delta + 1) sigma^2)")
ROOT = sp.Symbol("sqrt(lambda D_0 (rho^2 lambda^2 delta_rho + delta sigma^2)/T)")


def _rate(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Both sides with D_0 = eta^2 lambda T B, which is what the choice of eta says of D_0."""
    start = ETA**2 * LAM * HORIZON * NOISE
    root = ETA * LAM * NOISE
    if sp.expand(root**2 - LAM * start * NOISE / HORIZON) != 0:
        raise ArithmeticError(f"{root} is not the square root")
    left = 2 * start / (ETA * HORIZON) + ETA * LAM * (SMOOTH_PART + (DELTA + 1) * SIGMA**2)
    steps = (
        "eta = sqrt(D_0/(lambda T B)), B = rho^2 lambda^2 delta_rho + delta sigma^2 > 0, says "
        "D_0 = eta^2 lambda T B, and every eta > 0 is that of some D_0 > 0",
        f"the left side: 2 eta lambda B + eta lambda (B + sigma^2), with B = {NOISE}",
        "the square root: sqrt(lambda D_0 B/T) = eta lambda B (at rho = sigma = 0, which the "
        "choice of eta leaves out, both sides would be 0)",
    )
    return {LEFT: Derivation(sp.cancel(left), steps), ROOT: Derivation(root, ())}


# Remark 2.

A = sp.Symbol("a", positive=True)
SHARE = sp.Symbol("(right side of Eq. 10)^2 T/(lambda D_0 sigma^2)")
C = 2 + 24 / R
C_RHO = (15 * 4**6 * R**2 + 36 * R**3 + R**4) / 4


def _remark(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The right side of Eq. 10, squared, with rho = a sigma/(lambda mn)."""
    share = sp.expand((A / (M * N)) ** 2 * delta_rho() + DELTA)
    steps = (
        f"rho lambda = a sigma/(mn): (rho^2 lambda^2 delta_rho + delta sigma^2)/sigma^2 = {share}",
    )
    return {
        SHARE: Derivation(share, steps),
        DELTA_SYMBOL: Derivation(DELTA, (f"delta = {DELTA}",)),
        SMOOTH: Derivation(delta_rho(), (f"delta_rho = {delta_rho()}",)),
    }


def _bounds(says: str, power: int) -> Statement:
    """With (mn)^power for delta_rho."""
    formula = conjunction(
        sp.Le(DELTA_SYMBOL, C * M * N),
        sp.Le(SMOOTH, C_RHO * (M * N) ** power),
        sp.Le(SHARE, (A**2 * C_RHO + C) * M * N),
    )
    return Statement(says, formula, SIZES)


# How many random numbers: m = n = sqrt(d).

ROOT_D = sp.Symbol("sqrt(d)", integer=True, positive=True)
RATIO = sp.Symbol("(random numbers drawn)/(their order)", positive=True)
PRINTED = sp.Symbol("(random numbers drawn)/(sqrt(d) T)", positive=True)
LIMIT = sp.Symbol("lim of (random numbers drawn)/(their order) as d = T^2 grows", real=True)
DRAWN = (M + N + HORIZON) * R


def _ratio(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    drawn = DRAWN.subs({M: ROOT_D, N: ROOT_D})
    ratio = sp.cancel(drawn / statement.setting["order"])
    inverse = sp.Symbol("x", positive=True)
    along = sp.cancel(ratio.subs({ROOT_D: 1 / inverse, HORIZON: 1 / inverse}))
    if not along.subs(inverse, 0).is_finite:
        raise ArithmeticError(f"no limit of {along} at 0")
    steps = (
        f"(m + n + T) r at m = n = sqrt(d), over {statement.setting['order']}: {ratio}",
        f"at T = sqrt(d) = 1/x: {along}, whose limit at x = 0 is {along.subs(inverse, 0)}; between "
        "two positive constants no ratio has the limit 0",
    )
    return {
        LIMIT: Derivation(along.subs(inverse, 0), steps),
        RATIO: Derivation(ratio, ()),
        PRINTED: Derivation(sp.cancel(drawn / (ROOT_D * HORIZON)), ()),
    }


def _sampling(statement: Statement, context: Context) -> Evidence:
    """A limit is a number, not a point: the counterexample names the path to it."""
    found = _EXACT_RATIO.judge(statement, context)
    if "claimed" not in found.certificate or found.certificate["inputs"]:
        return found
    path = {"path": "T = sqrt(d) -> infinity", "r": 1}
    return Evidence(
        found.kind,
        found.verdict,
        found.summary,
        found.numbers,
        {**found.certificate, "inputs": path},
    )


def _sampling_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

r = 1
root_d = T = 10.0 ** np.arange(0, 13, 3)  # m = n = sqrt(d)
ratio = (2 * root_d + T) * r / (root_d * T)
print("ratios", ratio)
# ratio = 3 r/T on this path: the line through the last two points, continued to 1/T = 0
slope = (ratio[-2] - ratio[-1]) / (1 / T[-2] - 1 / T[-1])
print("claimed", {float(failed.claimed)})  # the limit lies above it
print("actual", round(float(ratio[-1] - slope / T[-1]), 12))
"""


_EXACT_RATIO = exact(_ratio, _sampling_witness)

CLAIMS = (
    Claim(
        id="tezo.thm2.eta_condition",
        where="Theorem 2 and App. B.2, choice of eta",
        setting=Setting("the theorem's choice of eta, any T, D_0, lambda, rho and sigma"),
        statement=Statement(
            "eta = sqrt(D_0/(lambda T (rho^2 lambda^2 delta_rho + delta sigma^2))), the paper's "
            "choice with constant 1, meets eta <= 1/(lambda(delta+1)) for every T >= 1, D_0 > 0, "
            "lambda > 0 and rho, sigma >= 0 not both 0.",
            sp.Le(ETA2, (1 / (LAM * (DELTA + 1))) ** 2),
            SIZES,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_chosen, _chosen_witness).refutes("for small T"),),
        correction=Statement(
            "It does if T is large enough: T >= lambda (delta+1)^2 D_0/(rho^2 lambda^2 delta_rho + "
            "delta sigma^2).",
            sp.Le(ETA2, (1 / (LAM * (DELTA_SYMBOL + 1))) ** 2),
            (sp.Ge(HORIZON, LAM * (DELTA_SYMBOL + 1) ** 2 * D0 / CHOSEN_FOR, evaluate=False),),
        ),
    ),
    Claim(
        id="tezo.thm2.rate_step",
        where="App. B.2, last display",
        setting=Setting("a step of the proof, any m, n, r and T"),
        statement=Statement(
            "With that eta, 2 D_0/(eta T) + eta lambda (rho^2 lambda^2 delta_rho + (delta+1) "
            "sigma^2) <= 4 sqrt(lambda D_0 (rho^2 lambda^2 delta_rho + delta sigma^2)/T), for all "
            "m, n, r, T >= 1.",
            sp.Le(LEFT, 4 * ROOT),
            SIZES,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_rate),),
        mutant=Statement("The same with 3 in place of 4.", sp.Le(LEFT, 3 * ROOT), SIZES),
    ),
    Claim(
        id="tezo.remark2.rate",
        where="Remark 2",
        setting=Setting("a step of the remark, any m and n at fixed r"),
        statement=_bounds(
            "For fixed r, delta <= c mn and delta_rho <= c' (mn)^3 with c, c' depending on r "
            "alone, and with rho = a sigma/(lambda mn), a constant, the right side of Eq. 10 is at "
            "most a constant (in r, a) times sqrt(lambda D_0 mn sigma^2/T), for all m, n >= 1.",
            power=3,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_remark),),
        mutant=_bounds("The same with delta_rho <= c' (mn)^2.", power=2),
    ),
    Claim(
        id="tezo.remark2.sampling",
        where="Remark 2",
        setting=Setting("one m x n weight with m = n, T steps"),
        statement=Statement(
            "The number of random elements that TeZO draws for one m = n weight in T steps (Table "
            "2) is of order sqrt(d) T, d = mn, at fixed r, read as the exact order: its ratio to "
            "sqrt(d) T stays between two positive constants for all d, T >= 1.",
            sp.Gt(LIMIT, 0),
            setting={"order": ROOT_D * HORIZON},
        ),
        needs=(Kind.EXACT,),
        checks=(Check(Kind.EXACT, _sampling).refutes("as an exact order"),),
        correction=Statement(
            "It is of order sqrt(d) + T: its ratio to that lies between r and 2 r. As an upper "
            "bound sqrt(d) T holds, with the constant 3 r.",
            conjunction(
                sp.Gt(LIMIT, 0), sp.Ge(RATIO, R), sp.Le(RATIO, 2 * R), sp.Le(PRINTED, 3 * R)
            ),
            setting={"order": ROOT_D + HORIZON},
        ),
    ),
)
