"""Tables 1, 9 and 10: one setting printed twice, S-MeZO on LLaMA-7B at sparsity 0.8."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.papers.smezo.table1 import TABLE1
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE9, TABLE10 = (Table.read(Path(__file__).parent / "tables" / f"table{n}.csv") for n in (9, 10))
SPARSITY = "0.8"  # Table 9's for BoolQ and WIC, a column of Table 10


def _apart(task: str) -> sp.Expr:
    return sp.Abs(TABLE10[task, SPARSITY] - TABLE1["S-MeZO", task])


def _within(**limits: sp.Rational) -> sp.And:
    return conjunction(*(sp.Le(_apart(task), limit) for task, limit in limits.items()))


CLAIMS = (
    Claim(
        id="smezo.table10.agrees",
        where="Tables 1, 9 and 10",
        statement=Statement(
            "At the sparsity that Table 9 gives for LLaMA-7B (BoolQ 0.80, WIC 0.80), Table 10 has "
            "for S-MeZO the value of Table 1, within 0.3, on both.",
            _within(BoolQ=sp.Rational(3, 10), WIC=sp.Rational(3, 10)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1, TABLE10),),
        correction=Statement(
            "They are within 1.6 on BoolQ (82.5 and 80.9) and within 0.6 on WIC (64.3 and 64.9).",
            _within(BoolQ=sp.Rational(8, 5), WIC=sp.Rational(3, 5)),
        ),
        setting=Setting(
            paper="S-MeZO, LLaMA-7B at sparsity 0.8 (Tables 1, 9, 10); that both tables mean the "
            "same runs is read, not said"
        ),
    ),
)
