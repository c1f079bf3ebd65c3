"""One-sided differences round a shared point against two-sided ones and the guiding vector.

"Larger" is measured as: by a quarter at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.cards import Card, card
from proofs_check.cards.order_statistics import split
from proofs_check.cards.ratio import cosine_of_chi2, number
from proofs_check.gaussian import Derivation
from proofs_check.results import Enclosed
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared.estimates import Contrast, VectorCosines
from zotheory.statistics import Catoni, decide_less, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# The squared cosine of MeZO-GV's guiding vector, bounded for every number M of candidates.
#
# On a linear loss v = sum_i w_i Z_i, where the weights go down as y_i = <G, Z_i>/||G|| go up. With
# X = (sum_i w_i y_i)^2 / sum_i w_i^2, cos^2(G, v) = X / (X + chi^2_(d-1)), which increases with X;
# the chi^2 comes from what is across G and is independent of the y_i.


def guiding_cosine(candidates: sp.Expr, d: sp.Expr) -> Enclosed:
    """Bounds of E cos^2(G, v) for an even number of candidates, half of them the elite; d >= 1."""
    lower, upper = cosine_of_chi2(sp.S.One, d), cosine_of_chi2(candidates, d)
    steps = (
        f"Cauchy-Schwarz: X <= sum_i y_i^2 ~ chi^2_M, M = {candidates}, so that "
        f"E cos^2 <= E[chi^2_M / (chi^2_M + chi^2_(d-1))] = {upper}",
        "rearrangement: with the weights ordered against y, sum_i w_i y_i is least over all orders "
        "of the weights; -w is w in another order, so X is largest, at least what it is with "
        f"weights in a fixed order, where X ~ chi^2_1: E cos^2 >= {lower}",
    )
    return Enclosed(lower, upper, steps)


D = sp.Symbol("d", integer=True, positive=True)
HALF = sp.Symbol("h", integer=True, positive=True)  # of B or of M, which are even
ONE_SIDED, TWO_SIDED, GUIDED = (
    sp.Symbol(f"E cos^2 of {name}") for name in ("one-sided differences", "two-sided ones", "GV")
)
RATIO = sp.Symbol("lim E cos^2 one-sided / E cos^2 two-sided")
EVERY_D = sp.Ge(D, 2, evaluate=False)  # at d = 1 all cosines are 1
LARGER_BY = 1.25


def _averaged(q: sp.Expr) -> Derivation:
    """E cos^2 of the average over q Gaussian directions in d dimensions."""
    found: Card = card("averaged", m=D, n=1, q=q)
    return Derivation(sp.cancel(found.cos2), found.steps)


def _against_two_sided(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """B = 2h losses buy B - 1 one-sided differences or B/2 two-sided ones."""
    one, two = _averaged(2 * HALF - 1), _averaged(HALF)
    limit = sp.limit(sp.cancel(one.value / two.value), D, sp.oo)
    step = f"({one.value}) / ({two.value}) -> {limit} as d -> oo"
    return {ONE_SIDED: one, TWO_SIDED: two, RATIO: Derivation(limit, (step,))}


def _against_guiding(statement: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    """GV's candidates M = 2h and its two-sided difference are M + 2 losses."""
    differences = statement.setting["differences"]
    return {ONE_SIDED: _averaged(differences), GUIDED: guiding_cosine(2 * HALF, D)}


def _witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
losses = 2 * h


def cos2(directions):
    # g lies along the first axis. The average of <g, Z_i> Z_i is ||y||^2 along g and a Gaussian
    # of size ||y|| across it, ||y||^2 ~ chi^2 with as many degrees as directions: cos^2 follows a
    # beta law, whose mean is the first parameter's share
    return (directions / 2) / (directions / 2 + (d - 1) / 2)


print("claimed", float(cos2(losses - 1)))  # the two-sided ones are to be strictly below
print("actual", float(cos2(losses // 2)))
z = np.random.default_rng(0).standard_normal((100_000, losses // 2, d))
estimate = np.einsum("bq,bqd->bd", z[:, :, 0], z)
print("simulated", float(np.mean(estimate[:, 0] ** 2 / np.sum(estimate**2, axis=1))))
"""


def _measure_against_two_sided(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The least B of the domain, and the ratio at B = 4 in a large dimension."""
    least = min(h for h in (1, 2, 3) if all(c.subs({HALF: h, D: 50}) for c in statement.domain))
    rival = Recipe("q_spsa", (("queries", least),))
    ratio = next(r.rhs for r in conjuncts(statement.formula) if r.lhs == RATIO)
    return [
        _larger(2 * least - 1, rival, _variance(least, 50), d=50, shard_size=150),
        _ratio(float(ratio.subs(HALF, 2)), d=100),
    ]


def _measure_against_guiding(statement: Statement, _: Context) -> Sequence[Measurement]:
    measurements, d = [], 50
    for candidates in (4, 8):
        differences = int(statement.setting["differences"].subs(HALF, candidates // 2))
        rival = Recipe("mezo_gv", (("candidates", candidates),))
        # cos^2 <= X/chi^2_(d-1) with independent X (see `guiding_cosine`) and chi^2
        selected = split(candidates, candidates // 2)
        second = number(selected.fourth) / float(selected.spread) ** 2
        second *= d**2 / ((d - 3) * (d - 5))
        measurements.append(_larger(differences, rival, second, d, shard_size=280 // candidates))
    return measurements


def _one_sided(directions: int) -> Recipe:
    return Recipe("one_sided", (("queries", directions),))


def _larger(
    differences: int, rival: Recipe, variance: float, d: int, shard_size: int
) -> Measurement:
    """Whether `differences` one-sided differences have a larger E cos^2 than a rival.

    variance: of d cos^2 of the rival, or a bound on it.
    """
    variances = np.array([variance, _variance(differences, d)])
    decide = partial(decide_less, method=Catoni(variances), margin=1 / LARGER_BY)
    options = ", ".join(f"{key}={value}" for key, value in rival.options)
    at = f"{differences} one-sided differences against {rival.name} with {options}, d={d}"
    sampler = VectorCosines((rival, _one_sided(differences)), d)
    return Measurement(at, sampler, decide, shard_size, 64)


def _ratio(claimed: float, d: int) -> Measurement:
    """At B = 4: one-sided minus the claimed ratio times two-sided, of mean 0 by the claim."""
    one, two = 3, 2
    recipes = _one_sided(one), Recipe("q_spsa", (("queries", two),))
    variance = _variance(one, d) + claimed**2 * _variance(two, d)
    decide = partial(
        decide_within, method=Catoni(variance), target=0.0, tolerance=0.2, scale=claimed * two
    )
    sampler = Contrast(VectorCosines(recipes, d), (1.0, -claimed))
    return Measurement(f"ratio at B=4 d={d}", sampler, decide, 62, 64)


def _variance(q: int, d: int) -> float:
    """Of d cos^2 of an average over q directions: cos^2 ~ Beta(q/2, (d-1)/2)."""
    return d**2 * 2 * q * (d - 1) / ((q + d - 1) ** 2 * (q + d + 1))


CLAIMS = (
    Claim(
        id="own.forward_differences",
        where="ours",
        setting=Setting("a linear loss, large dimension"),
        statement=Statement(
            "Given the same even number B = 2h of loss values, one-sided differences around one "
            "shared point have a larger E cos^2 on a linear loss than two-sided ones, by the ratio "
            "(B-1)/(B/2) in the limit of large d.",
            conjunction(sp.Lt(TWO_SIDED, ONE_SIDED), sp.Eq(RATIO, (2 * HALF - 1) / HALF)),
            (sp.Ge(HALF, 1, evaluate=False), EVERY_D),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_against_two_sided, _witness), measured(_measure_against_two_sided)),
        correction=Statement(
            "They do for every even B >= 4 and every d >= 2, by that ratio in the limit of large "
            "d. Two losses give one difference either way, and the same E cos^2.",
            conjunction(sp.Lt(TWO_SIDED, ONE_SIDED), sp.Eq(RATIO, (2 * HALF - 1) / HALF)),
            (sp.Ge(HALF, 2, evaluate=False), EVERY_D),
        ),
    ),
    Claim(
        id="own.gv_forward",
        where="ours",
        setting=Setting("a linear loss in any dimension d >= 2"),
        statement=Statement(
            "Given the same number B = M + 2 of loss values, B - 1 one-sided differences have a "
            "larger E cos^2 on a linear loss than MeZO-GV at alpha = 1/2, for every even "
            "M = 2h >= 2 (and every d >= 2, large or not).",
            sp.Lt(GUIDED, ONE_SIDED),
            (sp.Ge(HALF, 1, evaluate=False), EVERY_D),
            setting={"differences": 2 * HALF + 1},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_against_guiding), measured(_measure_against_guiding)),
        mutant=Statement(
            "Half as many losses, M/2 one-sided differences, have a larger E cos^2 than MeZO-GV.",
            sp.Lt(GUIDED, ONE_SIDED),
            (sp.Ge(HALF, 1, evaluate=False), EVERY_D),
            setting={"differences": HALF},
        ),
    ),
)
