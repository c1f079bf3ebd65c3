"""The estimate on a linear loss: its angle with the gradient under a mask, and its signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp
from scipy.stats import binom

from proofs_check.cards.dense import gaussian
from proofs_check.cards.supports import magnitude_mask
from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.estimates import (
    Estimates,
    Linear,
    SameSign,
    SquaredCosines,
    VectorCosines,
)
from zotheory.papers.shared.kept import D
from zotheory.papers.shared.smoothing import N
from zotheory.papers.smezo.batches import COSINE, agreement
from zotheory.statistics import Catoni, ClopperPearson, decide_equal, decide_within
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# The angle.


SHARE = sp.Symbol("s", nonnegative=True)  # of the squared gradient on the mask
BY_MASK = sp.Symbol("E cos^2, a fixed mask")
BY_MEZO = sp.Symbol("E cos^2, MeZO")
BY_RANDOM = sp.Symbol("E cos^2, averaged over random masks")


def _cosines(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """A random mask of n entries is any of the sets of n, all alike."""
    mask, mezo = magnitude_mask(N, SHARE), gaussian(D, 1)
    without, sets = sp.binomial(D - 1, N - 1), sp.binomial(D, N)
    mean = sp.cancel(sp.combsimp(without / sets))
    random = sp.cancel(mask.cos2.subs(SHARE, mean))
    on_average = (
        f"of {sets} sets {without} hold an entry: its share of the squared gradient is on the mask "
        f"with probability {mean}, so that E s = {mean}",
        f"the value is linear in s: {random}",
    )
    return {
        BY_MASK: Derivation(mask.cos2, mask.steps),
        BY_MEZO: Derivation(mezo.cos2, mezo.steps),
        BY_RANDOM: Derivation(random, on_average),
    }


def _measure_cosines(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The 3 smallest of 6 weights hold half of the square; MeZO and R-MeZO on 16 weights.

    With a share s on n entries cos^2 = s B, B ~ Beta(1/2, (n-1)/2), E B^2 = 3/(n(n+2)).
    """
    claimed = {relation.lhs: relation.rhs for relation in statement.formula.args}
    weights = (0.1, -0.9, 0.3, -0.2, 0.8, 0.7)
    gradient = (0.5, 0.4, -0.3, 0.4, 0.3, -0.5)
    n, d, share = 3, 6, sp.Rational(1, 2)
    estimates = Estimates(Recipe("s_mezo", (("sparsity", 0.5),)), (weights,), Linear(gradient))
    target = float(claimed[BY_MASK].subs({SHARE: share, N: n, D: d}))
    masked = Measurement(
        "the 3 smallest of 6 weights",
        SquaredCosines((estimates,), gradient),
        partial(
            decide_equal,
            method=Catoni([float(share**2 * (sp.Rational(3, n * (n + 2)) - sp.Rational(1, n**2)))]),
            target=np.array([target]),
            tolerance=0.2,
        ),
        20,
        80,
    )
    d, keep = 16, 0.5
    recipes = (Recipe("mezo"), Recipe("r_mezo", (("sparsity", 1 - keep),)))
    targets = [d * float(claimed[name].subs({D: d, N: d // 2})) for name in (BY_MEZO, BY_RANDOM)]
    variances = [d**2 * 3 / (d * (d + 2)) - 1, _random_square(d, keep) - 1 + 2 * (1 - keep) ** d]
    whole = Measurement(
        f"MeZO, and R-MeZO with masks of random size, {d} weights",
        VectorCosines(recipes, d),
        partial(decide_equal, method=Catoni(variances), target=np.array(targets), tolerance=0.25),
        20,
        80,
    )
    return [masked, whole]


def _random_square(d: int, keep: float) -> float:
    """E (d cos^2)^2 on the gradient of `VectorCosines`, every entry on the mask with `keep`."""
    g2 = np.linspace(-1.0, 2.0, d) ** 2
    g2 /= g2.sum()
    fourth = float(g2 @ g2)
    total = 0.0
    for n in range(1, d + 1):
        both = n * (n - 1) / (d * (d - 1))
        square = fourth * n / d + (1 - fourth) * both  # E s^2 given n entries
        total += binom.pmf(n, d, keep) * square * 3 / (n * (n + 2))
    return d**2 * total


def _angles(says: str, by_mask: sp.Expr) -> Statement:
    formula = conjunction(
        sp.Eq(BY_MASK, by_mask), sp.Eq(BY_MEZO, 1 / D), sp.Eq(BY_RANDOM, 1 / D, evaluate=False)
    )
    return Statement(says, formula, (sp.Le(N, D), sp.Le(SHARE, 1)))


# The signs.


AGREES = sp.Symbol("P(sign of estimate_i = sign of g_i)")
ENTRY = sp.Symbol("|g_i|/||g||", positive=True)


def _agrees(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """The estimate's i-th entry is <g, z> z_i, and z_i = <e_i, z>: of two slopes along one z."""
    law = agreement(1)
    steps = (
        "estimate_i = <g, z> z_i: its sign is that of g_i where <g, z> <sign(g_i) e_i, z> > 0, the "
        "slopes along z of two linear losses whose gradients have the cosine |g_i|/||g||",
        *law.steps,
    )
    return {AGREES: Derivation(law.value.subs(COSINE, ENTRY), steps)}


def _measure_agrees(statement: Statement, _: Context) -> Sequence[Measurement]:
    gradient = (0.1, 0.5, -0.86)
    norm = float(np.linalg.norm(gradient))
    law = sp.lambdify(ENTRY, statement.formula.rhs)
    targets = np.array([law(abs(g) / norm) for g in gradient])
    decide = partial(
        decide_within, method=ClopperPearson(), target=targets, tolerance=0.07, scale=1.0
    )
    sampler = SameSign(Estimates(Recipe("mezo"), ((0.0, 0.0, 0.0),), Linear(gradient)), gradient)
    return [Measurement(f"g = {gradient}", sampler, decide, 25, 160, first_look=80)]


def _signs(says: str, law: sp.Expr) -> Statement:
    return Statement(says, sp.Eq(AGREES, law), (sp.Le(ENTRY, 1),))


CLAIMS = (
    Claim(
        id="smezo.sign_agreement",
        where="ours, for Sec. 3.1 ('not all parameters are optimized in the true gradient "
        "direction')",
        setting=Setting("a linear loss, any gradient"),
        statement=_signs(
            "On a linear loss the sign of coordinate i of MeZO's estimate agrees with that of g_i "
            "with probability 1/2 + arcsin(|g_i|/||g||)/pi, for every g with g_i not 0.",
            sp.Rational(1, 2) + sp.asin(ENTRY) / sp.pi,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_agrees), measured(_measure_agrees)),
        mutant=_signs("It does with probability (1 + |g_i|/||g||)/2.", (1 + ENTRY) / 2),
    ),
    Claim(
        id="smezo.cosine",
        where="ours, for Sec. 3.2",
        setting=Setting("a linear loss, a fixed mask, or one drawn uniformly"),
        statement=_angles(
            "On a linear loss with a fixed mask of n entries E cos^2(g, estimate) = s/n, s the "
            "share of the squared gradient on the mask; so MeZO has 1/d, and random masks of any "
            "size have 1/d on average.",
            SHARE / N,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cosines), measured(_measure_cosines)),
        mutant=_angles("It is s/d with a fixed mask.", SHARE / D),
    ),
)
