"""Tables 1 and 9 to 13: accuracies of LLaMA-7B, Mistral-7B and OPT-13B on three to six tasks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import Computed, above, changed, printed
from zotheory.evidence.tables import Table
from zotheory.statistics.significance import welch
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE1, TABLE9, TABLE10, TABLE11, TABLE12, TABLE13 = (
    Table.read(Path(__file__).parent / "tables" / f"table{n}.csv") for n in (1, 9, 10, 11, 12, 13)
)
TASKS = ("BoolQ", "RTE", "WIC", "MultiRC", "SST-2", "COPA")


def _above(
    table: Table, methods: Iterable[str], others: Iterable[str], columns: Iterable[str]
) -> list[sp.Gt]:
    """Each method's number above those of all others."""
    return [sp.Gt(table[m, c], table[o, c]) for m in methods for c in columns for o in others]


ZEROTH_ORDER = ("MeZO", "MeZO-LoRA", "R-MeZO", "S-MeZO")
UNTRAINED = ("Zero-Shot", "ICL")

ICL = Claim(
    id="smezo.table1.icl",
    where="Sec. 4.2, Table 1",
    statement=Statement(
        "MeZO, MeZO-LoRA, R-MeZO and S-MeZO are each above zero-shot and above ICL on each of "
        "the six data sets of Table 1.",
        conjunction(*_above(TABLE1, ZEROTH_ORDER, UNTRAINED, TASKS)),
    ),
    needs=(Kind.PRINTED,),
    checks=(printed(TABLE1),),
    correction=Statement(
        "They are on average and on each of the six but COPA, where MeZO and S-MeZO are.",
        conjunction(
            *_above(TABLE1, ZEROTH_ORDER, UNTRAINED, (*TASKS[:-1], "Average")),
            *_above(TABLE1, ("MeZO", "S-MeZO"), UNTRAINED, ("COPA",)),
        ),
    ),
    setting=Setting(paper="LLaMA-7B, 1,000 examples a task, means of three seeds (Table 1)"),
)

SPARSITY = "0.8"  # Table 9's for BoolQ and WIC, a column of Table 10


def _apart(task: str) -> sp.Expr:
    return sp.Abs(TABLE10[task, SPARSITY] - TABLE1["S-MeZO", task])


def _within(**limits: sp.Rational) -> sp.And:
    return conjunction(*(sp.Le(_apart(task), limit) for task, limit in limits.items()))


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


_GAINS = Statement(
    "S-MeZO is above MeZO and above R-MeZO on each of the three data sets of Table 13 (OPT-13B).",
    conjunction(*_above(TABLE13, ("S-MeZO",), ("MeZO", "R-MeZO"), TABLE13.columns)),
)

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
    Claim(
        id="smezo.table11.consistent",
        where="Sec. 4.2 and 9, Table 11 ('consistently')",
        statement=Statement(
            "S-MeZO is above MeZO on each of the six data sets of Table 11 (Mistral-7B).",
            conjunction(*_above(TABLE11, ("S-MeZO",), ("MeZO",), TASKS)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE11),),
        correction=Statement(
            "S-MeZO is above MeZO on average and on each data set of Table 11 but COPA.",
            conjunction(*_above(TABLE11, ("S-MeZO",), ("MeZO",), (*TASKS[:-1], "Average"))),
        ),
        setting=Setting(paper="Mistral-7B, 1,000 examples a task, means of three seeds (Table 11)"),
    ),
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
    Claim(
        id="smezo.table13.gains",
        where="Sec. 11, Table 13 ('consistently')",
        statement=_GAINS,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE13),),
        mutant=changed(_GAINS, {TABLE13["MeZO", "WIC"]: "63.7"}),
        setting=Setting(paper="OPT-13B, 1,000 examples a task (Table 13)"),
    ),
)
