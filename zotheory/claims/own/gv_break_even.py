"""The number of candidates from which MeZO-GV beats two-point directions, loss for loss."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.break_even import break_even
from proofs_check.gaussian import Derivation
from zotheory.checks.exact import exact
from zotheory.vocabulary import Claim, Kind, Statement

LEAST = sp.Symbol("the least even M")


def _least(_: Statement) -> Mapping[sp.Expr, Derivation]:
    return {LEAST: break_even()}


def _statement(says: str, least: int) -> Statement:
    return Statement(says, sp.And(sp.Eq(LEAST, least), sp.Lt(LEAST, 20)))


CLAIMS = (
    Claim(
        id="own.gv_break_even",
        where="ours",
        statement=_statement(
            "There is a least even M, below 20, from which MeZO-GV at alpha = 1/2 (M + 2 passes) "
            "has a larger E cos^2 in the limit of large d than (M + 2)/2 two-point directions: "
            "M = 12.",
            12,
        ),
        needs=(Kind.EXACT,),
        checks=(exact(_least),),
        mutant=_statement("It is M = 10.", 10),
    ),
)
