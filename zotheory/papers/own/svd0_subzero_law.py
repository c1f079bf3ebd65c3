"""SVD-0 with a one-direction subspace is SubZero: the same law of all weights, for every loss."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from proofs_check.gaussian import Derivation
from zotheory.evidence.exact import exact
from zotheory.evidence.measured import measured
from zotheory.papers.svd0.law import CONTROL, QUERIES, equal_laws, measure_law, where_derivable
from zotheory.vocabulary import Claim, Kind, Setting, Statement

DISTANCE = sp.Symbol("total variation distance of the two laws of W_0..W_T")


def _distance(statement: Statement) -> Mapping[sp.Expr, Derivation]:
    return {DISTANCE: Derivation(sp.S.Zero, equal_laws(statement.setting[QUERIES]))}


CLAIMS = (
    Claim(
        id="own.svd0_subzero_law",
        where="ours, for svd0 Sec. 4.1",
        setting=Setting("ours: any loss, the weights of whole runs"),
        statement=Statement(
            "If the two-point difference at each renewal is non-zero almost surely, the whole "
            "sequence of weights W_0..W_T of SVD-0 with a one-direction subspace has the same law "
            "as SubZero's (QR frames of fresh Gaussian matrices; same r, F, eps, eta, no factor on "
            "U Z V^T), for every loss, batch distribution, number and size of matrices, and T. "
            "Measured check able to say no: a subspace from the MeZO gradient averaged over 60 "
            "directions is told apart (4 x 3, r = 2, F = 3, T = 9, 10,000 runs).",
            sp.Eq(DISTANCE, 0),
            setting={QUERIES: 1},
        ),
        needs=(Kind.EXACT, Kind.MEASURED),
        checks=(where_derivable(exact(_distance)), measured(measure_law)),
        mutant=Statement(
            f"The same with the subspace from the MeZO gradient averaged over {CONTROL} "
            "directions.",
            sp.Eq(DISTANCE, 0),
            setting={QUERIES: CONTROL},
        ),
    ),
)
