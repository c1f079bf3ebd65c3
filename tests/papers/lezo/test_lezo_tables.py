"""The printed claims once more in plain Python, and what the tables say of themselves."""

from decimal import Decimal

import pytest
from scipy import stats

from tests.papers.plain_tables import deviations, mean, numbers
from tests.papers.printed import judged_as
from zotheory.papers import declared
from zotheory.vocabulary import Kind

CLAIMS = {c.id: c for c in declared() if c.paper == "lezo" and Kind.PRINTED in c.needs}
T1, T2, T3, T4, T5, RATES = (
    numbers("lezo", table) for table in (*(f"table{n}" for n in range(1, 6)), "sparsity")
)
S1, S2, S3 = (deviations("lezo", f"table{n}") for n in (1, 2, 3))
EIGHT = [c for c in T1["FT"] if c != "AVG"]
TWO = ("SST-2", "BoolQ")


def gains(table, columns, base="MeZO", ours="LeZO"):
    return [table[ours][c] - table[base][c] for c in columns]


def wins(table, columns, base="MeZO", ours="LeZO"):
    return sum(gain > 0 for gain in gains(table, columns, base, ours))


def p(table, deviation, column):
    """Welch's test of another library."""
    groups = [(float(table[r][column]), float(deviation[r][column]), 5) for r in ("LeZO", "MeZO")]
    return stats.ttest_ind_from_stats(*groups[0], *groups[1], equal_var=False).pvalue


def exceeds(base):
    return all(g > S1["LeZO"][c] for c, g in zip(EIGHT, gains(T1, EIGHT, base), strict=True))


def smaller():
    pairs = [(S1, EIGHT), (S2, T2["MeZO"]), (S3, TWO)]
    return [s["LeZO"][c] < s["MeZO"][c] for s, columns in pairs for c in columns]


def table4(base):
    return [
        wins(T4, T4["LeZO (LoRA)"], base.format(tuned), f"LeZO ({tuned})")
        for tuned in ("LoRA", "prefix")
    ]


def cost():
    zo = T5["ZO optimizers: steps"]["1st"] * T5["LeZO: batch size"]["1st"] * 2 * 2
    return zo / (T5["FT with Adam: epochs"]["1st"] * 1000 * 3)


def largest(method):
    rows = [v for row, v in T5.items() if row.startswith(f"{method}: learning rate")]
    return max(max(values.values()) for values in rows)


def same_end():
    rate, out, layers = RATES["Sec. 5.3"].values()
    return rate * layers == layers - out


PLAIN = {
    "table1.seven_of_eight": lambda: wins(T1, EIGHT) == 7 and mean(gains(T1, EIGHT)) > 1,
    "table1.published": lambda: (
        wins(T1, EIGHT, "MeZO (published)") >= 7 and mean(gains(T1, EIGHT, "MeZO (published)")) > 1
    ),
    "table1.two_percent": lambda: min(gains(T1, ("SST-2", "BoolQ", "WIC"))) > 2,
    "table1.ft_comparable": lambda: min(gains(T1, EIGHT, "FT")) >= -5,
    "table1.icl": lambda: exceeds("zero-shot") and exceeds("ICL"),
    "table1.avg": lambda: all(
        abs(mean(row[c] for c in EIGHT) - row["AVG"]) <= Decimal("0.05") for row in T1.values()
    ),
    "table2.nine_of_eleven": lambda: wins(T2, T2["MeZO"]) == 9,
    "tables12.significance": lambda: (
        2 * (sum(p(T1, S1, c) < 0.05 for c in EIGHT) + sum(p(T2, S2, c) < 0.05 for c in T2["MeZO"]))
        >= 19
    ),
    "table3.significance": lambda: (
        wins(T3, TWO) == 2 and max(p(T3, S3, column) for column in TWO) < 0.01
    ),
    "tables123.stability": lambda: 2 * sum(smaller()) > len(smaller()) == 21,
    "tables12.larger_model": lambda: mean(gains(T1, EIGHT)) > mean(gains(T2, EIGHT)),
    "tables123.larger_models": lambda: (
        mean(gains(T2, TWO)) < mean(gains(T1, TWO)) < mean(gains(T3, TWO))
    ),
    "table4.reproduced": lambda: table4("MeZO ({})") == [5, 4],
    "table4.published": lambda: min(table4("MeZO ({}; published)")) >= 4,
    "sec32.hundreds": lambda: cost() >= 100,
    "sec41.rho": same_end,
    "appA.grids": lambda: (
        max(T5["LeZO: learning rate (OPT-13B and OPT-30B)"].values())
        > max(max(v.values()) for r, v in T5.items() if r.startswith("MeZO: learning rate"))
        and largest("LeZO (LoRA)") > largest("MeZO (LoRA)")
        and largest("LeZO (prefix)") > largest("MeZO (prefix)")
    ),
}


def test_every_printed_claim_is_computed_again():
    assert {f"lezo.{name}" for name in PLAIN} == set(CLAIMS)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_arithmetic_says_the_same(name):
    judged_as(f"lezo.{name}", PLAIN[name]())


def test_averages_of_deviations_are_near_their_mean():
    """A deviation misread in Table 1 would show in its average."""
    for row in ("MeZO", "LeZO"):
        assert abs(mean(S1[row][c] for c in EIGHT) - S1[row]["AVG"]) <= Decimal("0.1")


def test_fine_tuned_rows_have_a_deviation_in_every_cell():
    for table, deviation in ((T1, S1), (T2, S2), (T3, S3)):
        for row in ("MeZO", "LeZO"):
            assert table[row].keys() == deviation[row].keys()


def test_what_is_left_out_is_the_printed_share():
    assert all(r["rate"] == r["layers left out"] / r["layers"] for r in RATES.values())


def test_batch_sizes_that_are_legible_agree():
    """The claim on the cost takes one of them for MeZO's own, which is garbled."""
    sizes = {v["1st"] for row, v in T5.items() if row.endswith("batch size") and v}
    assert sizes == {16, 8}
    assert T5["FT with Adam: batch size"]["1st"] == 8
