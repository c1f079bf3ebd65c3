"""Figs. 1, 5 and 6: how long the estimates are, and greedy's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards.ratio import number
from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.quantities import (
    CANDIDATES,
    K,
    band,
    greedy,
    guided,
    near,
    spread,
    within,
)
from zotheory.papers.prior.selection import GuidedMean, Reduced, Statistic, Trained, along
from zotheory.statistics import Catoni, decide_at_most
from zotheory.vocabulary import Claim, Kind, Setting, Statement

COMPONENT = sp.Symbol("mean component along -g of a MeZO-GV step over MeZO's")
SCALE = sp.Symbol("<E V, g>/||g||^2")
M = sp.Symbol("M", integer=True, positive=True)
TENTH = sp.Rational(1, 10)


def _components(_: Statement) -> Sequence[Case]:
    """E A^2 over MeZO's E y^2 = 1, at one learning rate."""
    cases = []
    for k in CANDIDATES:
        law = guided(k, k // 2)
        steps = (
            "a step is -eta V with E V = E A^2 g, V = <g, v> v; MeZO's has E y^2 = 1 for E A^2",
            *law.steps,
        )
        cases.append(Case({"k": k}, {K: sp.Integer(k), COMPONENT: law.second}, steps=steps))
    return cases


def _measure_components(statement: Statement, _: Context) -> Sequence[Measurement]:
    """<V, g>, reduced; d plays no part. (`prior.lemma4.ratio2` has it from the training code.)"""
    value, share = band(statement.formula, COMPONENT)
    measurements = []
    for k in CANDIDATES:
        statistic = Statistic(Reduced("guided", k, 3), along)
        claimed, variance = float(value.subs(K, k)), spread(guided(k, k // 2))
        measurements.append(near(f"M={k}", statistic, claimed, share, variance, 2_000))
    return measurements


def _scale_witness(_: Statement, __: Counterexample) -> str:
    return """import numpy as np

rng = np.random.default_rng(0)
for M in (2, 4, 8, 12):
    y = np.sort(rng.standard_normal((400_000, M)))  # <z_i, g>/||g||, lowest losses first
    a = y[:, : M // 2].mean(axis=1) - y[:, M // 2 :].mean(axis=1)
    print("simulated at M =", M, ": mean component over MeZO's", np.mean(a**2))
print("claimed", 0.1)  # largest deviation from MeZO's component
x, weight = np.polynomial.hermite_e.hermegauss(4)
weight /= weight.sum()
print("actual", abs(weight @ (x[:, None] - x) ** 2 @ weight - 1))  # at M = 2, A = -|y_1 - y_2|
"""


def _greedy(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """<E V, g>/||g||^2 for V = <g, z*>^(p-1) z*, p = 2 for the estimate: E Y_(1)^p.

    Y_(1) <= y_1 and, for M >= 2, Y_(1) < y_1 with positive probability.
    """
    p = statement.setting["power"]
    steps = (
        "z* = Y_(1) g/||g|| + P, P across g, independent of the y_i, with mean 0: E V = E Y_(1)^p g"
        f" in units of ||g||, p = {p}",
    )
    if p == 2:
        least = sp.Symbol("P(y_1 <= -1)", positive=True)
        steps += ("Y_(1) <= y_1, so E Y_(1)^2 >= P(Y_(1) <= -1) >= P(y_1 <= -1) > 0 for M >= 1",)
        return {SCALE: Derivation(least + sp.Symbol("rest", nonnegative=True), steps)}
    size = sp.Symbol("E y_1 - E Y_(1)", nonnegative=True)
    steps += ("E Y_(1) <= E y_1 = 0, by Y_(1) <= y_1",)
    return {SCALE: Derivation(-size, steps)}


def _measure_greedy(statement: Statement, _: Context) -> Sequence[Measurement]:
    """By the training code: minus the part along g is at most 0, the part across within 1/2.

    The second moments that bound the variances are those of Y_(1), Y_(1)^2 and Y_(1)^p P.
    """
    p, measurements = statement.setting["power"], []
    for candidates in (2, 4):
        law = greedy(candidates)
        second = number(law.second)
        bounds = np.array([number(law.fourth), second, second] if p == 2 else [second, 1.0, 1.0])
        decide = partial(decide_at_most, method=Catoni(bounds), bound=np.array([0.0, 0.5, 0.5]))
        sampler = GuidedMean(Trained("greedy", candidates, 4), p)
        measurements.append(Measurement(f"M={candidates} d=4", sampler, decide, 30, 128))
    return measurements


CLAIMS = (
    Claim(
        id="prior.gv.scale_at_equal_rate",
        where="Fig. 1, Fig. 5, App. C.1",
        statement=Statement(
            "On a linear loss and at equal learning rate the mean component of a MeZO-GV step "
            "(alpha = 1/2) along -g is within 10% of MeZO's, at each of M = 2, 4, 8, 12. (Figs. 1 "
            "and 5 compare the two at one learning rate.)",
            within(COMPONENT, sp.Integer(1), TENTH),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_components, _scale_witness), measured(_measure_components)),
        correction=Statement(
            "It is 2, 2.103, 2.277 and 2.356 times MeZO's there, within 10% of "
            "(8/pi) (M+1)/(M+2): a run of MeZO-GV has at least twice the rate of the MeZO run "
            "beside it.",
            within(COMPONENT, 8 * (K + 1) / (sp.pi * (K + 2)), TENTH),
        ),
        setting=Setting(
            paper="training losses of OPT and Llama2 models at one learning rate (Figs. 1, 5)",
            judged="a linear loss, what every smooth one is as eps -> 0",
        ),
    ),
)

GREEDY = (
    Claim(
        id="prior.greedy.direction",
        where="Eq. 7, 8, Lemma 3",
        statement=Statement(
            "On a linear loss the mean of MeZO-Greedy's estimate is a positive multiple of g, for "
            "every M >= 1.",
            sp.Gt(SCALE, 0),
            (sp.Ge(M, 1, evaluate=False),),
            setting={"power": 2},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_greedy), measured(_measure_greedy)),
        mutant=Statement(
            "The selected perturbation itself has a mean that is a positive multiple of g.",
            sp.Gt(SCALE, 0),
            (sp.Ge(M, 1, evaluate=False),),
            setting={"power": 1},
        ),
        setting=Setting(paper="a linear loss with gradient direction g (Lemma 3)"),
    ),
)
