"""Tables 17 to 21: noise, seeds, Adam, LoRA and memory, mostly OPT-1.3B on SST-2."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import changed, mean, printed
from zotheory.evidence.tables import Table
from zotheory.papers.svd0.tables6_8_9 import TABLE6
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE17, TABLE18, TABLE19, TABLE20, TABLE21 = (
    Table.read(Path(__file__).parent / "tables" / f"table{n}.csv") for n in range(17, 22)
)
SST2 = "OPT-1.3B on SST-2"
MEAN = sp.Symbol("mean of SVD-0's seeds", nonnegative=True)
RANGE = sp.Symbol("range of SVD-0's seeds", nonnegative=True)
TENTH = sp.Rational(1, 10)


def _seeds(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    seeds = TABLE18.row("SVD-0")
    return {MEAN: mean(seeds), RANGE: sp.Max(*seeds) - sp.Min(*seeds)}


def _drop(k: str) -> sp.Expr:
    return TABLE17["No noise", "SST-2"] - TABLE17[k, "SST-2"]


NOISES = TABLE17.rows[1:]
ABOVE = Statement(
    "SVD-0 is above its MeZO row at every seed of Table 18, on all three tasks of Table 19 (Adam) "
    "and on all seven of Table 21 (LoRA).",
    conjunction(
        *(
            sp.Gt(table["SVD-0", column], table["MeZO", column])
            for table in (TABLE18, TABLE19, TABLE21)
            for column in table.columns
        )
    ),
)

CLAIMS = (
    Claim(
        id="svd0.table17.modest",
        where="App. C, Tables 17, 18",
        statement=Statement(
            "On SST-2 each drop of Table 17 from no noise (K = 0.5, 1, 2) is at most the range of "
            "SVD-0's three seeds in Table 18. (Read: a modest drop.)",
            conjunction(*(sp.Le(_drop(k), RANGE) for k in NOISES)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE17, TABLE18, derive=_seeds),),
        correction=Statement(
            "On SST-2 each drop of Table 17 is above the range of SVD-0's three seeds in Table 18, "
            "and at most 1.7 times it.",
            conjunction(
                *(sp.Gt(_drop(k), RANGE) for k in NOISES),
                *(sp.Le(_drop(k), sp.Rational(17, 10) * RANGE) for k in NOISES),
            ),
        ),
        setting=Setting(paper=f"SVD-0, {SST2} (Tables 17, 18)"),
    ),
    Claim(
        id="svd0.table18.mean",
        where="Tables 6, 18, 20 (SST-2, OPT-1.3B)",
        statement=Statement(
            "The 93.0 that Tables 6 and 20 print for SVD-0 is the mean of its three seeds in Table "
            "18, to 0.1.",
            conjunction(
                sp.Le(sp.Abs(TABLE6["SVD-0", "SST-2"] - MEAN), TENTH),
                sp.Le(sp.Abs(TABLE20["SVD-0", "Accuracy"] - MEAN), TENTH),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE6, TABLE18, TABLE20, derive=_seeds),),
        correction=Statement(
            "It is the number of seed 0 in Table 18, the largest of the three, and 1.8 to 1.9 "
            "above their mean.",
            conjunction(
                sp.Eq(TABLE6["SVD-0", "SST-2"], TABLE18["SVD-0", "0"]),
                sp.Eq(TABLE20["SVD-0", "Accuracy"], TABLE18["SVD-0", "0"]),
                *(sp.Gt(TABLE18["SVD-0", "0"], TABLE18["SVD-0", s]) for s in ("42", "123")),
                sp.Ge(TABLE6["SVD-0", "SST-2"] - MEAN, sp.Rational(18, 10)),
                sp.Le(TABLE6["SVD-0", "SST-2"] - MEAN, sp.Rational(19, 10)),
            ),
        ),
        setting=Setting(paper=f"SVD-0, {SST2} (Tables 6, 18, 20)"),
    ),
    Claim(
        id="svd0.tables18_19_21.above",
        where="App. C, Tables 18, 19, 21",
        statement=ABOVE,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE18, TABLE19, TABLE21),),
        mutant=changed(ABOVE, {TABLE18["MeZO", "42"]: "90.1"}),
        setting=Setting(
            paper=f"{SST2} by seed (Table 18), OPT-1.3B with Adam on three tasks (Table 19), "
            "OPT-13B with LoRA on seven (Table 21)"
        ),
    ),
    Claim(
        id="svd0.table20.no_loss",
        where="App. C, Table 20",
        statement=Statement(
            "In Table 20 SVD-0 takes at most half of LoRA's memory and its accuracy is at least "
            "LoRA's. (Read: without a loss in performance.)",
            conjunction(
                sp.Le(TABLE20["SVD-0", "Memory"], TABLE20["LoRA", "Memory"] / 2),
                sp.Ge(TABLE20["SVD-0", "Accuracy"], TABLE20["LoRA", "Accuracy"]),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE20),),
        correction=Statement(
            "In Table 20 SVD-0 takes at most half of LoRA's memory and its accuracy is 0.2 below "
            "LoRA's.",
            conjunction(
                sp.Le(TABLE20["SVD-0", "Memory"], TABLE20["LoRA", "Memory"] / 2),
                sp.Eq(TABLE20["LoRA", "Accuracy"] - TABLE20["SVD-0", "Accuracy"], 2 * TENTH),
            ),
        ),
        setting=Setting(paper=f"{SST2}, LoRA with Adam and SVD-0 with SGD (Table 20)"),
    ),
)
