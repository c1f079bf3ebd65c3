"""Table 4: memory of fine-tuning LLaMA-7B, and the factors that the text takes from it."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import mean, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE4 = Table.read(Path(__file__).parent / "tables" / "table4.csv")
TASKS = ("SST-2", "RTE", "BoolQ", "WIC", "MultiRC", "COPA")
TABLE = "memory of LLaMA-7B at batch size 1 on six tasks (Table 4)"
LORA = sp.Symbol("mean of LoRA / MeZO", positive=True)
FULL = sp.Symbol("mean of FT / S-MeZO-EI", positive=True)
MEAN = {m: sp.Symbol(f"mean of {m}'s columns", positive=True) for m in ("FT", "LoRA")}


def _means(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    """Over the columns; of MeZO and of S-MeZO-EI the table prints one number for them all."""
    return {
        LORA: MEAN["LoRA"] / TABLE4["MeZO", "Average"],
        FULL: MEAN["FT"] / TABLE4["S-MeZO-EI", "Average"],
        **{name: mean(TABLE4.row(method, TASKS)) for method, name in MEAN.items()},
    }


def _off(method: str) -> sp.Expr:
    """How far the printed average is from the mean of the printed columns."""
    return sp.Abs(TABLE4[method, "Average"] - MEAN[method])


def _between(least: sp.Rational, ratio: sp.Symbol, most: sp.Rational) -> sp.And:
    return conjunction(sp.Ge(ratio, least), sp.Le(ratio, most))


ROUNDED = sp.Rational(1, 20)

SIX = Claim(
    id="smezo.sec1.six",
    where="Sec. 1 against Table 4 ('approximately 6 times more memory than ... inference', of "
    "PEFT)",
    statement=Statement(
        "In Table 4, LoRA's memory is 4 to 8 times inference memory (MeZO's 14.6 GB) on average "
        "over the six columns.",
        _between(sp.Integer(4), LORA, sp.Integer(8)),
    ),
    needs=(Kind.PRINTED,),
    checks=(printed(TABLE4, derive=_means),),
    correction=Statement(
        "In Table 4, LoRA's memory is 1.5 to 1.6 times inference memory on average.",
        _between(sp.Rational(3, 2), LORA, sp.Rational(8, 5)),
    ),
    setting=Setting(
        paper="PEFT in what Sec. 1 cites (Malladi et al.), no model or method named",
        judged=f"LoRA, {TABLE}",
    ),
)

CLAIMS = (
    Claim(
        id="smezo.table4.average",
        where="Table 4, Average",
        statement=Statement(
            "The averages of FT and LoRA are the means of their six columns, within 0.05.",
            conjunction(sp.Le(_off("FT"), ROUNDED), sp.Le(_off("LoRA"), ROUNDED)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE4, derive=_means),),
        correction=Statement(
            "LoRA's average is the mean of its six columns within 0.05, FT's within 1.52.",
            conjunction(sp.Le(_off("FT"), sp.Rational(152, 100)), sp.Le(_off("LoRA"), ROUNDED)),
        ),
        setting=Setting(paper=TABLE),
    ),
    Claim(
        id="smezo.sec45.twelve",
        where="Sec. 4.5 ('roughly 12 times less GPU memory')",
        statement=Statement(
            "In Table 4 FT takes 10 to 14 times the memory of S-MeZO-EI on average over the six "
            "columns.",
            _between(sp.Integer(10), FULL, sp.Integer(14)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE4, derive=_means),),
        correction=Statement(
            "In Table 4 FT takes 8.5 to 8.9 times the memory of S-MeZO-EI on average.",
            _between(sp.Rational(17, 2), FULL, sp.Rational(89, 10)),
        ),
        setting=Setting(paper=TABLE),
    ),
)
