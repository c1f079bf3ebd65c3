"""Table 12: LLaMA-7B with deviations, S-MeZO against MeZO by Welch's test."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import Computed, above, printed
from zotheory.evidence.tables import Table
from zotheory.statistics.significance import welch
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE12 = Table.read(Path(__file__).parent / "tables" / "table12.csv")
TASKS = ("BoolQ", "RTE", "WIC", "MultiRC", "SST-2", "COPA")
SEEDS = 3
LEVEL = sp.Rational(1, 20)
P = {task: sp.Symbol(f"p of {task}", nonnegative=True) for task in TASKS}
DIFFER = sp.Symbol("data sets with p below 0.05", nonnegative=True)


def _tests(_: Statement) -> dict[sp.Symbol, sp.Expr | Computed]:
    """Welch's test on every task; the printed deviations taken as those of the samples."""

    def group(method: str, task: str) -> tuple[sp.Expr, ...]:
        return TABLE12[method, task], TABLE12.deviation(method, task), sp.Integer(SEEDS)

    tests = {P[t]: Computed(welch, *group("S-MeZO", t), *group("MeZO", t)) for t in TASKS}
    return {DIFFER: sp.Add(*(above(LEVEL, p) for p in tests)), **tests}


CLAIMS = (
    Claim(
        id="smezo.table12.significance",
        where="Table 12 (three seeds)",
        statement=Statement(
            "By Welch's two-sided test S-MeZO differs from MeZO with p < 0.05 on at least 4 of the "
            "6 data sets of Table 12.",
            sp.Ge(DIFFER, 4),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE12, derive=_tests),),
        correction=Statement(
            "It does on BoolQ, RTE and MultiRC; on WIC, SST-2 and COPA p is above 0.05.",
            conjunction(
                *(sp.Lt(P[t], LEVEL) for t in ("BoolQ", "RTE", "MultiRC")),
                *(sp.Gt(P[t], LEVEL) for t in ("WIC", "SST-2", "COPA")),
            ),
        ),
        setting=Setting(
            paper="LLaMA-7B, 1,000 examples a task, means and deviations over three seeds "
            "(Table 12), read as sample deviations"
        ),
    ),
)
