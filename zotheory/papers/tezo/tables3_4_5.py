"""Tables 3, 4 and 5: accuracies, their averages, and what Section 6 says of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import Quantities, above, at_least, changed, mean, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE3, TABLE4, TABLE5 = (
    Table.read(Path(__file__).parent / "tables" / f"table{number}.csv") for number in (3, 4, 5)
)

# The blocks of columns that have an average of their own.
K16, K512, OPT, LLAMA = "Table 3, k = 16", "Table 3, k = 512", "Table 4", "Table 5"
ROBERTA = (K16, K512)
BLOCKS = {
    K16: (TABLE3, TABLE3.columns[:5], TABLE3.columns[5]),
    K512: (TABLE3, TABLE3.columns[6:11], TABLE3.columns[11]),
    OPT: (TABLE4, TABLE4.columns[:-1], TABLE4.columns[-1]),
    LLAMA: (TABLE5, TABLE5.columns[:-1], TABLE5.columns[-1]),
}
TWENTIETH, SIX_TENTHS = sp.Rational(1, 20), sp.Rational(6, 10)
LOW_RANK = ("SubZO", "LOZO", "TeZO")
NO_ZO = ("FT", "zero-shot")

MEAN = {
    (block, row): sp.Symbol(f"mean of {row} in {block}", real=True)
    for block, (table, _, _) in BLOCKS.items()
    for row in table.rows
}
OFF = {
    (block, row): sp.Symbol(f"AVG less the difference of means, {row} in {block}", real=True)
    for block, row in MEAN
    if row != "FT"
}
AGREE = sp.Symbol("averages within 0.05", integer=True)
WINS = sp.Symbol("data sets of Table 4 with TeZO-Adam alone the highest", integer=True)
SHARED_WINS = sp.Symbol("data sets of Table 4 with TeZO-Adam the highest, ties counted")


def _mean(block: str, row: str) -> sp.Expr:
    table, data_sets, _ = BLOCKS[block]
    return mean(table.row(row, data_sets))


def _off(block: str, row: str) -> sp.Expr:
    """AVG - (mean of the row - mean of FT's row)."""
    table, _, average = BLOCKS[block]
    return table[row, average] - (_mean(block, row) - _mean(block, "FT"))


def _highest(beats: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> sp.Expr:
    """On how many data sets of Table 4 TeZO-Adam beats each of the nine other ZO rows."""
    rows = [row for row in TABLE4.rows if row not in (*NO_ZO, "TeZO-Adam")]
    return sp.Add(
        *(
            sp.Mul(*(beats(TABLE4["TeZO-Adam", c], TABLE4[row, c]) for row in rows))
            for c in BLOCKS[OPT][1]
        )
    )


@cache
def _quantities() -> Quantities:
    offs = {symbol: _off(*place) for place, symbol in OFF.items()}
    agree = (at_least(TWENTIETH, off) * at_least(off, -TWENTIETH) for off in offs.values())
    return {
        **{symbol: _mean(*place) for place, symbol in MEAN.items()},
        **offs,
        AGREE: sp.Add(*agree),
        WINS: _highest(above),
        SHARED_WINS: _highest(at_least),
    }


CHECK = printed(TABLE3, TABLE4, TABLE5, derive=lambda _: _quantities())

ON_ROBERTA = Setting("RoBERTa-large, five data sets, 80k steps, k = 16 and 512, means of 5 seeds")
ON_OPT = Setting("OPT-13B, eleven data sets, 15k steps, means of 2 seeds")
ON_LLAMA = Setting("LLaMA-7B, four data sets, 15k steps, means of 2 seeds")
ON_BOTH = Setting("OPT-13B and LLaMA-7B, eleven and four data sets, 15k steps, means of 2 seeds")
ON_ALL = Setting("RoBERTa-large, OPT-13B and LLaMA-7B, means of 5, 2 and 2 seeds")


def _at_most_below(block: str, row: str, base: str, gap: sp.Rational) -> sp.Basic:
    return sp.Le(MEAN[block, base] - MEAN[block, row], gap)


GAP_PLAIN = Statement(
    "In the mean over the five data sets of Table 3 none of SubZO, LOZO, TeZO lies more than 0.6 "
    "below MeZO, at k = 16 and k = 512.",
    conjunction(*(_at_most_below(k, row, "MeZO", SIX_TENTHS) for k in ROBERTA for row in LOW_RANK)),
)
LOW_RANK_OPT = Statement(
    "In the mean over the eleven data sets of Table 4 SubZO, LOZO and TeZO are each above MeZO "
    "('generally perform better').",
    conjunction(*(sp.Gt(MEAN[OPT, row], MEAN[OPT, "MeZO"]) for row in LOW_RANK)),
)
ADAM_AVERAGE = Statement(
    "TeZO-Adam's mean over the data sets is above that of every other ZO row, in Table 4 and in "
    "Table 5.",
    conjunction(
        *(
            sp.Gt(MEAN[block, "TeZO-Adam"], symbol)
            for (block, row), symbol in MEAN.items()
            if block in (OPT, LLAMA) and row not in (*NO_ZO, "TeZO-Adam")
        )
    ),
)

CLAIMS = (
    Claim(
        id="tezo.tables345.avg",
        where="Tables 3, 4, 5, column AVG",
        statement=Statement(
            "AVG is the mean over the data sets of the row minus FT's row, rounded to one decimal: "
            "all 34 printed values (every row but FT, both k of Table 3) are within 0.05 of the "
            "mean.",
            conjunction(
                *(sp.Le(off, TWENTIETH) for off in OFF.values()),
                *(sp.Ge(off, -TWENTIETH) for off in OFF.values()),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement("28 of the 34 are.", sp.Eq(AGREE, 28)),
        setting=ON_ALL,
    ),
    Claim(
        id="tezo.sec6.mezo_best",
        where="Sec. 6, medium-sized models; Table 3",
        statement=Statement(
            "In the mean over the five data sets of Table 3 MeZO is the highest of MeZO, SubZO, "
            "LOZO, TeZO, at k = 16 and at k = 512.",
            conjunction(
                *(sp.Ge(MEAN[k, "MeZO"], MEAN[k, row]) for k in ROBERTA for row in LOW_RANK)
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "It is at k = 16, and at k = 512 LOZO is above it.",
            conjunction(
                *(sp.Ge(MEAN[K16, "MeZO"], MEAN[K16, row]) for row in LOW_RANK),
                sp.Gt(MEAN[K512, "LOZO"], MEAN[K512, "MeZO"]),
            ),
        ),
        setting=ON_ROBERTA,
    ),
    Claim(
        id="tezo.sec6.gap_plain",
        where="Sec. 6 ('not exceeding 0.6% at the worst scenario on average'); Table 3",
        statement=GAP_PLAIN,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(GAP_PLAIN, {TABLE3["TeZO", "TREC (k=16)"]: "57.2"}),
        setting=ON_ROBERTA,
    ),
    Claim(
        id="tezo.sec6.gap_momentum",
        where="Sec. 6, the same sentence, like with like",
        statement=Statement(
            "In the mean over the five data sets of Table 3 neither LOZO-m nor TeZO-m lies more "
            "than 0.6 below MeZO-m, at k = 16 and k = 512.",
            conjunction(
                *(
                    _at_most_below(k, row, "MeZO-m", SIX_TENTHS)
                    for k in ROBERTA
                    for row in ("LOZO-m", "TeZO-m")
                )
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "Neither lies more than 0.9 below it.",
            conjunction(
                *(
                    _at_most_below(k, row, "MeZO-m", sp.Rational(9, 10))
                    for k in ROBERTA
                    for row in ("LOZO-m", "TeZO-m")
                )
            ),
        ),
        setting=ON_ROBERTA,
    ),
    Claim(
        id="tezo.sec6.lowrank_opt13b",
        where="Sec. 6, large-sized models; Table 4",
        statement=LOW_RANK_OPT,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(LOW_RANK_OPT, {TABLE4["TeZO", "SQuAD"]: "78.7"}),
        setting=ON_OPT,
    ),
    Claim(
        id="tezo.table5.tezo_order",
        where="Sec. 6 ('maintain similar performance'); Table 5, which prints -9.2 for the three",
        statement=Statement(
            "In the mean over the four data sets of Table 5 TeZO is below neither MeZO nor SubZO.",
            conjunction(
                *(sp.Ge(MEAN[LLAMA, "TeZO"], MEAN[LLAMA, row]) for row in ("MeZO", "SubZO"))
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "It is below SubZO, and within 0.3 of both.",
            conjunction(
                sp.Lt(MEAN[LLAMA, "TeZO"], MEAN[LLAMA, "SubZO"]),
                *(
                    _at_most_below(LLAMA, "TeZO", row, sp.Rational(3, 10))
                    for row in ("MeZO", "SubZO")
                ),
            ),
        ),
        setting=ON_LLAMA,
    ),
    Claim(
        id="tezo.sec6.adam_average",
        where="Sec. 1 and 6 ('superior to MeZO-Adam and other ZO optimizers'); Tables 4, 5",
        statement=ADAM_AVERAGE,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(ADAM_AVERAGE, {TABLE5["TeZO-Adam", "RTE"]: "72.0"}),
        setting=ON_BOTH,
    ),
    Claim(
        id="tezo.sec6.adam_tasks",
        where="Sec. 1 and 6, the same; Table 4",
        statement=Statement(
            "TeZO-Adam is strictly the highest of Table 4's ten ZO rows on at least 6 of the 11 "
            "data sets.",
            sp.Ge(WINS, 6),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "It is on 5, and with a tie counted the highest on 6.",
            conjunction(sp.Eq(WINS, 5), sp.Eq(SHARED_WINS, 6)),
        ),
        setting=ON_OPT,
    ),
)
