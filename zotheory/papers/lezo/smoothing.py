"""Lemmas 1 and 2, Assumption 1 and Eq. 14 to Eq. 23: the estimate on the kept layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import sympy as sp

from proofs_check.cards.supports import layers
from proofs_check.gaussian import Derivation, Fixed, Gaussian, Index, contraction, derive
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.searched import searched
from zotheory.evidence.snippets import inputs
from zotheory.papers.shared import kept, smoothing
from zotheory.papers.shared.estimates import Along, Estimates, Linear, SquaredCosines
from zotheory.papers.shared.kept import DROPPED, LAYERS
from zotheory.papers.shared.restricted import (
    SEARCH_SHARE,
    SECOND_MOMENT,
    Example,
    Paper,
    assumption1,
    bias,
    bounded,
    eq20,
    lemma1,
    lemma2,
    sine,
)
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.search.smoothing import second_moment
from zotheory.statistics import Catoni, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement

LEZO = Paper("lezo", gradient="R grad L", smoothed="R grad L_R")
SQUARE = LEZO.smoothed_square

COS2 = sp.Symbol("E cos^2(estimate, gradient)")
SIZE, KEPT_LAYERS = sp.symbols("size k", integer=True, positive=True)  # of a layer; kept of N

MEAN_ON_LAYER = sp.Symbol("<E estimate, H> over a layer")
ON_LAYER = sp.Symbol("<gradient, H> over a layer", real=True)
NORM3_SQUARE = sp.Symbol("(E||z||^3)^2")
SMOOTH_PART = 3 * EPS**2 * L**2 * (N + 4) ** 3
EQ20 = SMOOTH_PART + 4 * (N + 4) ** 2 * SQUARE
EQ23 = SMOOTH_PART + 4 * (N + 4) * SQUARE

_TWO_LAYERS = sine("lezo", ((0.1, -0.2), (0.3, 0.15)), dropped=(1,))
EXAMPLE = Example("layer 0 of 2 kept, 2 weights each", _TWO_LAYERS, (True, True, False, False), 1.0)


def _selection_mean(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Over the noise, then over what is left out; the small-eps estimate is <G, z'> z'."""
    g, h, z = Fixed("G"), Fixed("H"), Gaussian("z")
    i, j, a = (Index(name, N) for name in "ija")
    noise = derive(g[i] * z[i] * h[j] * z[j])
    inner = contraction(g[a] * h[a])
    share = kept.probability()
    value = sp.cancel(noise.value / inner * share.value) * ON_LAYER
    steps = (
        "given the kept layers, <G, z'> z' has mean G on each of them and is 0 on the others:",
        *noise.steps,
        *share.steps,
    )
    return {MEAN_ON_LAYER: Derivation(value, steps)}


def _measure_selection(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Four layers of one weight each on a linear loss, G = (1, -1, 1, -1)/2: along G and across.

    With k layers kept, E (<G, z'> <H, z'>)^2 <= 3 (k/4)^2 for these G and H = (1, 1, 1, 1)/2.
    """
    along, across = (0.5, -0.5, 0.5, -0.5), (0.5, 0.5, 0.5, 0.5)
    measurements = []
    for dropped in (3, 1):
        at = {LAYERS: 4, DROPPED: dropped}
        factor = float((statement.formula.rhs / ON_LAYER).subs(at))
        decide = partial(
            decide_equal,
            method=Catoni(3 * (1 - dropped / 4) ** 2),
            target=np.array([factor, 0.0]),
            tolerance=0.15,
            scale=1 - dropped / 4,
        )
        recipe = Recipe("lezo", (("sparsity", dropped / 4),))
        estimates = Estimates(recipe, ((0.0,),) * 4, Linear(along))
        sampler = Along(estimates, (along, across))
        measurements.append(
            Measurement(f"{dropped} of 4 layers left out", sampler, decide, 50, 256)
        )
    return measurements


def _cosine(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """By the card of a model of equal layers; a layer is one matrix of `SIZE` entries."""
    card = layers(LAYERS, LAYERS - KEPT_LAYERS, SIZE, 1)
    return {COS2: Derivation(sp.cancel(card.cos2), card.steps)}


def _measure_cosine(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Four layers of two weights, 1 or 4 of them kept; the layers hold 0.1 to 0.4 of the square.

    With a share s of the square kept, cos^2 = s B, B ~ Beta(1/2, (n-1)/2), E B^2 = 3/(n(n+2)).
    """
    squares, size = (0.1, 0.2, 0.3, 0.4), 2
    gradient = tuple(x for s in squares for x in ((s / 2) ** 0.5, -((s / 2) ** 0.5)))
    counts, estimates, claimed, variances = (1, 4), [], [], []
    for k in counts:
        n, recipe = k * size, Recipe("lezo", (("sparsity", 1 - k / 4),))
        estimates.append(Estimates(recipe, ((0.0, 0.0),) * 4, Linear(gradient)))
        shares = [sum(chosen) for chosen in combinations(squares, k)]
        variances.append(np.mean(np.square(shares)) * 3 / (n * (n + 2)) - 1 / 8**2)
        at = {LAYERS: 4, SIZE: size, KEPT_LAYERS: k}
        claimed.append(float(statement.formula.rhs.subs(at)))
    decide = partial(
        decide_equal, method=Catoni(variances), target=np.array(claimed), tolerance=0.2
    )
    sampler = SquaredCosines(tuple(estimates), gradient)
    return [Measurement("1 and 4 of 4 layers of 2 weights", sampler, decide, 20, 80)]


def _on_average(says: str, value: sp.Expr) -> Statement:
    return Statement(says, sp.Eq(COS2, value), (sp.Le(KEPT_LAYERS, LAYERS),))


def _from_eq20_witness(statement: Statement, failed: Counterexample) -> str:
    names = {str(SECOND_MOMENT): "second_moment", str(SQUARE): "square"}
    values = {names.get(name, name): value for name, value in failed.inputs.items()}
    short = {SQUARE: sp.Symbol("square")}
    premise, conclusion = (sp.pycode(e.subs(short)) for e in (EQ20, statement.formula.rhs))
    return f"""import numpy as np

{inputs(values)}
# square: ||R grad L_R||^2; second_moment: a value of E||estimate||^2 that Eq. 20 allows
bounds = np.array([{premise}, {conclusion}], dtype=float)
assert second_moment <= bounds[0]
print("claimed", bounds[1])
print("actual", float(second_moment))
"""


def _from(premise: sp.Expr, says: str) -> Statement:
    return Statement(says, sp.Le(SECOND_MOMENT, EQ23), (sp.Le(SECOND_MOMENT, premise),))


def _norm3(says: str, shift: int) -> Statement:
    return Statement(says, sp.Le(NORM3_SQUARE, (N + shift) ** 3))


def _polynomial(says: str, shift: int) -> Statement:
    return Statement(says, sp.Le(2 * N**3 + (N + 6) ** 3, 3 * (N + shift) ** 3))


def _selected(says: str, factor: sp.Expr) -> Statement:
    domain = (sp.Ge(DROPPED, 0, evaluate=False), sp.Lt(DROPPED, LAYERS))
    return Statement(says, sp.Eq(MEAN_ON_LAYER, factor * ON_LAYER), domain)


CLAIMS = (
    lemma1(
        LEZO,
        "Lemma 1, Eq. 6",
        "With z' the noise restricted to the kept layers, the mean of the estimate is the "
        "restriction of the gradient of L_R.",
        EXAMPLE,
    ),
    Claim(
        id="lezo.selection_mean",
        where="Sec. 4.1",
        setting=Setting("any loss, layers chosen uniformly at every step"),
        statement=_selected(
            "Averaged over the uniform choice of n_dropped of N layers too, the small-eps mean is "
            "(1 - n_dropped/N) times the gradient on the layers.",
            1 - DROPPED / LAYERS,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_selection_mean), measured(_measure_selection)),
        mutant=_selected("The small-eps mean is the gradient on the layers.", sp.S.One),
    ),
    Claim(
        id="lezo.cosine",
        where="ours, for Sec. 4.2",
        setting=Setting("a linear loss, layers of equal size"),
        statement=_on_average(
            "On a linear loss, averaged over the uniform choice of kept layers among layers of "
            "equal size, LeZO's E cos^2 with the gradient over the d parameters of these layers is "
            "1/d, as MeZO's, for every number of kept layers >= 1.",
            1 / (LAYERS * SIZE),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cosine), measured(_measure_cosine)),
        mutant=_on_average("It is 1/n, n the number of kept parameters.", 1 / (KEPT_LAYERS * SIZE)),
    ),
    assumption1(LEZO, "Assumption 1, Eq. 7"),
    Claim(
        id="lezo.eq14.moment",
        where="Eq. 14",
        setting=Setting("standard Gaussian vectors of any length"),
        statement=_norm3("E||z||^3 <= (n+3)^(3/2), for all n >= 1.", 3),
        needs=(Kind.EXACT,),
        checks=(exact(lambda _: {NORM3_SQUARE: kept.enclose(3, N)}),),
        mutant=_norm3("E||z||^3 <= n^(3/2), for all n >= 1.", 0),
    ),
    bias(LEZO, "lezo.eq14.bias", "any L-smooth loss, n kept parameters"),
    lemma2(LEZO, "Lemma 2, Eq. 8"),
    Claim(
        id="lezo.eq20.polynomial",
        where="under Eq. 20",
        setting=Setting("any number n of kept parameters"),
        statement=_polynomial("2n^3 + (n+6)^3 <= 3(n+4)^3 for every integer n >= 1.", 4),
        needs=(Kind.EXACT,),
        checks=(exact(),),
        mutant=_polynomial("2n^3 + (n+6)^3 <= 3(n+3)^3 for every integer n >= 1.", 3),
    ),
    eq20(
        LEZO,
        "E||estimate||^2 <= 3 eps^2 L^2 (n+4)^3 + 4 (n+4)^2 ||grad L_R||^2, for every L-smooth "
        "loss.",
    ),
    Claim(
        id="lezo.eq23.from_eq20",
        where="Eq. 23",
        setting=Setting("a step of the proof, any n"),
        statement=_from(
            EQ20,
            "The bound 4(n+4)||grad||^2 + 3 eps^2 L^2 (n+4)^3 used in Eq. 23 follows from the "
            "printed Eq. 20 for every n >= 1.",
        ),
        needs=(Kind.EXACT,),
        checks=(exact(witness=_from_eq20_witness, step=True),),
        correction=_from(
            LEZO.named(smoothing.second_moment()).value,
            "It follows from Eq. 20 with 4(n+2) in place of 4(n+4)^2, which every L-smooth loss "
            "satisfies: keep <grad, z>^2 in Eq. 18, as E <grad, z>^2 ||z||^2 = (n+2)||grad||^2.",
        ),
    ),
    Claim(
        id="lezo.eq23.bound",
        where="Eq. 23",
        setting=Setting("any L-smooth loss, n kept parameters"),
        statement=Statement(
            "E||estimate||^2 <= 4(n+4)||grad L_R||^2 + 3 eps^2 L^2 (n+4)^3, for every L-smooth "
            "loss, n >= 1 and eps > 0.",
            sp.Le(SECOND_MOMENT, EQ23),
        ),
        needs=(Kind.EXACT, Kind.SEARCH),
        checks=(
            bounded(LEZO, SECOND_MOMENT, smoothing.second_moment),
            searched(lambda s: second_moment(LEZO.search_bound(s)), share=SEARCH_SHARE),
        ),
        mutant=Statement(
            "The same with n + 1 in place of 4(n+4).",
            sp.Le(SECOND_MOMENT, SMOOTH_PART + (N + 1) * SQUARE),
        ),
    ),
)
