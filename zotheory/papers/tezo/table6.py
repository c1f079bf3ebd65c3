"""Table 6: which hyperparameters have a range to search."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import above, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement

TABLE6 = Table.read(Path(__file__).parent / "tables" / "table6.csv")
FIRST, SECOND = TABLE6.columns[
    :2
]  # values of the search range; with a second one there is a choice
SEARCHED = {
    method: sp.Symbol(f"hyperparameters to search for {method}", integer=True)
    for method in ("MeZO", "SubZO", "LOZO", "TeZO")
}


def _searched(method: str) -> sp.Expr:
    """How many of the method's rows list a second value, other than the first."""
    rows = [r for r in TABLE6.rows if r.startswith(f"{method}: ") and TABLE6.has(r, SECOND)]
    return sp.Add(*(above(sp.Abs(TABLE6[r, FIRST] - TABLE6[r, SECOND]), 0) for r in rows))


CHECK = printed(TABLE6, derive=lambda _: {s: _searched(method) for method, s in SEARCHED.items()})

CLAIMS = (
    Claim(
        id="tezo.a13.hyperparameters",
        where="App. A.1.3 against Table 6",
        statement=Statement(
            "The dynamic rank 'eliminates the need for additional hyperparameter tuning': Table 6 "
            "gives a search range of two or more values to no more hyperparameters for TeZO than "
            "for MeZO.",
            sp.Le(SEARCHED["TeZO"], SEARCHED["MeZO"]),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "To no more than for SubZO or LOZO.",
            sp.And(*(sp.Le(SEARCHED["TeZO"], SEARCHED[other]) for other in ("SubZO", "LOZO"))),
        ),
        setting=Setting("hyperparameters for RoBERTa-large, OPT-13B and LLaMA-7B"),
    ),
)
