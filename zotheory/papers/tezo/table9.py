"""Table 9: memory of fine-tuning and its ratio to inference."""

from __future__ import annotations

from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE9 = Table.read(Path(__file__).parent / "tables" / "table9.csv")
MODELS = ("OPT-6.7B", "OPT-13B")
TRAINED = tuple(row for row in TABLE9.rows if row != "zero-shot")
LARGEST = 94  # GB: the H100 is sold with 80 and with 94

OFF = {
    (row, model): sp.Symbol(f"ratio printed less ratio of memories, {row}, {model}", real=True)
    for model in MODELS
    for row in TRAINED
}


def _off(row: str, model: str) -> sp.Expr:
    memory = TABLE9[row, f"{model} memory"] / TABLE9["zero-shot", f"{model} memory"]
    return TABLE9[row, f"{model} ratio"] - memory


CHECK = printed(TABLE9, derive=lambda _: {symbol: _off(*place) for place, symbol in OFF.items()})
SETTING = Setting("OPT-6.7B and OPT-13B on RTE, greatest memory reserved, one H100")


def _within(rows: tuple[str, ...]) -> sp.Basic:
    offs = [off for (row, _), off in OFF.items() if row in rows]
    half = sp.Rational(1, 200)
    return conjunction(*(sp.Le(off, half) for off in offs), *(sp.Ge(off, -half) for off in offs))


def _fits(rows: tuple[str, ...]) -> sp.Basic:
    return conjunction(
        *(sp.Le(TABLE9[row, f"{m} memory"], LARGEST) for m in MODELS for row in rows)
    )


CLAIMS = (
    Claim(
        id="tezo.table9.ratios",
        where="Table 9",
        statement=Statement(
            "Each printed ratio is the memory divided by zero-shot's, rounded to two decimals "
            "(within 0.005), in all 16 rows that are not zero-shot's own.",
            _within(TRAINED),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "So in 14: all but TeZO-Adam's two.",
            _within(tuple(row for row in TRAINED if row != "TeZO-Adam")),
        ),
        setting=SETTING,
    ),
    Claim(
        id="tezo.table9.one_h100",
        where="Table 9 ('the other setups are the same as above': a single H100)",
        statement=Statement(
            "Every memory of Table 9 fits one H100, of 80 or 94 GB.", _fits(TABLE9.rows)
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "Every one but those of first-order fine-tuning of all parameters.",
            _fits(tuple(row for row in TABLE9.rows if row != "ft")),
        ),
        setting=SETTING,
    ),
)
