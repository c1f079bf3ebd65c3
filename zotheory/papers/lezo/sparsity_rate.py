"""Eq. 3 and Section 5.3: which end of the scale of sparsity rates perturbs everything."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

RATES = Table.read(Path(__file__).parent / "tables" / "sparsity.csv")
BY_EQ3 = sp.Symbol("blocks perturbed at rho = 1 by Eq. 3", integer=True)
BY_SEC53 = sp.Symbol("blocks perturbed at rho = 1 by Sec. 5.3", integer=True)

_RHO, _OUT, _LAYERS = RATES.row("Sec. 5.3")
QUANTITIES = {
    BY_EQ3: _RHO * _LAYERS,  # theta' in R^(rho d) is what Algorithm 1 perturbs
    BY_SEC53: _LAYERS - _OUT,
}

CLAIMS = (
    Claim(
        id="lezo.sec41.rho",
        where="Eq. 3 against Sec. 5.3",
        statement=Statement(
            "Eq. 3 (theta' in R^(rho d)) and Sec. 5.3 ('the sparsity rate reaches rho = 1 (sparse "
            "40 layers in OPT-13b)') name the same end of the scale: at rho = 1 both perturb every "
            "block, or both none.",
            sp.Eq(BY_EQ3, BY_SEC53),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(RATES, derive=lambda _: QUANTITIES),),
        correction=Statement(
            "They name opposite ends: at rho = 1 the one perturbs all 40 blocks, the other none.",
            conjunction(sp.Eq(BY_EQ3, 40), sp.Eq(BY_SEC53, 0)),
        ),
        setting=Setting("OPT-13B's 40 blocks"),
    ),
)
