"""Table 11: Mistral-7B on six tasks."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE11 = Table.read(Path(__file__).parent / "tables" / "table11.csv")
TASKS = ("BoolQ", "RTE", "WIC", "MultiRC", "SST-2", "COPA")


def _above(*columns: str) -> sp.And:
    return conjunction(*(sp.Gt(TABLE11["S-MeZO", c], TABLE11["MeZO", c]) for c in columns))


CLAIMS = (
    Claim(
        id="smezo.table11.consistent",
        where="Sec. 4.2 and 9, Table 11 ('consistently')",
        statement=Statement(
            "S-MeZO is above MeZO on each of the six data sets of Table 11 (Mistral-7B).",
            _above(*TASKS),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE11),),
        correction=Statement(
            "S-MeZO is above MeZO on average and on each data set of Table 11 but COPA.",
            _above(*TASKS[:-1], "Average"),
        ),
        setting=Setting(paper="Mistral-7B, 1,000 examples a task, means of three seeds (Table 11)"),
    ),
)
