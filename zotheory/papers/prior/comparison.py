"""Table 5, one step, one forward pass: GV and greedy against plain two-point estimates.

One step of greedy or GV with M candidates costs M + 2 forward passes, counted on the estimators.
E cos^2 is compared in every dimension at once by :mod:`zotheory.papers.prior.cosine_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards.ratio import number
from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import Counterexample, refuted
from zotheory.evidence.instruments import Passes
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior import on_model, snippets
from zotheory.papers.prior.cosine_order import Averaged, Chosen, order
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.quantities import CANDIDATES, DIMENSION, SETTINGS, K, greedy, guided
from zotheory.papers.prior.selection import (
    Beside,
    Reduced,
    Statistic,
    Trained,
    recipe,
    scaled_cosine,
    squared_ratio,
)
from zotheory.papers.shared.estimates import zeros
from zotheory.statistics import Bernstein, Catoni, decide_less
from zotheory.vocabulary import Check, Claim, Evidence, Kind, Setting, Statement, Verdict

GREEDY2, GUIDED2, PLAIN2 = (
    sp.Symbol(f"(d-3) E||V_par||^2/||V_perp||^2 of {name}") for name in ("ZO-Greedy", "ZO-GV", "ZO")
)
COS2, PLAIN_COS2 = sp.Symbol("E cos^2(g, V)"), sp.Symbol("E cos^2(g, plain estimate)")
SQUARE = sp.Symbol("E[Y_(1)^2]", positive=True)
SELECTION = {"greedy": greedy, "guided": lambda k: guided(k, k // 2)}


def passes(method: str, k: int) -> int:
    """Forward passes of one estimate, counted on the estimator."""
    closure = Passes()
    recipe(method, k).build(zeros({"w": (3,)})).estimate(closure)
    return closure.made


def _directions(statement: Statement) -> int:
    """How many plain directions are compared with: as many as the same passes buy, or as set."""
    setting = statement.setting
    if "directions" in setting:
        return setting["directions"]
    spent = passes(setting["method"], setting["M"])
    return max(q for q in range(1, spent + 1) if passes("plain", q) <= spent)


def _judge_greedy(statement: Statement, context: Context) -> Evidence:
    """The first few k by enclosure, all k >= 2 from Y_(1)^2 < ||y||^2."""
    found = enclosed(_greedy_cases, snippets.greedy_square).judge(statement, context)
    if found.verdict is Verdict.REFUTED:
        return found
    names = {GREEDY2: SQUARE, PLAIN2: K}
    lhs, rhs = (side.xreplace(names) for side in (statement.formula.lhs, statement.formula.rhs))
    conclusion = statement.formula.func(lhs, rhs, evaluate=False)
    step = follows((sp.Lt(SQUARE, K, evaluate=False),), conclusion, statement.domain)
    if not isinstance(step, Proved):
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, f"not shown for every k: {step}")
    bound = "Y_(1)^2 is one term of ||y||^2, the others are positive: E[Y_(1)^2] < k for k >= 2"
    steps = [*found.certificate["steps"], bound, *step.steps]
    summary = "from Y_(1)^2 < ||y||^2, for every k >= 2"
    return Evidence(Kind.EXACT, Verdict.PROVED, summary, found.numbers, {"steps": steps})


def _greedy_cases(_: Statement) -> Sequence[Case]:
    steps = (
        "greedy: ||V_par||/||V_perp|| = |Y_(1)|/chi_(d-1); the mean of k: ||y||/chi_(d-1), with "
        "E||y||^2 = k; E[1/chi2_(d-1)] = 1/(d-3)",
    )
    return [
        Case({"k": k}, {GREEDY2: greedy(k).second, PLAIN2: sp.Integer(k)}, steps=steps)
        for k in (2, 3, 4)
    ]


def _guided_cases(_: Statement) -> Sequence[Case]:
    cases = []
    for k, s in SETTINGS:
        law = guided(k, s)
        steps = (
            "GV: ||V_par||/||V_perp|| = |m|/(sqrt(2s) chi_(d-1)); the mean of k: ||y||/chi_(d-1); "
            "E[1/chi2_(d-1)] = 1/(d-3)",
            "m^2 <= k ||y||^2 (Cauchy and Schwarz), so GV's is the smaller one pathwise, too",
            *law.steps,
        )
        spent = passes("guided", k)
        notes = {f"passes of GV ({spent}) buy plain directions": sp.Integer(spent // 2)}
        values = {GUIDED2: law.second / law.spread, PLAIN2: sp.Integer(k)}
        cases.append(Case({"k": k, "s": s}, values, notes, steps))
    return cases


def _judge_cosine(statement: Statement, context: Context) -> Evidence:
    """The Laplace transform order of A^2 for the selected direction and for plain ones."""
    context.tell(f"{context.claim}  deriving")
    candidates, q = statement.setting["M"], _directions(statement)
    law = SELECTION[statement.setting["method"]](candidates)
    selected, plain = Chosen.of(law), Averaged(q)
    found = order(selected, plain)
    if found.sign is None:
        return Evidence(Kind.EXACT, Verdict.INCONCLUSIVE, found.steps[-1])
    steps = (*law.steps, f"the mean of q = {q} plain estimates: A = chi2_q", *found.steps)
    at_two = {COS2: sp.Float(number(selected.cos2(2)), 15), PLAIN_COS2: plain.cos2(2)}
    numbers = {
        "forward passes": passes(statement.setting["method"], candidates),
        "plain directions": q,
        "at d = 2": {str(name): float(value) for name, value in at_two.items()},
        "limit of d E cos^2": {str(COS2): number(law.second / law.spread), str(PLAIN_COS2): q},
    }
    if (found.sign > 0) if isinstance(statement.formula, sp.Gt) else (found.sign < 0):
        summary = f"for every d >= 2, against {q} plain directions: transforms are ordered"
        return Evidence(Kind.EXACT, Verdict.PROVED, summary, numbers, {"steps": list(steps)})
    point = {"M": candidates, "plain directions": q, "d": 2}
    failed = Counterexample(point, claimed=at_two[PLAIN_COS2], actual=at_two[COS2])
    found = refuted(statement, failed, statement.formula, steps, snippets.cosine)
    told = {**found.numbers, **numbers}
    return Evidence(Kind.EXACT, Verdict.REFUTED, found.summary, told, found.certificate)


def _second_moment(method: str, k: int) -> float:
    """E A^4/spread^2: the second moment of ||V_par||^2/||V_perp||^2 times that of chi2_(d-1)."""
    if method == "plain":
        return k * (k + 2)
    law = SELECTION[method](k)
    return number(law.fourth / law.spread**2)


def _pair(formula: sp.Basic, selected: Statistic, plain: Statistic, scale: float) -> tuple:
    """(sampler, second moments' bounds) of lesser and greater side, as the formula has them.

    `scale` times E A^4/spread^2 bounds the second moment of the statistics.
    """
    sides = (plain, selected) if isinstance(formula, sp.Gt) else (selected, plain)
    bounds = [scale * _second_moment(s.source.method, s.source.k) for s in sides]
    return Beside(*sides), np.array(bounds)


def _measure_squares(statement: Statement, _: Context) -> Sequence[Measurement]:
    """(d-3) ratio_1^2 of both: by the training code at k = 2 and 4, reduced at 8 and 12."""
    measurements = []
    for k in CANDIDATES:
        source, d = (Trained, 12) if k <= 4 else (Reduced, DIMENSION)
        statistics = (Statistic(source(m, k, d), squared_ratio) for m in ("guided", "plain"))
        scale = (d - 3) / (d - 5)  # (d-3)^2 E[1/chi_(d-1)^4]
        sampler, bounds = _pair(statement.formula, *statistics, scale)
        decide = partial(decide_less, method=Catoni(bounds))
        size = 50 if source is Trained else 2_000
        measurements.append(Measurement(f"k={k} d={d}", sampler, decide, size, 256))
    return measurements


def _measure_cosine(statement: Statement, _: Context) -> Sequence[Measurement]:
    """d cos^2 of both, each drawn for itself: d = 6 by the training code, d = 10^5 reduced."""
    method, candidates = statement.setting["method"], statement.setting["M"]
    measurements = []
    for source, d, size in ((Trained, 6, 100), (Reduced, DIMENSION, 2_000)):
        selected, plain = (
            Statistic(source(m, k, d), scaled_cosine)
            for m, k in ((method, candidates), ("plain", _directions(statement)))
        )
        # d^2 cos^4 <= d^2 A^2/chi^4
        sampler, bounds = _pair(statement.formula, selected, plain, d**2 / ((d - 3) * (d - 5)))
        interval = Bernstein(0.0, float(d)) if source is Trained else Catoni(bounds)
        decide = partial(decide_less, method=interval)
        measurements.append(Measurement(f"M={candidates} d={d}", sampler, decide, size, 256))
    return measurements


def _cosine(says: str, relation: type, method: str, **setting: int) -> Statement:
    setting = {"method": method, "M": 4, **setting}
    domain = (sp.Ge(D, 2, evaluate=False),)
    return Statement(says, relation(COS2, PLAIN_COS2), domain, setting=setting)


_COSINE_CHECKS = (Check(Kind.EXACT, _judge_cosine), measured(_measure_cosine))

TABLE5 = (
    Claim(
        id="prior.table5.greedy",
        where="Table 5",
        setting=Setting("one step at equal k, any gradient"),
        statement=Statement(
            "At the same k >= 2, the root-mean-square aligned ratio of ZO-Greedy exceeds that of "
            "plain ZO averaged over k directions.",
            sp.Gt(GREEDY2, PLAIN2),
            (sp.Ge(K, 2, evaluate=False),),
        ),
        needs=(Kind.EXACT,),
        checks=(Check(Kind.EXACT, _judge_greedy),),
        correction=Statement(
            "It is smaller for every k >= 2: sqrt(E[Y_(1)^2]) against sqrt(k), over sqrt(d-3).",
            sp.Lt(GREEDY2, PLAIN2),
            (sp.Ge(K, 2, evaluate=False),),
        ),
    ),
    Claim(
        id="prior.table5.gv",
        where="Table 5",
        setting=Setting("one step at equal k, s = k/2, any gradient"),
        statement=Statement(
            "At the same k and s = k/2, for k = 2, 4, 8, 12, the root-mean-square aligned ratio of "
            "ZO-GV exceeds that of plain ZO averaged over k directions.",
            sp.Gt(GUIDED2, PLAIN2),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_guided_cases, snippets.guided_plain), measured(_measure_squares)),
        correction=Statement(
            "It is smaller at each of them: sqrt(1), sqrt(2.10), sqrt(4.55), sqrt(7.07) against "
            "sqrt(k), over sqrt(d-3). GV spends k + 2 forward passes there, the mean of k "
            "two-point estimates 2k; of the (k+2)/2 directions that its own passes buy, GV is "
            "ahead at k = 12 alone, 7.07 to 7.",
            sp.Lt(GUIDED2, PLAIN2),
        ),
    ),
)

STEPS = (
    Claim(
        id="prior.step.gv",
        where="Sec. 4.5, Fig. 4",
        setting=Setting(
            "OPT-1.3B, prefix tuning on SST-2 and BoolQ, 10,000 steps; judged for every gradient "
            "as eps -> 0, and measured on SmolLM2-135M's",
        ),
        statement=_cosine(
            "Per step, MeZO-GV at M = 4, alpha = 1/2 has a larger expected squared cosine with the "
            "true gradient than MeZO.",
            sp.Gt,
            "guided",
            directions=1,
        ),
        needs=(Kind.EXACT, Kind.MEASURED, Kind.MODEL),
        checks=(*_COSINE_CHECKS, on_model.cosine(COS2, PLAIN_COS2, _directions)),
        mutant=_cosine(
            "It has a larger one than the mean of three of MeZO's estimates.",
            sp.Gt,
            "guided",
            directions=3,
        ),
    ),
)

COST = (
    Claim(
        id="prior.cost.gv",
        where="ours, for Sec. 4.2 and 5",
        setting=Setting("ours: a linear loss at equal forward passes"),
        statement=_cosine(
            "Per forward pass (GV at M = 4 spends 6), MeZO-GV has a larger expected squared cosine "
            "with the true gradient than plain two-point averaging given the same number of "
            "passes.",
            sp.Gt,
            "guided",
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=_COSINE_CHECKS,
        correction=_cosine(
            "It has a smaller one in every dimension d >= 2: 6 passes buy three two-point "
            "directions with E cos^2 = 3/(d+2), of which GV's is 70% at large d.",
            sp.Lt,
            "guided",
        ),
    ),
    Claim(
        id="prior.cost.greedy",
        where="ours, for Sec. 4.3",
        setting=Setting("ours: a linear loss at equal forward passes"),
        statement=_cosine(
            "Per forward pass (greedy at M = 4 spends 6), MeZO-Greedy has a larger expected "
            "squared cosine with the true gradient than plain two-point averaging given the same "
            "number of passes.",
            sp.Gt,
            "greedy",
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=_COSINE_CHECKS,
        correction=_cosine(
            "It has a smaller one in every dimension d >= 2: 6 passes buy three two-point "
            "directions with E cos^2 = 3/(d+2), of which greedy's is 52% at large d.",
            sp.Lt,
            "greedy",
        ),
    ),
)
