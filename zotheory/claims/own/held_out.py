"""How often a step made on one batch lowers the loss of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from proofs_check.agreement import COSINE, agreement
from proofs_check.gaussian import Derivation
from zotheory.checks.exact import exact
from zotheory.checks.measured import Measurement, measured
from zotheory.context import Context
from zotheory.sampling.cosines import Recipe
from zotheory.sampling.held_out import HeldOut
from zotheory.statistics import ClopperPearson, decide_within
from zotheory.vocabulary import Claim, Kind, Statement

LOWERED = sp.Symbol("P(a step on batch 1 lowers the loss of batch 2)")
SHEPPARD = sp.Rational(1, 2) + sp.asin(COSINE) / sp.pi
DOMAIN = (sp.Ge(COSINE, -1, evaluate=False), sp.Le(COSINE, 1, evaluate=False))
COSINES = (-1.0, -0.5, 0.0, 0.6, 1.0)
DIMENSION = 20


def _lowered(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    return {LOWERED: agreement(statement.setting["directions"])}


def _measure(statement: Statement, _: Context) -> Sequence[Measurement]:
    """Steps of the optimiser itself; the two losses are linear, so that no step is too large."""
    directions = statement.setting["directions"]
    recipe = Recipe("q_spsa", (("queries", directions),)) if directions > 1 else Recipe("mezo")
    targets = np.array([float(statement.formula.rhs.subs(COSINE, c)) for c in COSINES])
    decide = partial(
        decide_within, method=ClopperPearson(), target=targets, tolerance=0.035, scale=1.0
    )
    sampler = HeldOut(recipe, COSINES, DIMENSION)
    at = f"{recipe.name} with {directions} directions, d={DIMENSION}, cos = {COSINES}"
    return [Measurement(at, sampler, decide, 250, 36, first_look=36)]


CLAIMS = (
    Claim(
        id="own.held_out",
        where="ours, for smezo.fig2b",
        statement=Statement(
            "The probability that a small ZO step (to first order, along one Gaussian direction) "
            "made on batch 1 lowers the loss of batch 2 is 1/2 + arcsin(cos(g1, g2))/pi.",
            sp.Eq(LOWERED, SHEPPARD),
            DOMAIN,
            setting={"directions": 1},
        ),
        needs=(Kind.EXACT, Kind.MEASURED, Kind.MODEL),
        checks=(exact(_lowered), measured(_measure)),
        mutant=Statement(
            "The same for the average of two directions.",
            sp.Eq(LOWERED, SHEPPARD),
            DOMAIN,
            setting={"directions": 2},
        ),
        pending="not yet measured on two batches of a language model",
    ),
)
