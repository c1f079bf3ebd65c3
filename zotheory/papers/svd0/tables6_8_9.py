"""Tables 6, 8 and 9: sums over the tasks, whether SVD-0's is the largest, and how they are told."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import changed, mean, printed
from zotheory.evidence.tables import Table
from zotheory.papers.svd0.table3 import METHODS, TABLE3, gain, total, totals
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

_TABLES = Path(__file__).parent / "tables"
TABLE6, TABLE8, TABLE9 = (Table.read(_TABLES / f"table{n}.csv") for n in (6, 8, 9))
TOTALS = {
    table: Table.read(_TABLES / f"table{n}_totals.csv") for n, table in ((8, TABLE8), (9, TABLE9))
}
TASKS = ("SST-2", "WIC", "ReCoRD", "SQuAD")  # Table 6's, without its last column
SMALL = "OPT-1.3B on four tasks (Table 6)"
OTHERS = "Qwen-1.8B on three tasks (Table 8), OPT-1.3B on four financial ones (Table 9)"
GAP = sp.Symbol("mean of SVD-0 - SubZero", real=True)
SUMMED = {  # the zeroth-order methods and the tasks of each table
    TABLE3: (METHODS, TABLE3.columns),
    TABLE6: (TABLE6.rows, TASKS),
    TABLE8: (TABLE8.rows, TABLE8.columns),
    TABLE9: (TABLE9.rows, TABLE9.columns),
}


def _sums(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    return {
        name: sum_
        for table, (methods, tasks) in SUMMED.items()
        for name, sum_ in totals(table, methods, tasks).items()
    }


def _largest(table: Table, but: str = "") -> list[sp.Gt]:
    """SVD-0's sum is above every other's, but for one."""
    methods, _ = SUMMED[table]
    return [
        sp.Gt(total(table, "SVD-0"), total(table, method))
        for method in methods
        if method not in ("SVD-0", but)
    ]


def _rounds_to(number: sp.Expr, tenths: str) -> sp.And:
    """What rounds to 0.7 is at least 0.65 and below 0.75."""
    middle, half = sp.Rational(tenths), sp.Rational(1, 20)
    return conjunction(sp.Ge(number, middle - half), sp.Lt(number, middle + half))


def _gap(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    return {GAP: mean([TABLE6["SVD-0", task] - TABLE6["SubZero", task] for task in TASKS])}


MEAN = {m: sp.Symbol(f"Table 6: mean of {m}", nonnegative=True) for m in TABLE6.rows}
GAIN = {
    (table, m): sp.Symbol(f"{table.name}: gain of {m} in %", real=True)
    for table, column in TOTALS.items()
    for m in column.rows
    if m != "MeZO"  # its 0% is the reference
}


def _averages(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    means = {name: mean(TABLE6.row(m, TASKS)) for m, name in MEAN.items()}
    return {**means, **{name: gain(table, m) for (table, m), name in GAIN.items()}}


TOLD = Statement(
    "Table 6's AVG column follows from its entries to 0.051 and puts SVD-0 below LOZO by 0.2 "
    "(rounded) and SubZero below MeZO; the Total percentages of Tables 8 and 9 follow from the "
    "entries to 0.006, and SVD-0's is the largest in both.",
    conjunction(
        *(
            sp.Le(sp.Abs(TABLE6[m, "AVG"] - name), sp.Rational(51, 1000))
            for m, name in MEAN.items()
        ),
        _rounds_to(TABLE6["LOZO", "AVG"] - TABLE6["SVD-0", "AVG"], "0.2"),
        sp.Lt(TABLE6["SubZero", "AVG"], TABLE6["MeZO", "AVG"]),
        *(
            sp.Le(sp.Abs(TOTALS[table][m, "Total"] - name), sp.Rational(6, 1000))
            for (table, m), name in GAIN.items()
        ),
        *(
            sp.Gt(column["SVD-0", "Total"], column[m, "Total"])
            for column in TOTALS.values()
            for m in column.rows
            if m != "SVD-0"
        ),
    ),
)

SOTA = Claim(
    id="svd0.abstract.sota",
    where="abstract, Tables 3, 6, 8, 9",
    statement=Statement(
        "In each of Tables 3, 6, 8 and 9 the sum of SVD-0's accuracies over the table's tasks is "
        "the largest of all ZO methods listed.",
        conjunction(*(relation for table in SUMMED for relation in _largest(table))),
    ),
    needs=(Kind.PRINTED,),
    checks=(printed(*SUMMED, derive=_sums),),
    correction=Statement(
        "It is the largest in Tables 3, 8 and 9, and in Table 6 the largest but LOZO's.",
        conjunction(
            *_largest(TABLE3),
            *_largest(TABLE6, but="LOZO"),
            sp.Lt(total(TABLE6, "SVD-0"), total(TABLE6, "LOZO")),
            *_largest(TABLE8),
            *_largest(TABLE9),
        ),
    ),
    setting=Setting(paper=f"eleven tasks of SuperGLUE (Table 3), {SMALL}, {OTHERS}"),
)

CLAIMS = (
    Claim(
        id="svd0.table6.subzero_gap",
        where="Sec. 6.3, Table 6",
        statement=Statement(
            "In Table 6 SVD-0 is strictly above SubZero on all four tasks (read: consistently), "
            "and the mean of the four printed differences rounds to 0.7.",
            conjunction(
                *(sp.Gt(TABLE6["SVD-0", t], TABLE6["SubZero", t]) for t in TASKS),
                _rounds_to(GAP, "0.7"),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE6, derive=_gap),),
        correction=Statement(
            "In Table 6 SVD-0 is above SubZero on SST-2, WIC and ReCoRD, equal on SQuAD, and the "
            "mean of the four printed differences rounds to 0.6; the two printed averages differ "
            "by 0.7.",
            conjunction(
                *(sp.Gt(TABLE6["SVD-0", t], TABLE6["SubZero", t]) for t in TASKS[:-1]),
                sp.Eq(TABLE6["SVD-0", "SQuAD"], TABLE6["SubZero", "SQuAD"]),
                _rounds_to(GAP, "0.6"),
                sp.Eq(TABLE6["SVD-0", "AVG"] - TABLE6["SubZero", "AVG"], sp.Rational("0.7")),
            ),
        ),
        setting=Setting(paper=SMALL),
    ),
    Claim(
        id="svd0.tables6_8_9.totals",
        where="Tables 6, 8, 9",
        statement=TOLD,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE6, TABLE8, TABLE9, *TOTALS.values(), derive=_averages),),
        mutant=changed(TOLD, {TABLE8["LOZO", "WIC"]: "55.3"}),
        setting=Setting(paper=f"{SMALL}; {OTHERS}"),
    ),
)
