"""OPT-13B: MeZO, S-MeZO and TeZO-Adam as the papers print them."""

from __future__ import annotations

import sympy as sp

from zotheory.evidence.printed import mean, printed
from zotheory.evidence.tables import Table
from zotheory.papers import cited_table
from zotheory.papers.cross.agreement import agree, spread
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TEZO4, LEZO1, SMEZO13, SVD03, GV2 = (
    cited_table(paper, number)
    for paper, number in (("tezo", 4), ("lezo", 1), ("smezo", 13), ("svd0", 3), ("prior", 2))
)
TASKS = GV2.columns

MEZO = ((TEZO4, "MeZO"), (LEZO1, "MeZO"), (SMEZO13, "MeZO"), (SVD03, "MeZO"), (GV2, "MeZO(FT)"))


def column(table: Table, task: str) -> str:
    """What a table calls the data set's column, printed there or not."""
    return "Copa" if table is LEZO1 and task == "COPA" else task


ROWS = {
    task: [
        table[row, column(table, task)]
        for table, row in MEZO
        if column(table, task) in table.columns
    ]
    for task in TASKS
}
SPREAD = {task: sp.Symbol(f"spread of MeZO's rows, {task}", real=True) for task in TASKS}
SPREADS = {SPREAD[task]: spread(cells) for task, cells in ROWS.items()}

ADAM = sp.Symbol("mean of TeZO-Adam above published MeZO's", real=True)
SPARSE = sp.Symbol("mean of S-MeZO above MeZO's over eleven tasks, SVD-0 Table 3", real=True)
SPARSE_THREE = sp.Symbol("mean of S-MeZO above MeZO's over three tasks, SVD-0 Table 3", real=True)


def _sparse(*tasks: str) -> sp.Expr:
    return mean(SVD03.row("S-MeZO", tasks)) - mean(SVD03.row("MeZO", tasks))


MEANS = {
    ADAM: mean(TEZO4.row("TeZO-Adam", TASKS)) - mean(GV2.row("MeZO(FT)")),
    SPARSE: _sparse(*TASKS),
    SPARSE_THREE: _sparse("BoolQ", "RTE", "WIC"),
}

CLAIMS = (
    Claim(
        id="cross.mezo_opt13b",
        where="TeZO Table 4, LeZO Table 1 (reproduced), S-MeZO Table 13, SVD-0 Table 3 (OPT-13B by "
        "its text), MeZO-GV Table 2",
        statement=Statement(
            "The five papers' rows of full-parameter MeZO on OPT-13B agree within 3 points on "
            "every data set that two or more of them print.",
            agree(SPREAD),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TEZO4, LEZO1, SMEZO13, SVD03, GV2, derive=lambda _: SPREADS),),
        correction=Statement(
            "They do on six of the eleven: SST-2, WSC, MultiRC, COPA, ReCoRD and DROP. On RTE they "
            "are 15.2 points apart, on BoolQ 8.3, on WIC 7.5, on SQuAD 5.1, on CB 3.5.",
            agree(SPREAD, but=("RTE", "CB", "BoolQ", "WIC", "SQuAD")),
        ),
        setting=Setting(paper="OPT-13B, MeZO with full parameters, after 15k or 20k steps"),
    ),
    Claim(
        id="cross.tezo_adam_published",
        where="TeZO Table 4 against MeZO-GV Table 2, row MeZO(FT), which LeZO Table 1 names as the "
        "published one",
        statement=Statement(
            "On OPT-13B TeZO-Adam's mean over the eleven data sets is at least 2 points above that "
            "of the published MeZO.",
            sp.Ge(ADAM, 2),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TEZO4, GV2, derive=lambda _: MEANS),),
        correction=Statement(
            "It is above by half a point, to 0.05.",
            sp.Le(sp.Abs(ADAM - sp.Rational(1, 2)), sp.Rational("0.05")),
        ),
        setting=Setting(
            paper="OPT-13B, TeZO-Adam and TeZO's own run of MeZO, after 15k steps (TeZO Table 4)",
            judged="TeZO-Adam against MeZO as published, after 20k steps",
        ),
    ),
    Claim(
        id="cross.smezo_opt13b",
        where="S-MeZO Sec. 11 against SVD-0 Table 3 (OPT-13B by its text)",
        statement=Statement(
            "In SVD-0's Table 3 S-MeZO is above MeZO in the mean over the eleven data sets.",
            sp.Gt(SPARSE, 0),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(SVD03, derive=lambda _: MEANS),),
        correction=Statement(
            "It is below by 0.37 points, to 0.01. Over BoolQ, RTE and WIC, the three that S-MeZO's "
            "Sec. 11 prints, it is above, but not on WIC.",
            conjunction(
                sp.Le(sp.Abs(SPARSE + sp.Rational("0.37")), sp.Rational("0.01")),
                sp.Gt(SPARSE_THREE, 0),
                sp.Lt(SVD03["S-MeZO", "WIC"], SVD03["MeZO", "WIC"]),
            ),
        ),
        setting=Setting(
            paper="OPT-13B, three data sets (S-MeZO Table 13)",
            judged="the eleven data sets of SVD-0's Table 3 (OPT-13B by its text, OPT-1.3B by its "
            "caption)",
        ),
    ),
)
