"""Equation 2 and Lemma 2: the mean of k two-point estimates, and its parts along and across g."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from proofs_check.moments import norm_moment
from zotheory.context import Context
from zotheory.evidence.compared import Case
from zotheory.evidence.enclosed import enclosed
from zotheory.evidence.exact import conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.prior import snippets
from zotheory.papers.prior.lemma1 import D
from zotheory.papers.prior.quantities import (
    DIMENSION,
    LENGTH_BOUNDS,
    SHRINK,
    SHRINK_BOUNDS,
    SHRINK_STEPS,
    K,
    band,
    chi,
    near,
    within,
)
from zotheory.papers.prior.selection import PlainEstimate, Reduced, Statistic, Trained, ratio
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

G, H, Z = Fixed("g"), Fixed("h"), Gaussian("z")
_A = Index("a", D)
G_NORM2, GH = contraction(G[_A] * G[_A]), contraction(G[_A] * H[_A])
OUTER_ALONG = sp.Symbol("E <u u^T g, h>")
MEAN_ALONG, PERP2 = sp.Symbol("E <V, h>"), sp.Symbol("E||V_perp||^2")
RATIO, RMS = sp.Symbol("E||V_par||/||V_perp||"), sp.Symbol("sqrt(E||V_par||^2/||V_perp||^2)")
PRINTED = sp.sqrt(K / (D - 1))
SIZES = (sp.Ge(K, 1, evaluate=False), sp.Ge(D, 1, evaluate=False))


def _outer(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """E <u, g> <u, h>; on the unit sphere u = z/||z|| with z/||z|| independent of ||z||."""
    a, b = Index("a", D), Index("b", D)
    found = derive(G[a] * Z[a] * Z[b] * H[b])
    if statement.setting["law"] == "Gaussian":
        return {OUTER_ALONG: found}
    norm2 = norm_moment(1, D)
    return {OUTER_ALONG: Derivation(found.value / norm2, (*found.steps, f"over {norm2}"))}


def _parts(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """V = (1/k) sum_i z_i z_i^T g with ||g|| = 1; V_perp = V - <V, g> g."""

    def entry(a: Index) -> tuple:
        i, c = Index("i", K), Index("c", D)
        return Z[i, c] * G[c] * Z[i, a] / K

    a, b, c = (Index(name, D) for name in "abc")
    mean = derive(entry(a) * H[a])
    norm2, along2 = derive(entry(a) * entry(a)), derive(entry(b) * G[b] * entry(c) * G[c])
    perp2 = sp.expand((norm2.value - along2.value / G_NORM2).subs(G_NORM2, 1))
    steps = (*norm2.steps, *along2.steps, f"E||V||^2 - E<V, g>^2 = {perp2} at ||g|| = 1")
    return {MEAN_ALONG: mean, PERP2: Derivation(perp2, steps)}


def _ratio(statement: Statement) -> Sequence[Case]:
    """||V_par||/||V_perp|| = ||y||/chi_(d-1): given y = (<z_i, g>)_i, sum_i y_i z_i across g is
    ||y|| times a standard normal vector of d - 1 entries."""
    k, d = statement.setting["k"], statement.setting["d"]
    length = sp.Symbol("E chi_(d-1)")
    values = {
        K: sp.Integer(k),
        D: sp.Integer(d),
        SHRINK: SHRINK_BOUNDS,
        length: LENGTH_BOUNDS,
        RATIO: chi(k) * SHRINK,
        RMS: sp.sqrt(K / (D - 3)),
    }
    steps = (
        "V_par = (||y||^2/k) g; given y, V_perp is N(0, ||y||^2 I/k^2) across g",
        f"so E||V_par||/||V_perp|| = E chi_k E[1/chi_(d-1)], E chi_{k} = {chi(k)}; "
        "E||V_par||^2/||V_perp||^2 = k/(d-3)",
        *SHRINK_STEPS,
    )
    notes = {
        "mean of the ratio over the printed value": RATIO / PRINTED,
        "root mean square over it": RMS / PRINTED,
        "ratio of the means over it": K / (chi(k) * length) / PRINTED,
    }
    return [Case({"k": k, "d": d}, values, notes, steps)]


def _measure_parts(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Each entry of V, and ||V_perp||^2, by the training code.

    E V_a^2 = ((k+1) g_a^2 + 1)/k <= (k+2)/k bounds the variance of an entry; ||V_perp||^2 is
    ||y||^2 chi2_(d-1)/k^2.
    """
    measurements = []
    claimed = {relation.lhs: relation.rhs for relation in conjuncts(statement.formula)}
    for k, d in ((1, 2), (4, 3)):
        source = Trained("plain", k, d)
        target = float(claimed[PERP2].subs({K: k, D: d}))
        fourth = k * (k + 2) * (d**2 - 1) / k**4
        decide = partial(
            decide_equal,
            method=Catoni(np.array([(k + 2) / k] * d + [fourth])),
            target=np.array([*source.gradient, target]),
            tolerance=0.25,
            scale=1.0,
        )
        measurements.append(Measurement(f"k={k} d={d}", PlainEstimate(source), decide, 50, 512))
    return measurements


def _measure_ratio(statement: Statement, _: Context) -> Sequence[Measurement]:
    """sqrt(d-1) ||V_par||/||V_perp||, reduced; its exact second moment is k (d-1)/(d-3)."""
    k, d = statement.setting["k"], statement.setting["d"]
    value, share = band(statement.formula, RATIO)
    claimed = float((value * sp.sqrt(D - 1)).subs({K: k, D: d}))
    variance = k * (d - 1) / (d - 3) - float(chi(k)) ** 2  # E chi_k^2 less a lower bound's square
    statistic = Statistic(Reduced("plain", k, d), ratio)
    return [near(f"k={k} d={d}", statistic, claimed, share, variance, size=5_000)]


def _aligned(says: str, k: int, formula: sp.Basic) -> Statement:
    return Statement(says, formula, setting={"k": k, "d": DIMENSION})


_RATIO_CHECKS = (enclosed(_ratio, snippets.plain_ratio), measured(_measure_ratio))

EQUATION2 = (
    Claim(
        id="prior.eq2",
        where="Eq. 2",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=Statement(
            "E[u u^T] g = g.", sp.Eq(OUTER_ALONG, GH), SIZES[1:], setting={"law": "Gaussian"}
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_outer),),
        mutant=Statement(
            "The same for u uniform on the unit sphere.",
            sp.Eq(OUTER_ALONG, GH),
            SIZES[1:],
            setting={"law": "unit sphere"},
        ),
    ),
)

LEMMA2 = (
    Claim(
        id="prior.lemma2.mean",
        where="Lemma 2",
        setting=Setting("any gradient in any dimension d, k directions"),
        statement=Statement(
            "E V = g, E||V_perp||^2 = (d-1)/k.",
            conjunction(sp.Eq(MEAN_ALONG, GH), sp.Eq(PERP2, (D - 1) / K)),
            SIZES,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_parts), measured(_measure_parts)),
        mutant=Statement(
            "E V = g, E||V_perp||^2 = (d+1)/k, which is E||V - g||^2.",
            conjunction(sp.Eq(MEAN_ALONG, GH), sp.Eq(PERP2, (D + 1) / K)),
            SIZES,
        ),
    ),
    Claim(
        id="prior.lemma2.ratio1_large",
        where="Lemma 2",
        setting=Setting("any gradient, many directions, large d"),
        statement=_aligned(
            "E||V_par||/||V_perp|| is within 2% of sqrt(k/(d-1)) at k = 64, d = 10^5.",
            64,
            within(RATIO, PRINTED, sp.Rational(2, 100)),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=_RATIO_CHECKS,
        mutant=_aligned("The same at k = 8.", 8, within(RATIO, PRINTED, sp.Rational(2, 100))),
    ),
    Claim(
        id="prior.lemma2.ratio1_one",
        where="Lemma 2 at the paper's own setting k = 1",
        setting=Setting("any gradient, the k = 1 of MeZO, large d"),
        statement=_aligned(
            "E||V_par||/||V_perp|| is within 10% of sqrt(1/(d-1)) at k = 1, d = 10^5.",
            1,
            within(RATIO, PRINTED, sp.Rational(1, 10)),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=_RATIO_CHECKS,
        correction=_aligned(
            "At k = 1 it is within 1% of sqrt(2/pi) sqrt(1/(d-1)), 20% below: E|y| is less than "
            "sqrt(E y^2). The root mean square of the ratio is within 1% of the printed value.",
            1,
            conjunction(
                within(RATIO, sp.sqrt(2 / sp.pi) * PRINTED, sp.Rational(1, 100)),
                within(RMS, PRINTED, sp.Rational(1, 100)),
            ),
        ),
    ),
)
