"""How long MeZO-GV's estimate is on average, by the number of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import sympy as sp

from proofs_check.enclosures import enclose
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import conjuncts
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior.quantities import (
    K,
    guided,
    guided_growth,
    guided_second_bounds,
    near,
    spread,
)
from zotheory.papers.prior.selection import Beside, Reduced, Statistic, along
from zotheory.statistics import Catoni, decide_less
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

RISE, LIMIT = sp.Symbol("least c_(M+2) - c_M, M = 2, ..., 18"), sp.Symbol("lim c_M")
COUNTS = tuple(range(2, 21, 2))
MANY = 300


def _scales(_: Statement) -> Sequence[Case]:
    """c_M = E A^2 at every even M up to 20, by enclosures, and its limit between two bounds."""
    laws = [guided(m, m // 2) for m in COUNTS]
    found = [enclose(law.second) for law in laws]
    rises = [
        (sp.Rational(b.low) - sp.Rational(a.high), sp.Rational(b.high) - sp.Rational(a.low))
        for a, b in pairwise(found)
    ]
    limit, _ = guided_growth(2)
    values = {RISE: (min(low for low, _ in rises), min(high for _, high in rises))}
    steps = (
        "V = <g, v> v, v = A g + N, N independent of A with mean 0 (||g|| = 1): c_M = E A^2",
        *laws[-1].steps,
        *(f"c_{m} = {c}" for m, c in zip(COUNTS, found, strict=True)),
        *limit.steps,
    )
    return [Case({"M": "2, ..., 20"}, values | {LIMIT: limit.value}, steps=steps)]


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Rises at small M, and c_300 within 1% of the claimed limit, all reduced.

    c_300 is 0.3% below 8/pi. Poincare's inequality: Var A^2 <= E||grad A^2||^2 = (16/M) E A^2.
    """
    measurements = []
    for pair in ((2, 4), (4, 6), (6, 8)):
        sampler = Beside(*(Statistic(Reduced("guided", m, 3), along) for m in pair))
        method = Catoni(np.array([spread(guided(m, m // 2)) for m in pair]))
        decide = partial(decide_less, method=method)
        measurements.append(Measurement(f"M={pair[0]}, {pair[1]}", sampler, decide, 6_000, 64))
    (claimed,) = (r.rhs for r in conjuncts(statement.formula) if r.lhs == LIMIT)
    _, upper, _ = guided_second_bounds()
    variance = 16 / MANY * float(upper.subs(K, MANY))
    statistic = Statistic(Reduced("guided", MANY, 3), along)
    return [
        *measurements,
        near(f"M={MANY}", statistic, float(claimed), 0.01, variance, size=600),
    ]


def _statement(says: str, limit: sp.Expr) -> Statement:
    return Statement(says, conjunction(sp.Gt(RISE, 0), sp.Eq(LIMIT, limit)))


CLAIMS = (
    Claim(
        id="own.gv_scale",
        where="ours, for prior Figs. 1 and 5",
        statement=_statement(
            "On a linear loss the mean of MeZO-GV's estimate at alpha = 1/2 is c_M g with c_M "
            "strictly rising over M = 2, 4, ..., 20, and c_M -> 8/pi as M -> infinity.",
            8 / sp.pi,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(enclosed(_scales), measured(_measure)),
        mutant=_statement("It rises so, and c_M -> 5/2.", sp.Rational(5, 2)),
        setting=Setting(paper="a linear loss, alpha = 1/2, every even M"),
    ),
)
