"""Eq. 24 to Eq. 27 and Lemma 3: what a step and a run of LeZO gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sympy as sp

from proofs_check.gaussian import Derivation
from proofs_check.results import Proved
from proofs_check.steps import follows
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import Counterexample, exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.evidence.snippets import inputs
from zotheory.papers.lezo import kept
from zotheory.papers.lezo.kept import KEPT, D
from zotheory.papers.lezo.smoothing import EQ23, LEZO, SQUARE
from zotheory.papers.shared.estimates import AfterOneStep, Estimates, HalfSquare
from zotheory.papers.shared.restricted_descent import (
    EPS_TERM,
    FALL,
    STEP_NOISE,
    derived_eps_term,
    eps_term,
    last_iterate,
    step_bound,
)
from zotheory.papers.shared.smoothing import EPS, L, N
from zotheory.statistics import Catoni, decide_less
from zotheory.vocabulary import Claim, Kind, Setting, Statement

OF_SQUARE = sp.Symbol("coefficient of ||grad L_R||^2")
OF_ONE = sp.Symbol("constant term")
SIGMA = sp.Symbol("sigma", positive=True)
EPS_FROM = sp.Ge(EPS**2 * L**2 * N**3, SIGMA**2)  # eps >= sigma/(n^(3/2) L)
EPS_UP_TO = sp.Le(EPS**2 * L**2 * N**3, SIGMA**2)

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


def _eps_term(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    """Eq. 26's term as it should read; on a set that 2 eps is in with eps, it has no limit."""
    found = derived_eps_term(statement)[EPS_TERM]
    (permitted,) = statement.domain
    doubled = follows((permitted,), permitted.subs(EPS, 2 * EPS))
    grows = sp.cancel(found.value.subs(EPS, 2 * EPS) / found.value)
    steps = found.steps
    if isinstance(doubled, Proved) and grows > 1:
        steps += (
            f"with eps, 2 eps is permitted, where the term is {grows} times as large: it exceeds "
            "every multiple of sigma^2, whatever the constant",
        )
    return {EPS_TERM: Derivation(found.value, steps)}


def _eps_term_witness(statement: Statement, failed: Counterexample) -> str:
    term = sp.pycode(derived_eps_term(statement)[EPS_TERM].value)
    return f"""import numpy as np

{inputs(failed.inputs)}
assert eps >= sigma / (n**1.5 * L)
print("claimed", {sp.pycode(statement.formula.rhs)})
print("actual", {term})
for eps in eps * 10.0 ** np.arange(1, 4):
    print("at eps =", eps, "it is", {term})
"""


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


def _eq24(says: str, rest: sp.Expr) -> Statement:
    formula = sp.And(sp.Eq(OF_SQUARE, -1 / FALL), sp.Eq(OF_ONE, rest))
    return Statement(says, formula, setting={"second moment": EQ23})


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
    eps_term(LEZO),
    Claim(
        id="lezo.eq27.eps_direction",
        where="above Eq. 27",
        setting=Setting("a step of the proof, any n, sigma, L"),
        statement=Statement(
            "Choosing eps = Omega(sigma/(n^(3/2) L)), a lower bound on eps, suffices for the "
            "eps-term to be O(sigma^2).",
            sp.Le(EPS_TERM, 100 * SIGMA**2),
            (EPS_FROM,),
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_eps_term, _eps_term_witness),),
        correction=Statement(
            "An upper bound does: with eps <= sigma/(n^(3/2) L) the eps-term is at most "
            "100 sigma^2. Above a lower bound it exceeds every multiple of sigma^2.",
            sp.Le(EPS_TERM, 100 * SIGMA**2),
            (EPS_UP_TO,),
        ),
    ),
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
)
