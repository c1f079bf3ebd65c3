"""Tables 1, 2 and 3: accuracies on OPT-13B, 1.3B and 30B, and what Section 5.2 says of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import sympy as sp

from zotheory.evidence.printed import Computed, Quantities, above, changed, mean, printed
from zotheory.evidence.tables import Table
from zotheory.statistics.significance import welch
from zotheory.vocabulary import Claim, Kind, Setting, Statement, conjunction

TABLE1, TABLE2, TABLE3 = (
    Table.read(Path(__file__).parent / "tables" / f"table{number}.csv") for number in (1, 2, 3)
)
PUBLISHED = "MeZO (published)"
SEEDS = 5
DATA_SETS = {TABLE1: TABLE1.columns[:-1], TABLE2: TABLE2.columns, TABLE3: TABLE3.columns}
NOTABLE = "SST-2", "BoolQ", "WIC"
SHARED = tuple(c for c in DATA_SETS[TABLE1] if c in DATA_SETS[TABLE2])

ON_13B = Setting("OPT-13B, eight data sets, 30 of 40 layers left out, means of 5 seeds")
ON_1B = Setting("OPT-1.3B, eleven data sets, means of 5 seeds")
ON_30B = Setting("OPT-30B, SST-2 and BoolQ, 36 of 48 layers left out, means of 5 seeds")
ON_TWO = Setting("OPT-13B and OPT-1.3B, eight and eleven data sets, means of 5 seeds")
ON_THREE = Setting("OPT-13B, 1.3B and 30B; eight, eleven and two data sets, means of 5 seeds")

WINS = sp.Symbol("data sets of Table 1 with LeZO above the reproduced MeZO", integer=True)
WINS_PUBLISHED = sp.Symbol("data sets of Table 1 with LeZO above the published MeZO", integer=True)
WINS_1B = sp.Symbol("data sets of Table 2 with LeZO above MeZO", integer=True)
STEADIER = sp.Symbol("pairs of Tables 1 to 3 with LeZO's deviation the smaller", integer=True)
SIGNIFICANT = sp.Symbol("pairs of Tables 1 and 2 that differ at 5%", integer=True)
P = {
    (table, c): sp.Symbol(f"p, {table.name}, {c}", nonnegative=True)
    for table, columns in DATA_SETS.items()
    for c in columns
}
GAIN = {
    name: sp.Symbol(f"mean gain of LeZO, {name}", real=True)
    for name in (
        "Table 1",
        "Table 1 over the published MeZO",
        "Table 1, the eight shared",
        "Table 2, the eight shared",
        "Table 1, SST-2, BoolQ and WIC",
        *(f"{table.name}, SST-2 and BoolQ" for table in DATA_SETS),
    )
}


def _wins(table: Table, base: str = "MeZO") -> sp.Expr:
    return sp.Add(*(above(table["LeZO", c], table[base, c]) for c in DATA_SETS[table]))


def _gain(table: Table, data_sets: Iterable[str], base: str = "MeZO") -> sp.Expr:
    return mean(table.row("LeZO", data_sets)) - mean(table.row(base, data_sets))


def _welch(table: Table, data_set: str) -> Computed:
    """Welch's test, the printed deviations taken as those of the samples."""

    def group(row: str) -> tuple[sp.Expr, ...]:
        return table[row, data_set], table.deviation(row, data_set), sp.Integer(SEEDS)

    return Computed(welch, *group("LeZO"), *group("MeZO"))


@cache
def _quantities() -> Quantities:
    return {
        WINS: _wins(TABLE1),
        WINS_PUBLISHED: _wins(TABLE1, PUBLISHED),
        WINS_1B: _wins(TABLE2),
        STEADIER: sp.Add(
            *(above(table.deviation("MeZO", c), table.deviation("LeZO", c)) for table, c in P)
        ),
        SIGNIFICANT: sp.Add(
            *(above(sp.Rational(1, 20), p) for (table, _), p in P.items() if table is not TABLE3)
        ),
        **{symbol: _welch(*place) for place, symbol in P.items()},
        GAIN["Table 1"]: _gain(TABLE1, DATA_SETS[TABLE1]),
        GAIN["Table 1 over the published MeZO"]: _gain(TABLE1, DATA_SETS[TABLE1], PUBLISHED),
        GAIN["Table 1, the eight shared"]: _gain(TABLE1, SHARED),
        GAIN["Table 2, the eight shared"]: _gain(TABLE2, SHARED),
        GAIN["Table 1, SST-2, BoolQ and WIC"]: _gain(TABLE1, NOTABLE),
        **{
            GAIN[f"{table.name}, SST-2 and BoolQ"]: _gain(table, ("SST-2", "BoolQ"))
            for table in DATA_SETS
        },
    }


CHECK = printed(TABLE1, TABLE2, TABLE3, derive=lambda _: _quantities())


def _ahead(base: str, columns: Iterable[str], by: sp.Rational) -> list[sp.Basic]:
    return [sp.Gt(TABLE1["LeZO", c] - TABLE1[base, c], by) for c in columns]


def _beyond_deviation(base: str, columns: Iterable[str]) -> list[sp.Basic]:
    return [
        sp.Gt(TABLE1["LeZO", c] - TABLE1[base, c], TABLE1.deviation("LeZO", c)) for c in columns
    ]


def _at_most_below_ft(columns: Iterable[str], points: int) -> sp.Basic:
    return conjunction(*(sp.Le(TABLE1["FT", c] - TABLE1["LeZO", c], points) for c in columns))


def _averages() -> sp.Basic:
    """Every AVG within 0.05 of its row's mean."""
    off = [mean(TABLE1.row(row, DATA_SETS[TABLE1])) - TABLE1[row, "AVG"] for row in TABLE1.rows]
    half = sp.Rational(1, 20)
    return conjunction(*(sp.Le(o, half) for o in off), *(sp.Ge(o, -half) for o in off))


SEVEN_OF_EIGHT = Statement(
    "LeZO is above the reproduced MeZO on 7 of the 8 data sets of Table 1, and by more than 1 on "
    "average over the eight.",
    conjunction(sp.Eq(WINS, 7), sp.Gt(GAIN["Table 1"], 1)),
)
AVERAGES = Statement(
    "The six printed averages of Table 1 are the means of the eight columns, within 0.05.",
    _averages(),
)
SIGNIFICANT_30B = Statement(
    "By Welch's two-sided test LeZO is above the reproduced MeZO with p < 0.01 on SST-2 and on "
    "BoolQ of Table 3 (OPT-30B).",
    conjunction(
        *(sp.Gt(TABLE3["LeZO", c], TABLE3["MeZO", c]) for c in TABLE3.columns),
        *(sp.Lt(P[TABLE3, c], sp.Rational(1, 100)) for c in TABLE3.columns),
    ),
)
LARGER_MODEL = Statement(
    "LeZO's gain over (reproduced) MeZO, averaged over the eight data sets that Tables 1 and 2 "
    "share, is larger on OPT-13B than on OPT-1.3B.",
    sp.Gt(GAIN["Table 1, the eight shared"], GAIN["Table 2, the eight shared"]),
)

CLAIMS = (
    Claim(
        id="lezo.table1.seven_of_eight",
        where="Sec. 5.2, Table 1 (SSZO is LeZO)",
        statement=SEVEN_OF_EIGHT,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(SEVEN_OF_EIGHT, {TABLE1["LeZO", "SQuAD"]: "84.1"}),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table1.published",
        where="Sec. 5.2, Table 1, row MeZO (Malladi et al., 2023)",
        statement=Statement(
            "The same against the published MeZO row of Table 1: above it on at least 7 of 8, and "
            "by more than 1 on average.",
            conjunction(
                sp.Ge(WINS_PUBLISHED, 7), sp.Gt(GAIN["Table 1 over the published MeZO"], 1)
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "Above it on 4 of 8, and by more than 1 on average.",
            conjunction(
                sp.Eq(WINS_PUBLISHED, 4), sp.Gt(GAIN["Table 1 over the published MeZO"], 1)
            ),
        ),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table1.two_percent",
        where="Sec. 5.2, Table 1",
        statement=Statement(
            "LeZO's printed mean is more than 2 above the reproduced MeZO's on each of SST-2, "
            "BoolQ and WIC.",
            conjunction(*_ahead("MeZO", NOTABLE, sp.Integer(2))),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK.refutes("on each data set by itself"),),
        correction=Statement(
            "On average over the three it is more than 2 above (3.0), as the text may be read; on "
            "each of them it is more than 1.5 above.",
            conjunction(
                sp.Gt(GAIN["Table 1, SST-2, BoolQ and WIC"], 2),
                *_ahead("MeZO", NOTABLE, sp.Rational(3, 2)),
            ),
        ),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table1.ft_comparable",
        where="Sec. 5.2, Table 1 ('comparable performance on the other datasets')",
        statement=Statement(
            "On every data set of Table 1 where LeZO is below FT it is so by at most 5 points.",
            _at_most_below_ft(DATA_SETS[TABLE1], 5),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "On every one but CB and WIC.",
            _at_most_below_ft((c for c in DATA_SETS[TABLE1] if c not in ("CB", "WIC")), 5),
        ),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table1.icl",
        where="Sec. 5.2, Table 1 ('significantly outperforms ... zero-shot and ICL on all tasks')",
        statement=Statement(
            "On each of the eight data sets LeZO's mean exceeds zero-shot's and ICL's by more than "
            "LeZO's own printed deviation.",
            conjunction(
                *_beyond_deviation("zero-shot", DATA_SETS[TABLE1]),
                *_beyond_deviation("ICL", DATA_SETS[TABLE1]),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "So it does on each of the eight for zero-shot, and on each but Copa for ICL.",
            conjunction(
                *_beyond_deviation("zero-shot", DATA_SETS[TABLE1]),
                *_beyond_deviation("ICL", (c for c in DATA_SETS[TABLE1] if c != "Copa")),
            ),
        ),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table1.avg",
        where="Table 1, AVG",
        statement=AVERAGES,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(AVERAGES, {TABLE1["LeZO", "AVG"]: "75.5"}),
        setting=ON_13B,
    ),
    Claim(
        id="lezo.table2.nine_of_eleven",
        where="Sec. 5.2, Table 2",
        statement=Statement(
            "On OPT-1.3B LeZO's mean is above MeZO's on 9 of the 11 data sets of Table 2.",
            sp.Eq(WINS_1B, 9),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement("It is on 8: on SQuAD it is not.", sp.Eq(WINS_1B, 8)),
        setting=ON_1B,
    ),
    Claim(
        id="lezo.tables12.significance",
        where="Sec. 5.2, Tables 1 and 2 (five seeds)",
        statement=Statement(
            "By Welch's two-sided test LeZO differs from the (reproduced) MeZO with p < 0.05 in at "
            "least half of the 19 pairs of Tables 1 and 2.",
            sp.Ge(SIGNIFICANT, sp.Rational(19, 2)),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement("It does in at most 5 of them.", sp.Le(SIGNIFICANT, 5)),
        setting=ON_TWO,
    ),
    Claim(
        id="lezo.table3.significance",
        where="Sec. 5.2, Table 3 (five seeds)",
        statement=SIGNIFICANT_30B,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(SIGNIFICANT_30B, {TABLE3["LeZO", "SST-2"]: "91.0"}),
        setting=ON_30B,
    ),
    Claim(
        id="lezo.tables123.stability",
        where="Sec. 5.2 ('greater stability compared to MeZO')",
        statement=Statement(
            "Over the 21 pairs of printed deviations of Tables 1, 2 and 3 (LeZO against the MeZO "
            "that is printed with one; AVG left out), LeZO's is the smaller in more than half.",
            sp.Gt(STEADIER, sp.Rational(21, 2)),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement("It is the smaller in 10, the larger in 11.", sp.Eq(STEADIER, 10)),
        setting=ON_THREE,
    ),
    Claim(
        id="lezo.tables12.larger_model",
        where="Sec. 5.2 ('more pronounced performance gains on larger LLMs')",
        statement=LARGER_MODEL,
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        mutant=changed(LARGER_MODEL, {TABLE1["LeZO", "BoolQ"]: "68.3"}),
        setting=ON_TWO,
    ),
    Claim(
        id="lezo.tables123.larger_models",
        where="Sec. 5.2, the same, all three sizes",
        statement=Statement(
            "The same gain averaged over SST-2 and BoolQ rises from OPT-1.3B (Table 2) to 13B "
            "(Table 1) and again to 30B (Table 3).",
            conjunction(
                sp.Lt(GAIN["Table 2, SST-2 and BoolQ"], GAIN["Table 1, SST-2 and BoolQ"]),
                sp.Lt(GAIN["Table 1, SST-2 and BoolQ"], GAIN["Table 3, SST-2 and BoolQ"]),
            ),
        ),
        needs=(Kind.PRINTED,),
        checks=(CHECK,),
        correction=Statement(
            "It rises from OPT-1.3B to 13B, and is larger at 30B than at 1.3B.",
            conjunction(
                sp.Lt(GAIN["Table 2, SST-2 and BoolQ"], GAIN["Table 1, SST-2 and BoolQ"]),
                sp.Lt(GAIN["Table 2, SST-2 and BoolQ"], GAIN["Table 3, SST-2 and BoolQ"]),
            ),
        ),
        setting=ON_THREE,
    ),
)
