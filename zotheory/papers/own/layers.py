"""Noise on several matrices at once: how their shares of it make the squared cosine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy as sp
import torch
from haarpy import haar_integral_orthogonal

from proofs_check.gaussian import Derivation
from zotheory.context import Context
from zotheory.evidence.draws import SEEDS, Recipe, estimates
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import Measurement, measured
from zotheory.papers.own.no_free_lunch import invariant_cosine
from zotheory.papers.shared.estimates import fixed_gradient, linear, zeros
from zotheory.statistics import Bernstein, decide_equal
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

# g = (g_1, ..., g_l), Z = (Z_1, ..., Z_l), <g, Z>^2 = sum_(i,j) <g_i, Z_i> <g_j, Z_j>. Z has the
# law of (A_i Z_i B_i)_i with independent Haar matrices A_i, B_i, which leave all norms as they are.

M, N = sp.symbols("m_i n_i", integer=True, positive=True)
TOTAL = sp.Symbol("sum_j m_j n_j", integer=True, positive=True)
W, P = sp.symbols("w_i p_i", nonnegative=True)
TERM = sp.Symbol("E <g_i, Z_i>^2/(||g||^2 ||Z||^2)")
CROSS = sp.Symbol("E <g_i, Z_i> <g_j, Z_j>/(||g||^2 ||Z||^2), i != j")
RATE = sp.Symbol("w_i/(m_i n_i)", nonnegative=True)
BEST = sp.Symbol("largest of them", nonnegative=True)


def _terms(_: Statement) -> Mapping[sp.Expr, Derivation]:
    """Every term of the sum over pairs of matrices, for any number of them."""
    single = sp.sympify(haar_integral_orthogonal(((1,), (1,)), M))
    square = invariant_cosine()
    (m, n) = sorted(square.value.free_symbols, key=str)
    each = square.value.subs({m: M, n: N}, simultaneous=True)
    cross = (
        f"E over a Haar matrix of one entry: {single}, so E_(A_i) <g_i, A_i Z_i B_i> = 0 while "
        "<g_j, A_j Z_j B_j> stays: terms i != j have mean 0",
    )
    steps = (
        *square.steps,
        f"E_(A_i,B_i) <g_i, A_i Z_i B_i>^2 = ({each}) ||g_i||^2 ||Z_i||^2, and ||Z|| is left as it "
        "is: over ||g||^2 ||Z||^2 the mean is w_i p_i times it, p_i = E[||Z_i||^2/||Z||^2]",
        "E cos^2 is the sum over i; sum_i p_i = 1, so it is at most the largest w_i/(m_i n_i), "
        "reached with p = 1 there: Z_i = 0 elsewhere",
    )
    return {TERM: Derivation(W * P * each, steps), CROSS: Derivation(single, cross)}


# Two matrices of different size; the smaller one has nearly all of the gradient.


SIZES = ((1, 2), (2, 2))
LENGTHS = (0.96, 0.28)  # ||g_i||, w = 0.9216, 0.0784
RECIPES = (Recipe("mezo"), Recipe("lozo", (("rank", 1),)))


@dataclass(frozen=True)
class Excess:
    """cos^2(g, estimate) less sum_i rates_i ||estimate_i||^2/||estimate||^2, in [-1, 1].

    An estimate is a multiple of Z, so that its shares are those of Z.
    """

    recipe: Recipe
    rates: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        named = zeros({f"w{i}": shape for i, shape in enumerate(SIZES)})
        gradients = [
            length * fixed_gradient(*shape, 1) for length, shape in zip(LENGTHS, SIZES, strict=True)
        ]
        closure, optimizer = linear(named, gradients), self.recipe.build(named)
        values = np.empty(size)
        drawn = estimates(optimizer, closure, rng.integers(SEEDS, size=size))
        for i, found in enumerate(drawn):
            parts = [found[name] for name, _ in named]
            norms = np.array([float(torch.sum(part**2)) for part in parts])
            inner = sum(float((g * p).sum()) for g, p in zip(gradients, parts, strict=True))
            shares = norms / norms.sum()
            values[i] = inner**2 / norms.sum() - np.dot(self.rates, shares)
        return values


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """The formula's own terms with each draw's shares; their mean difference is 0."""
    (claimed,) = (r.rhs for r in statement.formula.args if r.lhs == TERM)
    total = sum(m * n for m, n in SIZES)
    rates = tuple(
        float(claimed.subs({W: length**2, P: 1, M: m, N: n, TOTAL: total}))
        for length, (m, n) in zip(LENGTHS, SIZES, strict=True)
    )
    decide = partial(
        decide_equal, method=Bernstein(-1.0, 1.0), target=0.0, tolerance=0.15, scale=1.0
    )
    return [
        Measurement(f"{recipe.name}, {SIZES}", Excess(recipe, rates), decide, 40, 64)
        for recipe in RECIPES
    ]


def _statement(says: str, term: sp.Expr) -> Statement:
    formula = conjunction(sp.Eq(TERM, term), sp.Eq(CROSS, 0), sp.Le(RATE * P, BEST * P))
    return Statement(says, formula, (sp.Le(RATE, BEST), sp.Le(P, 1)))


CLAIMS = (
    Claim(
        id="own.layers",
        where="ours, beyond own.no_free_lunch",
        statement=_statement(
            "If the noises Z_i of l matrices are independent and each distributed as A Z_i B for "
            "all orthogonal A, B, then on a linear loss E cos^2 of the joint direction with the "
            "whole g is sum_i w_i p_i/(m_i n_i), w_i = ||g_i||^2/||g||^2, "
            "p_i = E[||Z_i||^2/sum_j ||Z_j||^2]; over all shares p it is largest with all noise on "
            "one matrix of largest w_i/(m_i n_i).",
            W * P / (M * N),
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(exact(_terms), measured(_measure)),
        mutant=_statement(
            "It is sum_i w_i p_i/sum_j m_j n_j, with the number of all entries.", W * P / TOTAL
        ),
        setting=Setting(paper="a linear loss of any number of matrices, rotation invariant noises"),
    ),
)
