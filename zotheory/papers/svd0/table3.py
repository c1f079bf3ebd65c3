"""Table 3: eleven tasks of SuperGLUE, seven ZO methods, and their totals relative to MeZO's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import Computed, above, at_least, changed, printed
from zotheory.evidence.tables import Table
from zotheory.statistics.significance import signed_rank
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

_TABLES = Path(__file__).parent / "tables"
TABLE3 = Table.read(_TABLES / "table3.csv")
TOTALS = Table.read(_TABLES / "table3_totals.csv")
GROUPS = {
    "Classification": ("SST-2", "RTE", "CB", "BoolQ", "WSC", "WIC", "MultiRC"),
    "Multiple choice": ("COPA", "ReCoRD"),
    "Generation": ("SQuAD", "DROP"),
    "All": TABLE3.columns,
}
METHODS = TOTALS.rows  # the zeroth-order ones
SETTING = Setting(
    paper="eleven tasks of SuperGLUE, OPT-13B by Sec. 6.1 (OPT-1.3B by the caption), 1,000 "
    "examples a task (Table 3)"
)

WON = sp.Symbol("tasks on which SVD-0 is above SubZero", nonnegative=True)
P = sp.Symbol("p of the signed ranks", nonnegative=True)


def _against_subzero(_: Statement) -> dict[sp.Symbol, sp.Expr | Computed]:
    pairs = [(TABLE3["SVD-0", task], TABLE3["SubZero", task]) for task in TABLE3.columns]
    return {
        WON: sp.Add(*(above(*pair) for pair in pairs)),
        P: Computed(signed_rank, *(ours - theirs for ours, theirs in pairs)),
    }


def gain(table: Table, method: str, tasks: Sequence[str] = ()) -> sp.Expr:
    """How far the sum of a method's accuracies is above MeZO's, in percent of MeZO's."""
    ours, mezo = (sp.Add(*table.row(m, tasks)) for m in (method, "MeZO"))
    return 100 * (ours / mezo - 1)


def total(table: Table, row: str) -> sp.Symbol:
    """The name of the sum of a row; see `totals`."""
    return sp.Symbol(f"{table.name}: sum of {row}", nonnegative=True)


def totals(table: Table, rows: Sequence[str], tasks: Sequence[str]) -> dict[sp.Symbol, sp.Expr]:
    """The sums of the rows' accuracies over tasks, by name."""
    return {total(table, row): sp.Add(*table.row(row, tasks)) for row in rows}


GAP = {m: sp.Symbol(f"largest error of {m}'s Totals", nonnegative=True) for m in METHODS[1:]}
CHOICE = {m: sp.Symbol(f"multiple-choice sum of {m}", nonnegative=True) for m in ("MeZO", "SVD-0")}
BETTER = {
    group: sp.Symbol(f"methods above SVD-0 in Total, {group}", nonnegative=True) for group in GROUPS
}
EQUAL = sp.Symbol("methods at least as high as SVD-0 in the last Total", nonnegative=True)
BEST = {m: sp.Symbol(f"tasks on which {m} is best", nonnegative=True) for m in ("S-MeZO", "SVD-0")}


def _totals(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    others = [method for method in METHODS if method != "SVD-0"]
    gaps = {
        name: sp.Max(
            *(sp.Abs(TOTALS[m, group] - gain(TABLE3, m, tasks)) for group, tasks in GROUPS.items()),
            evaluate=False,
        )
        for m, name in GAP.items()
    }
    sums = {name: sp.Add(*TABLE3.row(m, GROUPS["Multiple choice"])) for m, name in CHOICE.items()}
    better = {
        name: sp.Add(*(above(TOTALS[m, group], TOTALS["SVD-0", group]) for m in others))
        for group, name in BETTER.items()
    }
    equal = sp.Add(*(at_least(TOTALS[m, "All"], TOTALS["SVD-0", "All"]) for m in others))
    best = {
        name: sp.Add(*(_is_best(method, task) for task in TABLE3.columns))
        for method, name in BEST.items()
    }
    return {**gaps, **sums, **better, EQUAL: equal, **best}


def _is_best(method: str, task: str) -> sp.Expr:
    others = (TABLE3[m, task] for m in METHODS if m != method)
    return at_least(TABLE3[method, task], sp.Max(*others, evaluate=False))


TOTAL = Statement(
    "The 24 printed Total percentages of Table 3 (six methods, four columns) follow from the "
    "printed accuracies to 0.006; 169.0 and 171.2 are the multiple-choice sums of MeZO and SVD-0; "
    "SVD-0 is among the first two ZO methods in each Total column and first in the last; S-MeZO is "
    "best of the ZO methods (ties count) on as many tasks as SVD-0.",
    conjunction(
        *(sp.Le(gap, sp.Rational(6, 1000)) for gap in GAP.values()),
        sp.Eq(CHOICE["MeZO"], 169),
        sp.Eq(CHOICE["SVD-0"], sp.Rational(1712, 10)),
        *(sp.Le(better, 1) for better in BETTER.values()),
        sp.Eq(EQUAL, 0),
        sp.Eq(BEST["S-MeZO"], BEST["SVD-0"]),
    ),
)

CLAIMS = (
    Claim(
        id="svd0.table3.vs_subzero",
        where="Table 3, Sec. 6.1",
        statement=Statement(
            "In Table 3 SVD-0 is above SubZero on more than half of the eleven tasks, and the "
            "two-sided Wilcoxon signed-rank test over the eleven differences has p < 0.05.",
            conjunction(sp.Gt(WON, sp.Rational(11, 2)), sp.Lt(P, sp.Rational(1, 20))),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE3, derive=_against_subzero),),
        correction=Statement(
            "In Table 3 SVD-0 is above SubZero on five of the eleven tasks, and the signed-rank "
            "test has p > 0.5.",
            conjunction(sp.Eq(WON, 5), sp.Gt(P, sp.Rational(1, 2))),
        ),
        setting=SETTING,
    ),
    Claim(
        id="svd0.table3.totals",
        where="Table 3, Sec. 6.1",
        statement=TOTAL,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE3, TOTALS, derive=_totals),),
        mutant=changed(TOTAL, {TABLE3["LOZO", "RTE"]: "70.5"}),
        setting=SETTING,
    ),
)
