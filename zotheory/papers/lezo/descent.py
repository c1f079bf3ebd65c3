"""Eq. 24 to Eq. 27 and Lemma 3: what a step and a run of LeZO gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.results import Enclosed
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, conjuncts, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.lezo.smoothing import EQ23, LEZO, SQUARE
from zotheory.papers.shared import kept
from zotheory.papers.shared.estimates import (
    AfterOneStep,
    Estimates,
    Falls,
    HalfSquare,
    SlopeInRate,
)
from zotheory.papers.shared.kept import KEPT, D
from zotheory.papers.shared.restricted_descent import (
    FALL,
    STEP_NOISE,
    changing,
    eps_direction,
    eps_term,
    last_iterate,
    step_bound,
)
from zotheory.papers.shared.smoothing import L, N
from zotheory.statistics import Catoni, decide_equal, decide_less
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

OF_SQUARE = sp.Symbol("coefficient of ||grad L_R||^2")
OF_ONE = sp.Symbol("constant term")

FEWER, MORE = sp.symbols("n_1 n_2", integer=True, positive=True)
FACTOR_FEWER, FACTOR_MORE = (
    sp.Symbol(f"best factor of E||grad f||^2 per step with {n} kept") for n in (FEWER, MORE)
)
KEPT_DOMAIN = (sp.Lt(FEWER, MORE), sp.Le(MORE, D))


def _coefficients(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    change = step_bound(statement.setting["second moment"], SQUARE)
    of_square, of_one = (
        sp.factor(sp.Poly(sp.expand(change), SQUARE).coeff_monomial(m)) for m in (SQUARE, 1)
    )
    step = f"-eta S + (eta^2 L/2) ({statement.setting['second moment']}) at eta = 1/(4(n+4)L)"
    return {
        OF_SQUARE: Derivation(of_square, (step, f"coefficient of S = {SQUARE}: {of_square}")),
        OF_ONE: Derivation(of_one, (f"the rest: {of_one}",)),
    }


def _best_factors(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = kept.best_factor()
    return {
        name: Derivation(found.value.subs(N, n), found.steps)
        for name, n in ((FACTOR_FEWER, FEWER), (FACTOR_MORE, MORE))
    }


def _measure_factors(statement: Statement, _: Context) -> Sequence[Measurement]:
    """One step on ||w||^2/2 from w = (1, 1, 1, 1), each weight a layer: 1 or 4 of 4 kept.

    Any other point gives the same factor. The columns are in the order of the formula's sides.
    """
    configurations = {FACTOR_FEWER: 1, FACTOR_MORE: 4}
    sides = (statement.formula.lts, statement.formula.gts)
    estimates, rates, variances = [], [], []
    for n in (configurations[side] for side in sides):
        recipe = Recipe("lezo", (("sparsity", 1 - n / 4),))
        estimates.append(Estimates(recipe, ((1.0,),) * 4, HalfSquare()))
        rates.append(1 / (n + 2))
        at = {N: n, D: 4, L: 1, kept.ETA: sp.Rational(1, n + 2), KEPT: sp.Rational(n, 4)}
        variances.append(float((kept.factor_square() - kept.factor().value ** 2).subs(at)))
    decide = partial(decide_less, method=Catoni(variances))
    sampler = AfterOneStep(tuple(estimates), tuple(rates))
    return [Measurement("1 and 4 of 4 layers kept", sampler, decide, 50, 128)]


def _factors_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import itertools

import numpy as np

{inputs(failed.inputs)}
x, w = np.polynomial.hermite_e.hermegauss(8)


def best_factor(n):
    # theta = (1, ..., 1): ||theta - eta <theta, z> z||^2 = d - 2 eta s^2 + eta^2 s^2 ||z||^2
    z = np.array(list(itertools.product(x, repeat=n)))
    weight = np.prod(list(itertools.product(w / w.sum(), repeat=n)), axis=1)
    s2 = z.sum(axis=1) ** 2  # the same for every set of n coordinates
    once, twice = weight @ s2 / d, weight @ (s2 * (z**2).sum(axis=1)) / d
    return 1 - once**2 / twice  # at the best eta = once / twice


claimed, actual = best_factor(n_2), best_factor(n_1)
print("claimed", claimed)  # fewer kept is claimed to fall faster, below this factor
print("actual", actual)
for n in (n_1, n_2):
    print("steps to a tenth with", n, "of", d, "kept:", np.log(0.1) / np.log(best_factor(n)))
"""


RATIO = sp.Symbol("steps to a tenth with a quarter of the layers kept / MeZO's")
QUARTER = (sp.Eq(D, 10**4), sp.Eq(4 * N, D))


def _ratio(_: Statement) -> Mapping[sp.Expr, Derivation | Enclosed]:
    """ln(1/10)/ln(1 - x) steps at a fall of x a step, with x <= -ln(1 - x) <= x/(1 - x)."""
    found = kept.best_factor()
    fewer = 1 - found.value
    every = fewer.subs(N, D)
    lower, upper = every * (1 - fewer) / fewer, every / (1 - every) / fewer
    steps = (
        *found.steps,
        f"E||grad f||^2 is (1 - x)^t of its value at the start, x = {sp.factor(fewer)} with n of d "
        "kept, and x with n = d for MeZO: a tenth after ln(1/10)/ln(1 - x) steps",
        f"x <= -ln(1 - x) <= x/(1 - x): the ratio lies between {sp.factor(lower)} and "
        f"{sp.factor(upper)}",
    )
    return {RATIO: Enclosed(lower, upper, steps)}


def _measure_ratio(statement: Statement, _: Context) -> Sequence[Measurement]:
    """One step from w = (1, ..., 1) at either's best rate, d = 10^4 in 4 layers.

    Falls x of a thousandth and less: the ratio of the steps is that of MeZO's fall to LeZO's.
    """
    d, measurements = 10**4, []
    for relation in conjuncts(statement.formula):
        below = isinstance(relation, sp.Le)
        bound = float(relation.rhs)
        kept_share = (1.0, 0.25) if below else (0.25, 1.0)
        estimates, rates, variances = [], [], []
        for share in kept_share:
            n = int(share * d)
            estimates.append(
                Estimates(Recipe("lezo", (("sparsity", 1 - share),)), _LAYERS, HalfSquare())
            )
            rates.append(1 / (n + 2))
            at = {N: n, kept.ETA: sp.Rational(1, n + 2), KEPT: sp.Rational(n, d)}
            mean = sp.Rational(n, d * (n + 2))
            variances.append(float(kept.change_square().subs(at) - mean**2))
        decide = partial(
            decide_less, method=Catoni(variances), margin=bound if below else 1 / bound
        )
        sampler = Falls(AfterOneStep(tuple(estimates), tuple(rates)))
        sides = ("MeZO", "LeZO") if below else ("LeZO", "MeZO")
        at = f"the falls of {' and '.join(sides)} in a step, d = 10^4 in 4 layers, 1 kept"
        measurements.append(Measurement(at, sampler, decide, 10, 100, first_look=16))
    return measurements


_LAYERS = ((1.0,) * 2500,) * 4


def _ratio_witness(_: Statement, failed: Counterexample) -> str:
    return f"""import numpy as np

{inputs(failed.inputs)}
# one step from theta = (1, ..., 1) leaves 1 - n/(d (n + 2)) of the square at the best rate, as
# E s^2 = n and E s^2 ||z||^2 = n (n + 2) for s = <theta, z> over n coordinates
x, every = n / (d * (n + 2)), 1 / (d + 2)
print("claimed", {sp.pycode(failed.claimed)})
print("actual", {_RATIO_LOWER})  # a lower bound of the ratio
print("steps to a tenth:", np.log(0.1) / np.log1p(-x), "and MeZO", np.log(0.1) / np.log1p(-every))
"""


_RATIO_LOWER = "every * (1 - x) / x"


RATES = sp.Symbol("best rate with n of d kept / best rate with all")


def _best_rates(_: Statement) -> Mapping[sp.Expr, Derivation]:
    found = kept.best_rate()
    value = sp.cancel(found.value / found.value.subs(N, D))
    return {RATES: Derivation(value, (*found.steps, f"over that with n = d: {value}"))}


def _measure_rates(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Four layers of 4 equal weights on ||w||^2/2: all kept, and 1 of 4 at the claimed rate.

    At the best rate the derivative of E||w - eta estimate||^2 by eta is 0.
    """
    d, n = 16, 4
    ratio = statement.formula.rhs.subs({D: d, N: n})
    rates = (sp.Rational(1, d + 2), ratio / (d + 2))
    shares, estimates = (sp.S.One, sp.Rational(n, d)), []
    for share in shares:
        recipe = Recipe("lezo", (("sparsity", float(1 - share)),))
        estimates.append(Estimates(recipe, ((0.25,) * 4,) * 4, HalfSquare()))
    variances = [
        float((kept.slope_square() - (KEPT * (1 - kept.ETA * (N + 2))) ** 2).subs(at))
        for share, rate in zip(shares, rates, strict=True)
        if (at := {N: share * d, KEPT: share, kept.ETA: rate})
    ]
    decide = partial(
        decide_equal,
        method=Catoni(variances),
        target=np.zeros(2),
        tolerance=0.3,
        scale=np.array([float(share) for share in shares]),
    )
    sampler = SlopeInRate(tuple(estimates), tuple(map(float, rates)))
    return [Measurement("4 and 1 of 4 layers kept", sampler, decide, 20, 80)]


def _best_step(says: str, ratio: sp.Expr) -> Statement:
    return Statement(says, sp.Eq(RATES, ratio), (sp.Le(N, D),))


def _eq24(says: str, rest: sp.Expr) -> Statement:
    formula = conjunction(sp.Eq(OF_SQUARE, -1 / FALL), sp.Eq(OF_ONE, rest))
    return Statement(says, formula, setting={"second moment": EQ23})


OF_ALL = "for the whole gradient"  # the paper's bound is on the kept part

CLAIMS = (
    Claim(
        id="lezo.eq24.algebra",
        where="Eq. 24",
        setting=Setting("a step of the proof, any n, eps, L"),
        statement=_eq24(
            "With eta = 1/(4(n+4)L), Eq. 23 as printed gives the coefficients -1/(8(n+4)L) and "
            "(3 eps^2/32) L (n+4).",
            STEP_NOISE,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_coefficients),),
        mutant=_eq24("The same with 3 eps^2/16 in place of 3 eps^2/32.", 2 * STEP_NOISE),
    ),
    last_iterate(LEZO),
    changing(
        LEZO,
        "lezo.eq25.changing_layers",
        "Eq. 24 to Eq. 25 with Algorithm 1",
        "As a step of proof: from Eq. 24 at every t, for the L_R of that step's layers, which are "
        "drawn anew at every step, and L_R >= L_R*, follows Eq. 25's bound (with the same "
        "constants) on the average over t of E||grad L_R(theta_t)||^2.",
        "The sum does not telescope: a step ends with the L_R of its own layers, and the next "
        "begins with that of others.",
    ),
    eps_term(LEZO),
    eps_direction(LEZO),
    Claim(
        id="lezo.lemma3.full_gradient",
        where="Lemma 3 and the text under it",
        setting=Setting("any L-smooth loss; the text says that sparser steps converge faster"),
        statement=Statement(
            "On f = (L/2)||theta||^2 with the best constant step for each sparsity, the number of "
            "steps in which E of the FULL squared gradient falls tenfold is smaller when fewer "
            "parameters are kept per step.",
            sp.Lt(FACTOR_FEWER, FACTOR_MORE),
            KEPT_DOMAIN,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_best_factors, _factors_witness), measured(_measure_factors)),
        correction=Statement(
            "It is larger: the best factor per step is 1 - n/(d (n+2)) with n of d kept, which "
            "rises as n falls. Lemma 3 is about the kept part of the gradient, n/d of its square.",
            sp.Gt(FACTOR_FEWER, FACTOR_MORE),
            KEPT_DOMAIN,
        ),
    ),
    Claim(
        id="lezo.lemma3.ratio",
        where="Lemma 3 and Sec. 4.2 ('convergence rate is related to rho')",
        setting=Setting("any L-smooth loss; the text says that the rate goes with the kept share"),
        statement=Statement(
            "On f = (L/2)||theta||^2, d = 10^4 in equal layers, exact loss, best constant step for "
            "each: with a quarter of the layers kept, drawn anew at every step, the number of "
            "steps in which E of the FULL squared gradient falls tenfold is within 20% of a "
            "quarter of MeZO's.",
            conjunction(sp.Ge(RATIO, sp.Rational(20, 100)), sp.Le(RATIO, sp.Rational(30, 100))),
            QUARTER,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(
            exact(_ratio, _ratio_witness).refutes(OF_ALL),
            measured(_measure_ratio).refutes(OF_ALL),
        ),
        correction=Statement(
            "It is at least half of MeZO's, and in fact a little above all of it: the best factor "
            "per step is 1 - n/(d (n+2)), which rises as n falls.",
            sp.Ge(RATIO, sp.Rational(1, 2)),
            QUARTER,
        ),
    ),
    Claim(
        id="lezo.appA.best_step",
        where="App. A, Sec. 5.3 ('requires larger learning rates')",
        setting=Setting(
            "learning rates for LeZO on OPT", judged="f = (L/2)||theta||^2, exact loss"
        ),
        statement=_best_step(
            "On f = (L/2)||theta||^2 with exact loss the constant step that shrinks E of the "
            "squared gradient fastest is (d+2)/(n+2) times as large with n of d parameters kept "
            "per step as with all.",
            (D + 2) / (N + 2),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_best_rates), measured(_measure_rates)),
        mutant=_best_step("It is d/n times as large.", D / N),
    ),
)
