"""Lemma 3's proof: the least of k normals by a quantile, and that quantile by the tail."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from proofs_check.cards.order_statistics import minimum
from proofs_check.normal import quantile
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample
from zotheory.papers.prior.quantities import CANDIDATES, K
from zotheory.vocabulary import Claim, Kind, Setting, Statement

LEAST = sp.Symbol("E Y_(1)")
PRINTED, BLOM = sp.Symbol("Phi^-1(1/(k+1))"), sp.Symbol("Phi^-1((1 - 3/8)/(k + 1/4))")
TENTH, HUNDREDTH = sp.Rational(1, 10), sp.Rational(1, 100)
TAIL = sp.sqrt(2 * sp.log(K + 1))  # sqrt(-2 log p) at p = 1/(k+1)
HASTINGS = TAIL - (sp.Rational("2.30753") + sp.Rational("0.27061") * TAIL) / (
    1 + sp.Rational("0.99229") * TAIL + sp.Rational("0.04481") * TAIL**2
)
SETTING = Setting(paper="k = 2, 4, 8, 12, the numbers of candidates of App. A and Tables 7, 8")


def _quantiles(_: Statement) -> Sequence[Case]:
    cases = []
    for k in CANDIDATES:
        levels = {
            PRINTED: sp.Rational(1, k + 1),
            BLOM: sp.Rational(5, 8) / (k + sp.Rational(1, 4)),
        }
        values = {name: quantile(level) for name, level in levels.items()}
        steps = (
            "E Y_(1) by trapezoidal sums with proved error bounds; Phi^-1 by bisection, Phi by its "
            "series with Leibniz' bound",
        )
        least = minimum(k).first
        values |= {K: sp.Integer(k), LEAST: least}
        notes = {"E Y_(1)": least, "Phi^-1(1/(k+1))": PRINTED, "-sqrt(2 log(k+1))": -TAIL}
        cases.append(Case({"k": k}, values, notes, steps))
    return cases


_QUANTILE = """import math
from statistics import NormalDist

import numpy as np

"""


def _quantile_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""{_QUANTILE}k = {failed.inputs["k"]}
t = np.linspace(-12, 12, 48_001)
phi = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
above = np.array([math.erfc(x / math.sqrt(2)) / 2 for x in t])  # 1 - Phi(t)
least = np.sum(t * k * above ** (k - 1) * phi) * (t[1] - t[0])
quantile = NormalDist().inv_cdf(1 / (k + 1))
print("claimed", {float(statement.formula.rhs)})  # largest relative deviation
print("actual", abs(least / quantile - 1))
print("E Y_(1):", least, "and the quantile", quantile)
"""


def _tail_witness(statement: Statement, failed: Counterexample) -> str:
    return f"""{_QUANTILE}k = {failed.inputs["k"]}
quantile, tail = NormalDist().inv_cdf(1 / (k + 1)), -np.sqrt(2 * np.log(k + 1))
print("claimed", {float(statement.formula.rhs)})  # largest relative deviation
print("actual", abs(tail / quantile - 1))
print("-sqrt(-2 log p):", tail, "and the quantile", quantile)
"""


def _near(found: sp.Expr, value: sp.Expr, share: sp.Rational) -> sp.Le:
    return sp.Le(sp.Abs(found / value - 1), share)


CLAIMS = (
    Claim(
        id="prior.lemma3.quantile",
        where="Lemma 3, proof",
        statement=Statement(
            "E Y_(1) is within 10% of Phi^-1(1/(k+1)) at k = 2, 4, 8 and 12.",
            _near(LEAST, PRINTED, TENTH),
        ),
        needs=(Kind.EXACT,),
        checks=(enclosed(_quantiles, _quantile_witness),),
        correction=Statement(
            "It is 31%, 22%, 17% and 14% further out there, and within 5% of "
            "Phi^-1((1 - 3/8)/(k + 1/4)) (Blom 1958): E Phi(Y_(1)) is 1/(k+1), but Phi^-1 is "
            "concave there, and its mean lies below.",
            _near(LEAST, BLOM, sp.Rational(1, 20)),
        ),
        setting=SETTING,
    ),
    Claim(
        id="prior.lemma3.tail",
        where="Lemma 3, proof",
        statement=Statement(
            "-sqrt(-2 log p) is within 10% of Phi^-1(p) at p = 1/(k+1), k = 2, 4, 8 and 12.",
            _near(-TAIL, PRINTED, TENTH),
        ),
        needs=(Kind.EXACT,),
        checks=(enclosed(_quantiles, _tail_witness),),
        correction=Statement(
            "It is 3.4, 2.1, 1.7 and 1.6 times as far out there: these p are no tail. With "
            "t = sqrt(-2 log p), Phi^-1(p) is within 1% of "
            "-(t - (2.30753 + 0.27061 t)/(1 + 0.99229 t + 0.04481 t^2)) (Abramowitz and Stegun, "
            "26.2.22).",
            _near(-HASTINGS, PRINTED, HUNDREDTH),
        ),
        setting=SETTING,
    ),
)
