"""No one-direction estimator with a rotation invariant Z is better aligned than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial

import sympy as sp
from haarpy import haar_integral_orthogonal

from proofs_check.cards import card
from proofs_check.gaussian import Derivation
from proofs_check.matrices import M, N, R
from zotheory.context import Context
from zotheory.evidence.draws import Recipe
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.shared.estimates import MatrixCosines
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# E cos^2(G, Z) for every Z != 0 whose law is invariant under orthogonal maps from both sides.
#
# Z has the law of A Z B for orthogonal A (m x m) and B (n x n), hence also for independent Haar
# distributed ones. Averaged over A and B with Z fixed, <G, A Z B>^2 is a Weingarten integral of
# degree 2 on either side, while ||A Z B|| = ||Z||: nothing about Z or G is left but their norms.


@cache
def invariant_cosine() -> Derivation:
    """E cos^2(G, Z), for every G != 0 of whatever rank and every such Z."""
    left, right = _same_entry(M), _same_entry(N)
    value = left * right
    steps = (
        "<G, AZB>^2 = sum G_ij G_kl Z_ab Z_cd A_ia A_kc B_bj B_dl",
        f"Haar A, Weingarten: E[A_ia A_kc] = {left} for (i, a) = (k, c) and 0 otherwise; "
        f"Haar B: E[B_bj B_dl] = {right} for (b, j) = (d, l) and 0 otherwise",
        f"so E_(A,B) <G, AZB>^2 = ({value}) sum G_ij^2 sum Z_ab^2 = ({value}) ||G||^2 ||Z||^2",
        f"||AZB|| = ||Z||: E_(A,B) cos^2(G, AZB) = {value} for every Z != 0; Z has the law of AZB",
    )
    return Derivation(value, steps)


def _same_entry(size: sp.Symbol) -> sp.Expr:
    """E A_11^2 of a Haar matrix; raises ArithmeticError if two entries are correlated."""
    same, different = (1, 1), (1, 2)
    for rows, columns in ((same, different), (different, same), (different, different)):
        if haar_integral_orthogonal((rows, columns), size) != 0:
            raise ArithmeticError(f"entries in rows {rows}, columns {columns} are correlated")
    return sp.sympify(haar_integral_orthogonal((same, same), size))


EVERY = sp.Symbol("E cos^2(G, Z) of every Z like A Z B")
MEZO, LOZO, SUBZO, TEZO, SVD0 = (
    sp.Symbol(f"E cos^2 of {name}") for name in ("MeZO", "LOZO", "SubZO", "TeZO", "SVD-0")
)
CARDS = {
    MEZO: "gaussian",
    LOZO: "low_rank",
    SUBZO: "subspace",
    TEZO: "cp",
    SVD0: "svd_subspace",
}
SHAPE, RANKS = (2, 3), (1, 2)  # of G; Z has rank 1 but for MeZO's
ONE = (("rank", 1),)
RECIPES = {
    MEZO: Recipe("mezo"),
    LOZO: Recipe("lozo", ONE),
    SUBZO: Recipe("subzo", ONE),
    TEZO: Recipe("tezo", ONE),
    SVD0: Recipe("svd0", ONE),
}
DOMAIN = (*(sp.Ge(size, 1, evaluate=False) for size in (M, N, R)), sp.Le(R, sp.Min(M, N)))


def _cosines(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """In general by Weingarten integrals; for each method by its own symmetries."""
    cards = {name: card(of) for name, of in CARDS.items()}
    return {EVERY: invariant_cosine()} | {
        name: Derivation(found.cos2, found.steps) for name, found in cards.items()
    }


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Each recipe's own estimates, for G of rank 1 and of full rank."""
    m, n = SHAPE
    claimed = {relation.lhs: relation.rhs for relation in statement.formula.args}
    measurements = []
    for name, recipe in RECIPES.items():
        target = float(claimed[name].subs({M: m, N: n, R: 1}))
        decide = partial(decide_equal, method=Bernstein(), target=target, tolerance=0.2)
        at = f"{recipe.name}, m={m} n={n}, G of rank {' and '.join(map(str, RANKS))}"
        sampler = MatrixCosines(recipe, m, n, RANKS)
        measurements.append(Measurement(at, sampler, decide, 200, 42, first_look=21))
    return measurements


def _formula(low_rank: sp.Expr) -> sp.And:
    """`low_rank`: what is claimed of the methods whose Z has rank r at most."""
    whole = 1 / (M * N)
    values = {EVERY: whole, MEZO: whole} | dict.fromkeys((LOZO, SUBZO, TEZO, SVD0), low_rank)
    return conjunction(*(sp.Eq(name, value) for name, value in values.items()))


CLAIMS = (
    Claim(
        id="own.no_free_lunch",
        where="ours",
        setting=Setting("a linear loss, any gradient matrix"),
        statement=Statement(
            "For every one-direction estimator whose Z (not 0) is distributed as A Z B for all "
            "orthogonal A (m x m), B (n x n), and every G whatever its rank: "
            "E cos^2(G, Z) = 1/(mn). MeZO, LOZO, SubZO, TeZO with fresh factors, and SVD-0 with a "
            "one-direction subspace are all of this kind.",
            _formula(1 / (M * N)),
            DOMAIN,
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_cosines), measured(_measure)),
        mutant=Statement(
            "The methods whose Z has rank r have the dimension r (m + n - r) of the matrices of "
            "that rank in place of mn.",
            _formula(1 / (R * (M + N - R))),
            DOMAIN,
        ),
    ),
)
