"""Table 1: LLaMA-7B on six tasks, S-MeZO against methods with and without training."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE1 = Table.read(Path(__file__).parent / "tables" / "table1.csv")
TASKS = ("BoolQ", "RTE", "WIC", "MultiRC", "SST-2", "COPA")
ZEROTH_ORDER = ("MeZO", "MeZO-LoRA", "R-MeZO", "S-MeZO")
UNTRAINED = ("Zero-Shot", "ICL")


def _above(method: str, *columns: str) -> list[sp.Gt]:
    """A method's numbers above those without training."""
    return [sp.Gt(TABLE1[method, c], TABLE1[other, c]) for c in columns for other in UNTRAINED]


CLAIMS = (
    Claim(
        id="smezo.table1.icl",
        where="Sec. 4.2, Table 1",
        statement=Statement(
            "MeZO, MeZO-LoRA, R-MeZO and S-MeZO are each above zero-shot and above ICL on each of "
            "the six data sets of Table 1.",
            conjunction(*(r for method in ZEROTH_ORDER for r in _above(method, *TASKS))),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1),),
        correction=Statement(
            "They are on average and on each of the six but COPA, where MeZO and S-MeZO are.",
            conjunction(
                *(r for m in ZEROTH_ORDER for r in _above(m, *TASKS[:-1], "Average")),
                *(r for m in ("MeZO", "S-MeZO") for r in _above(m, "COPA")),
            ),
        ),
        setting=Setting(paper="LLaMA-7B, 1,000 examples a task, means of three seeds (Table 1)"),
    ),
)
