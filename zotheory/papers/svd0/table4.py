"""Table 4: SVD-0 by the steps between two renewals of its subspaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import at_least, changed, printed
from zotheory.evidence.tables import Table
from zotheory.papers.svd0.table3 import total, totals
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE4 = Table.read(Path(__file__).parent / "tables" / "table4.csv")
DEFAULT, ONCE = "1000", "20000"
SETTING = Setting(paper="OPT-1.3B, rank 24, learning rate 1e-7, 20,000 steps (Table 4)")
BEST = sp.Symbol("tasks on which F = 1000 is best", nonnegative=True)


def _quantities(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    others = [row for row in TABLE4.rows if row != DEFAULT]
    best = (sp.Max(*TABLE4.column(task, others), evaluate=False) for task in TABLE4.columns)
    sums = totals(TABLE4, TABLE4.rows, TABLE4.columns)
    return {**sums, BEST: sp.Add(*map(at_least, TABLE4.row(DEFAULT), best))}


def _larger(row: str, others: Sequence[str]) -> list[sp.Gt]:
    """The sum of a row is above those of others."""
    return [sp.Gt(total(TABLE4, row), total(TABLE4, other)) for other in others]


SIX = Statement(
    "In Table 4 F = 1000 has the highest accuracy (ties count) on at least six of the eleven "
    "tasks, and the highest sum over the tasks.",
    conjunction(sp.Ge(BEST, 6), *_larger(DEFAULT, [row for row in TABLE4.rows if row != DEFAULT])),
)

CLAIMS = (
    Claim(
        id="svd0.table4.renewal",
        where="Sec. 4.2, Table 4",
        statement=Statement(
            "In Table 4 each setting with repeated renewal (F = 50, 500, 1000, 2000) has a larger "
            "sum over the eleven tasks than F = 20000, one renewal in the 20,000 steps. (Read: the "
            "necessity of periodic renewal is experimentally proved.)",
            conjunction(*(r for row in TABLE4.rows if row != ONCE for r in _larger(row, [ONCE]))),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE4, derive=_quantities),),
        correction=Statement(
            "F = 1000 and F = 2000 have a larger sum than F = 20000, F = 50 and F = 500 a smaller "
            "one.",
            conjunction(
                *_larger("1000", [ONCE]), *_larger("2000", [ONCE]), *_larger(ONCE, ["50", "500"])
            ),
        ),
        setting=SETTING,
    ),
    Claim(
        id="svd0.table4.six",
        where="Sec. 6.2, Table 4",
        statement=SIX,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE4, derive=_quantities),),
        mutant=changed(SIX, {TABLE4["2000", "DROP"]: "24.1"}),
        setting=SETTING,
    ),
)
