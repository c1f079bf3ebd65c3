"""Tables 9 to 11 and App. C.3, C.4: Llama2-13B, OPT-30B, and the memory of OPT-13B."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import changed, printed
from zotheory.evidence.tables import Table
from zotheory.papers.prior.pairs import ordered, pairs
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE9, TABLE10, TABLE11 = (
    Table.read(Path(__file__).parent / "tables" / f"table{number}.csv") for number in (9, 10, 11)
)
UNTRAINED = ("Zero-shot", "ICL")
TRAINED = tuple(row for row in TABLE11.rows if row not in UNTRAINED)
COLUMNS = TABLE11.columns
LARGEST, LEAST_TRAINED, BUT_FT = (
    {column: sp.Symbol(f"{told}, {column}", real=True) for column in COLUMNS}
    for told in ("larger of zero-shot and ICL", "least with training", "largest but FT's")
)
ENDS = {
    name: [sp.Symbol(f"{end} memory of {name}", real=True) for end in ("least", "largest")]
    for name in ("zero-shot and ICL", "FT")
}


def _least(cells: Iterable[sp.Symbol]) -> sp.Expr:
    return sp.Min(*cells, evaluate=False)


def _largest(cells: Iterable[sp.Symbol]) -> sp.Expr:
    return sp.Max(*cells, evaluate=False)


def _ends(name: str, *rows: str) -> dict[sp.Symbol, sp.Expr]:
    cells = [cell for row in rows for cell in TABLE11.row(row)]
    return dict(zip(ENDS[name], (_least(cells), _largest(cells)), strict=True))


_OTHERS = tuple(row for row in TABLE11.rows if row != "FT")
QUANTITIES = {
    **{LARGEST[c]: _largest(TABLE11.column(c, UNTRAINED)) for c in COLUMNS},
    **{LEAST_TRAINED[c]: _least(TABLE11.column(c, TRAINED)) for c in COLUMNS},
    **{BUT_FT[c]: _largest(TABLE11.column(c, _OTHERS)) for c in COLUMNS},
    **_ends("zero-shot and ICL", *UNTRAINED),
    **_ends("FT", "FT"),
}

_AT_10K, _AT_20K = (
    pairs(TABLE9, [("MeZO-GV-10k(LoRA)", f"MeZO-{steps}(LoRA)")], TABLE9.columns)
    for steps in ("10k", "20k")
)
_OPT = [
    *pairs(
        TABLE10,
        [("MeZO-GV(prefix)", "MeZO (prefix)"), ("SubZero-GV(prefix)", "SubZero (prefix)")],
        TABLE10.columns,
    ),
    *pairs(TABLE10, [("MeZO-GV(prefix)", "SubZero (prefix)")], ("SST-2", "RTE", "BoolQ")),
]


def _between(low: str, name: str, high: str) -> tuple[sp.Ge, sp.Le]:
    least, largest = ENDS[name]
    return sp.Ge(least, sp.Rational(low)), sp.Le(largest, sp.Rational(high))


_MEMORY = (
    *_between("26.0", "zero-shot and ICL", "29.3"),
    *(sp.Lt(LARGEST[c], LEAST_TRAINED[c]) for c in COLUMNS),
    *_between("242.3", "FT", "315.3"),
    *(sp.Gt(TABLE11["FT", c], BUT_FT[c]) for c in COLUMNS),
)
_TEXT = Statement(
    "OPT-30B: both GV rows are above their base rows on all five tasks, and MeZO-GV(prefix) above "
    "SubZero(prefix) on SST-2, RTE and BoolQ; Table 11: zero-shot and ICL lie between 26.0 and "
    "29.3 GB and are the two lowest of each column, FT lies between 242.3 and 315.3 and is the "
    "highest.",
    conjunction(ordered(sp.Gt, _OPT), *_MEMORY),
)

CLAIMS = (
    Claim(
        id="prior.table9.consistently",
        where="App. C.3, Table 9",
        statement=Statement(
            "On Llama2-13B MeZO-GV-10k(LoRA) is above MeZO-10k(LoRA) and above MeZO-20k(LoRA) on "
            "all five tasks. (Read: consistently outperform non-GV variants.)",
            ordered(sp.Gt, [*_AT_10K, *_AT_20K]),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE9),),
        correction=Statement(
            "It is above MeZO-10k(LoRA) on all five and above MeZO-20k(LoRA) on four; on SST-2 it "
            "is below, 93.7 to 94.3.",
            conjunction(
                ordered(sp.Gt, _AT_10K),
                ordered(sp.Gt, _AT_20K, but=[TABLE9["MeZO-GV-10k(LoRA)", "SST-2"]]),
            ),
        ),
        setting=Setting(paper="Llama2-13B with LoRA, five tasks (Table 9)"),
    ),
    Claim(
        id="prior.tables10_11.text",
        where="App. C.3, C.4, Tables 10, 11",
        statement=_TEXT,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE10, TABLE11, derive=lambda _: QUANTITIES),),
        mutant=changed(_TEXT, {TABLE10["SubZero (prefix)", "RTE"]: "75.9"}),
        setting=Setting(
            paper="OPT-30B with prefix tuning (Table 10); GPU memory of OPT-13B (Table 11)"
        ),
    ),
)
