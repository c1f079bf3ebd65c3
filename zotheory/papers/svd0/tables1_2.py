"""Tables 1 and 2: SVD-0's time and memory above MeZO's, and what the text says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import changed, mean, printed
from zotheory.evidence.tables import Table
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE1, TABLE2 = (Table.read(Path(__file__).parent / "tables" / f"table{n}.csv") for n in (1, 2))
TIMES = (
    "minutes for 20,000 steps: WIC, ReCoRD (OPT-1.3B), FiQA-SA, TFNS (Qwen-1.8B), MultiRC "
    "(OPT-13B) (Table 1)"
)
MEMORY = "memory for RoBERTa-large, OPT-1.3B, OPT-13B (Table 2)"
OTHERS = ("MeZO", "SubZero")
LONGER = {m: sp.Symbol(f"mean of time of SVD-0 / time of {m} - 1", real=True) for m in OTHERS}
LONGEST = sp.Symbol("largest of time of SVD-0 / time of another - 1", real=True)


def _more(table: Table, other: str) -> list[sp.Expr]:
    """SVD-0's numbers relative to another method's, minus 1, column by column."""
    return [table["SVD-0", c] / table[other, c] - 1 for c in table.columns]


def _quantities(_: Statement) -> dict[sp.Symbol, sp.Expr]:
    means = {LONGER[other]: mean(_more(TABLE1, other)) for other in OTHERS}
    differences = (more for other in OTHERS for more in _more(TABLE1, other))
    return {**means, LONGEST: sp.Max(*differences, evaluate=False)}


def _between(low: sp.Rational, number: sp.Expr, high: sp.Rational) -> sp.And:
    return conjunction(sp.Ge(number, low), sp.Le(number, high))


def _percent(number: float | str) -> sp.Rational:
    return sp.Rational(str(number)) / 100


def _above_mezo(table: Table, limits: Sequence[sp.Rational]) -> list[sp.Le]:
    return [sp.Le(*sides) for sides in zip(_more(table, "MeZO"), limits, strict=True)]


MOST = Statement(
    "The largest of Table 1's ten relative differences (five columns, SVD-0 against MeZO and "
    "against SubZero) is between 6.5% and 7.5%. (Second reading: as the largest difference.)",
    _between(_percent(6.5), LONGEST, _percent(7.5)),
)

CLAIMS = (
    Claim(
        id="svd0.sec41.no_overhead",
        where="Sec. 4.1 with Tables 1 and 2",
        statement=Statement(
            "In every column of Tables 1 and 2 SVD-0 is at most 1% above MeZO, in time and in "
            "memory. (Read: no additional overhead compared to MeZO.)",
            conjunction(
                *_above_mezo(TABLE1, [_percent(1)] * 5), *_above_mezo(TABLE2, [_percent(1)] * 3)
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1, TABLE2),),
        correction=Statement(
            "It is at most 7% above MeZO in time, and in memory at most 26% (RoBERTa-large) and 4% "
            "(OPT).",
            conjunction(
                *_above_mezo(TABLE1, [_percent(7)] * 5),
                *_above_mezo(TABLE2, [_percent(26), _percent(4), _percent(4)]),
            ),
        ),
        setting=Setting(paper=f"{TIMES}; {MEMORY}"),
    ),
    Claim(
        id="svd0.table1.seven_percent_mean",
        where="Sec. 4.2, Table 1",
        statement=Statement(
            "Averaged over the five columns of Table 1, SVD-0 takes 6% to 8% longer than MeZO, and "
            "6% to 8% longer than SubZero. (First reading of approximately 7% longer: as the "
            "mean.)",
            conjunction(*(_between(_percent(6), more, _percent(8)) for more in LONGER.values())),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1, derive=_quantities),),
        correction=Statement(
            "Averaged over the five columns of Table 1, SVD-0 takes 3% to 4% longer than MeZO, and "
            "1% to 2% longer than SubZero.",
            conjunction(
                _between(_percent(3), LONGER["MeZO"], _percent(4)),
                _between(_percent(1), LONGER["SubZero"], _percent(2)),
            ),
        ),
        setting=Setting(paper=TIMES),
    ),
    Claim(
        id="svd0.table1.seven_percent_most",
        where="Sec. 4.2, Table 1",
        statement=MOST,
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE1, derive=_quantities),),
        mutant=changed(MOST, {TABLE1["SVD-0", "FiQA-SA"]: "75.9"}),
        setting=Setting(paper=TIMES),
    ),
    Claim(
        id="svd0.table2.almost_mezo",
        where="Sec. 4.2, Table 2",
        statement=Statement(
            "In Table 2 SVD-0's memory is within 5% of MeZO's for each of the three models. (Read: "
            "almost consistent with MeZO's.)",
            conjunction(*(sp.Le(sp.Abs(more), _percent(5)) for more in _more(TABLE2, "MeZO"))),
        ),
        needs=(Kind.PRINTED,),
        checks=(printed(TABLE2),),
        correction=Statement(
            "It is 3% to 4% above MeZO's for OPT-1.3B and OPT-13B, and 25% to 26% for "
            "RoBERTa-large.",
            conjunction(
                *(
                    _between(_percent(low), more, _percent(low + 1))
                    for low, more in zip((25, 3, 3), _more(TABLE2, "MeZO"), strict=True)
                )
            ),
        ),
        setting=Setting(paper=MEMORY),
    ),
)
