"""Table 13: OPT-13B on three tasks."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import changed, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE13 = Table.read(Path(__file__).parent / "tables" / "table13.csv")

GAINS = Statement(
    "S-MeZO is above MeZO and above R-MeZO on each of the three data sets of Table 13 (OPT-13B).",
    conjunction(
        *(
            sp.Gt(TABLE13["S-MeZO", task], TABLE13[other, task])
            for task in TABLE13.columns
            for other in ("MeZO", "R-MeZO")
        )
    ),
)

CLAIMS = (
    Claim(
        id="smezo.table13.gains",
        where="Sec. 11, Table 13 ('consistently')",
        statement=GAINS,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE13),),
        mutant=changed(GAINS, {TABLE13["MeZO", "WIC"]: "63.7"}),
        setting=Setting(paper="OPT-13B, 1,000 examples a task (Table 13)"),
    ),
)
