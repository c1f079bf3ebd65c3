"""The captions of Tables 1 and 2: which accuracies can be the mean of three rounds."""

from __future__ import annotations

import sympy as sp

from zotheory.evidence.printed import Computed, printed
from zotheory.evidence.tables import Table
from zotheory.papers.prior.table1 import TABLE1
from zotheory.papers.prior.table2 import TABLE2
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

EXAMPLES = {"CB": 56, "WSC": 104, "COPA": 100, "RTE": 277}  # to test on, in SuperGLUE
TOLERANCE = sp.Rational("0.051")


def off_three_rounds(accuracy: float, examples: float) -> float:
    """Distance in % of an accuracy from the nearest mean of three shares of so many examples."""
    step = 100 / (3 * examples)
    return abs(accuracy - step * round(accuracy / step))


def _off(table: Table, row: str, task: str) -> sp.Symbol:
    return sp.Symbol(f"distance of {table[row, task]}", nonnegative=True)


CELLS = [
    (table, row, task)
    for table in (TABLE1, TABLE2)
    for row in table.rows
    if "-GV" in row
    for task in EXAMPLES
    if table.has(row, task)
]
DISTANCES = {
    _off(*cell): Computed(off_three_rounds, cell[0][cell[1:]], EXAMPLES[cell[2]]) for cell in CELLS
}
NOT_ON_IT = {
    _off(TABLE1, "MeZO-GV(LoRA)", "CB"),
    _off(TABLE1, "MeZO-GV(Prefix)", "CB"),
    _off(TABLE1, "MeZO-GV(Prefix)", "WSC"),
    _off(TABLE2, "MeZO-GV(FT)", "CB"),
    _off(TABLE2, "SubZero-GV(FT)", "CB"),
    _off(TABLE2, "MeZO-GV(LoRA)", "CB"),
}

CLAIMS = (
    Claim(
        id="prior.three_rounds",
        where="captions of Tables 1 and 2",
        statement=Statement(
            "Every GV accuracy that Tables 1 and 2 print for CB, WSC, COPA and RTE is within 0.051 "
            "of 100 j/(3n) for some integer j, n = 56, 104, 100, 277 the test examples: each can "
            "be the mean of three runs.",
            conjunction(*(sp.Le(distance, TOLERANCE) for distance in DISTANCES)),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1, TABLE2, derive=lambda _: DISTANCES),),
        correction=Statement(
            "All but six of the 35 are: 70.5 and 70.9 on CB and 60.8 on WSC in Table 1, 71.6, 73.9 "
            "and 72.8 on CB in Table 2.",
            conjunction(
                *((sp.Gt if d in NOT_ON_IT else sp.Le)(d, TOLERANCE) for d in DISTANCES),
            ),
        ),
        setting=Setting(
            paper="OPT-1.3B and OPT-13B, averages of three rounds on SuperGLUE's test examples, at "
            "most 1,000 (Tables 1 and 2, App. A)"
        ),
    ),
)
