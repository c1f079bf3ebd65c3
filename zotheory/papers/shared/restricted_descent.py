"""The descent argument that LeZO and S-MeZO share: from Eq. 23 to Eq. 26 of either paper."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import telescoping
from zotheory.papers.shared.restricted import Paper
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.papers.shared.telescoping import HORIZON, LEAST, START
from zotheory.vocabulary import Claim, Kind, Setting, Statement

RATE = 1 / (4 * (N + 4) * L)
FALL = 8 * (N + 4) * L
STEP_NOISE = sp.Rational(3, 32) * EPS**2 * L * (N + 4)
EQ25 = FALL * ((START - LEAST) / (HORIZON + 1) + STEP_NOISE)
SMOOTHING = EPS**2 * L**2 / 2 * (N + 4) ** 3  # of Lemma 2

LAST = sp.Symbol("squared gradient at theta_T")
AVERAGE = sp.Symbol("average of the squared gradients at theta_0, ..., theta_T")
EPS_TERM = sp.Symbol("eps-term of Eq. 26")


def step_bound(second_moment: sp.Expr, square: sp.Expr) -> sp.Expr:
    """-eta S + (eta^2 L/2) E||estimate||^2 at eta = 1/(4(n+4)L), S = `square`: a step's change.

    E <grad, estimate> = S by Lemma 1, and the smoothed loss is L-smooth as the loss is.
    """
    return -RATE * square + RATE**2 * L / 2 * second_moment


def last_iterate(paper: Paper) -> Claim:
    """Eq. 25 names theta_T; the sum over Eq. 24 says something of all iterates together."""
    domain = (sp.Ge(START, LEAST),)
    return Claim(
        id=f"{paper.id}.eq25.last_iterate",
        where="Eq. 25",
        setting=Setting("a step of the proof, any L-smooth loss"),
        statement=Statement(
            "Summing Eq. 24 bounds the squared gradient at the last iterate theta_T (not only its "
            "average over t).",
            sp.Le(LAST, EQ25),
            domain,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_largest, _last_witness, step=True),),
        correction=Statement(
            "It bounds the average over t = 0, ..., T, hence the least of them and an iterate "
            "drawn at random, by the right side of Eq. 25.",
            sp.Le(AVERAGE, EQ25),
            domain,
        ),
    )


def _largest(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The largest values over all runs that satisfy Eq. 24 at every step."""
    values = {telescoping.FALL: FALL, telescoping.NOISE: STEP_NOISE}
    found = {LAST: telescoping.largest("last"), AVERAGE: telescoping.largest("average")}
    return {name: Derivation(d.value.subs(values), d.steps) for name, d in found.items()}


def _last_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
fall, noise = {sp.pycode(FALL)}, {sp.pycode(STEP_NOISE)}
# a run that satisfies Eq. 24 at every step: the squared gradient is 0 before step T
f = np.append(f_0 + noise * np.arange(T + 1), f_star)
square = np.zeros(T + 1)
square[T] = fall * (f[T] - f_star + noise)
assert np.all(np.diff(f) <= -square / fall + noise + 1e-12 * abs(f).max())
print("claimed", {sp.pycode(statement.formula.rhs)})
print("actual", square[T])


# the method itself in one coordinate, 20000 runs from next to a maximum: a loss with |L''| = 1
def loss(x):
    x = np.abs(x)
    return np.where(x < 1, -(x**2) / 2, (x - 2) ** 2 / 2 - 1)


rng, start, steps, eps = np.random.default_rng(0), 1e-6, 296, 1e-3
x = np.full(20_000, start)
for _ in range(steps):
    z = rng.standard_normal(x.size)
    x -= (loss(x + eps * z) - loss(x - eps * z)) / (2 * eps) * z / (4 * 5)
gradient = np.where(np.abs(x) < 1, -x, np.sign(x) * (np.abs(x) - 2))
bound = 8 * 5 * ((loss(start) + 1) / (steps + 1) + 3 * eps**2 / 32 * 5)
print("a run of", steps, "steps: Eq. 25", bound, "mean square at its end", np.mean(gradient**2))
"""


def eps_term(paper: Paper) -> Claim:
    """Eq. 26 doubles the first part of Eq. 25, but not the second."""

    def term(says: str, more: sp.Expr) -> Statement:
        return Statement(says, sp.Eq(EPS_TERM, EPS**2 * L**2 / 2 * (N + 4) ** 2 * (N + more)))

    return Claim(
        id=f"{paper.id}.eq26.constant",
        where="Eq. 26",
        setting=Setting("a step of the proof, any n, eps and L"),
        statement=term(
            "2 x (Eq. 25) + (eps^2 L^2/2)(n+4)^3 has the eps-term (eps^2 L^2/2)(n+4)^2 (n + 11/2).",
            sp.Rational(11, 2),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(derived_eps_term, _eps_term_witness),),
        correction=term("It has the eps-term (eps^2 L^2/2)(n+4)^2 (n + 7).", sp.Integer(7)),
    )


def derived_eps_term(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """What is left of 2 x (Eq. 25) + (eps^2 L^2/2)(n+4)^3 where f_0 = f*."""
    value = sp.factor((2 * EQ25 + SMOOTHING).subs(START, LEAST))
    return {EPS_TERM: Derivation(value, (f"2 ({FALL * STEP_NOISE}) + {SMOOTHING} = {value}",))}


def _eps_term_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
claimed = {sp.pycode(statement.formula.rhs)}
eq25 = {sp.pycode(FALL * STEP_NOISE)}
terms = np.array([2 * eq25, {sp.pycode(SMOOTHING)}])
print("claimed", float(claimed))
print("actual", float(terms.sum()))
"""
