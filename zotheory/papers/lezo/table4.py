"""Table 4: LeZO and MeZO with LoRA and with a prefix."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import above, changed, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE4 = Table.read(Path(__file__).parent / "tables" / "table4.csv")
WINS = {
    (tuned, base): sp.Symbol(f"data sets with LeZO above the {base} MeZO, {tuned}", integer=True)
    for tuned in ("LoRA", "prefix")
    for base in ("reproduced", "published")
}


def _wins(tuned: str, base: str) -> sp.Expr:
    mezo = f"MeZO ({tuned})" if base == "reproduced" else f"MeZO ({tuned}; published)"
    return sp.Add(*(above(TABLE4[f"LeZO ({tuned})", c], TABLE4[mezo, c]) for c in TABLE4.columns))


CHECK = printed(TABLE4, derive=lambda _: {symbol: _wins(*of) for of, symbol in WINS.items()})
SETTING = Setting("OPT-13B, five data sets, means of 5 seeds; half or a quarter of the layers kept")

REPRODUCED = Statement(
    "LeZO is above the reproduced MeZO on 5 of 5 data sets with LoRA, and on 4 of 5 with prefix.",
    conjunction(sp.Eq(WINS["LoRA", "reproduced"], 5), sp.Eq(WINS["prefix", "reproduced"], 4)),
)

CLAIMS = (
    Claim(
        id="lezo.table4.reproduced",
        where="Sec. 1, 5.2, Table 4",
        statement=REPRODUCED,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(REPRODUCED, {TABLE4["LeZO (LoRA)", "Copa"]: "85.9"}),
        setting=SETTING,
    ),
    Claim(
        id="lezo.table4.published",
        where="Sec. 1, 5.2, Table 4, rows with a dagger",
        statement=Statement(
            "LeZO is above the published MeZO on at least 4 of 5 data sets, with LoRA and with "
            "prefix.",
            conjunction(*(sp.Ge(WINS[tuned, "published"], 4) for tuned in ("LoRA", "prefix"))),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "It is on 3 with LoRA, and on 4 with prefix.",
            conjunction(
                sp.Eq(WINS["LoRA", "published"], 3),
                sp.Eq(WINS["prefix", "published"], 4),
            ),
        ),
        setting=SETTING,
    ),
)
