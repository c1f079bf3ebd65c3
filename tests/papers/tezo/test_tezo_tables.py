"""The printed claims once more in plain Python, and what the tables say of themselves."""

from decimal import Decimal

import pytest

from tests.papers.plain_tables import mean, numbers
from tests.papers.printed import judged_as
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.papers import declared
from zotheory.vocabulary import Kind, Statement, Verdict

CLAIMS = {c.id: c for c in declared() if c.paper == "tezo" and Kind.PRINTED in c.needs}
T3, T4, T5, T6, T7, T8, T9 = (numbers("tezo", f"table{n}") for n in range(3, 10))
LARGE = ("OPT-6.7B", "OPT-13B", "OPT-30B", "LLaMA-7B", "LLaMA-13B", "LLaMA-30B")
LOW_RANK = ("SubZO", "LOZO", "TeZO")
BLOCKS = ((T3, " (k=16)"), (T3, " (k=512)"), (T4, ""), (T5, ""))


def row_mean(table, row, suffix=""):
    """Over the data sets of one block."""
    return mean(
        value
        for column, value in table[row].items()
        if column.endswith(suffix) and not column.startswith("AVG")
    )


def off(table, suffix, row):
    """How far the printed average is from the mean."""
    means = row_mean(table, row, suffix) - row_mean(table, "FT", suffix)
    return abs(means - table[row]["AVG" + suffix])


def k_means(*rows):
    return [[row_mean(T3, row, k) for row in rows] for k in (" (k=16)", " (k=512)")]


def within(base, *rows):
    return all(b - r <= Decimal("0.6") for b, *others in k_means(base, *rows) for r in others)


def best_of(table):
    zo = [row for row in table if row not in ("FT", "zero-shot", "TeZO-Adam")]
    return all(row_mean(table, "TeZO-Adam") > row_mean(table, row) for row in zo)


def alone_highest():
    zo = [row for row in T4 if row not in ("FT", "zero-shot", "TeZO-Adam")]
    sets = [c for c in T4["FT"] if c != "AVG"]
    return sum(all(T4["TeZO-Adam"][c] > T4[row][c] for row in zo) for c in sets)


def beyond():
    return [T7["TeZO-Adam"][c] - T7["TeZO"][c] for c in T7["TeZO"] if c != "OPT-125M"]


def searched(method):
    return sum("2nd" in values for row, values in T6.items() if row.startswith(f"{method}: "))


def below(table, row, columns):
    return all(table[row][c] < table["MeZO"][c] for c in columns)


def same_speed():
    ratio = {c: T8["MeZO-Adam"][c] / T8["TeZO-Adam"][c] for c in LARGE if c in T8["MeZO-Adam"]}
    return (
        all(abs(T8["TeZO-Adam"][c] / T8["MeZO"][c] - 1) <= Decimal("0.1") for c in LARGE)
        and min(ratio.values()) > Decimal("1.5")
        and round(ratio["OPT-13B"], 2) == Decimal("1.63")
    )


PLAIN = {
    "tables345.avg": lambda: all(
        off(table, suffix, row) <= Decimal("0.05") for table, suffix in BLOCKS for row in table
    ),
    "sec6.mezo_best": lambda: all(max(m) == m[0] for m in k_means("MeZO", *LOW_RANK)),
    "sec6.gap_plain": lambda: within("MeZO", *LOW_RANK),
    "sec6.gap_momentum": lambda: within("MeZO-m", "LOZO-m", "TeZO-m"),
    "sec6.lowrank_opt13b": lambda: all(row_mean(T4, r) > row_mean(T4, "MeZO") for r in LOW_RANK),
    "table5.tezo_order": lambda: all(
        row_mean(T5, "TeZO") >= row_mean(T5, r) for r in ("MeZO", "SubZO")
    ),
    "sec6.adam_average": lambda: best_of(T4) and best_of(T5),
    "sec6.adam_tasks": lambda: alone_highest() >= 6,
    "a13.hyperparameters": lambda: searched("TeZO") <= searched("MeZO"),
    "table7.adam_below_mezo": lambda: below(T7, "TeZO-Adam", T7["MeZO"]),
    "table7.adam_extra": lambda: max(beyond()) - min(beyond()) <= Decimal("0.2"),
    "a4.adam_share": lambda: all(
        abs(T7["TeZO-Adam"][c] / T7["MeZO-Adam"][c] - Decimal("0.3")) <= Decimal("0.03")
        for c in LARGE
        if c in T7["MeZO-Adam"]
    ),
    "a4.lowrank_memory": lambda: all(below(T7, r, T7["MeZO"]) for r in LOW_RANK),
    "a4.lowrank_time": lambda: all(below(T8, r, LARGE) for r in LOW_RANK),
    "table8.m_time": lambda: below(T8, "TeZO-m", LARGE),
    "table8.adam_time": lambda: below(T8, "TeZO-Adam", LARGE),
    "a4.adam_same_speed": same_speed,
    "table8.operations": lambda: all(
        T8[f"{r}-m"][c] >= Decimal("0.98") * T8[r][c] for r in ("TeZO", "LOZO") for c in T8[r]
    ),
    "table9.ratios": lambda: all(
        abs(row[f"{m} memory"] / T9["zero-shot"][f"{m} memory"] - row[f"{m} ratio"])
        <= Decimal("0.005")
        for row in T9.values()
        for m in ("OPT-6.7B", "OPT-13B")
    ),
    "table9.one_h100": lambda: all(
        row[f"{m} memory"] <= 94 for row in T9.values() for m in ("OPT-6.7B", "OPT-13B")
    ),
}


def context(tmp_path, claim):
    return Context(claim, 0, BUDGETS["quick"], None, None, tmp_path)


def test_every_printed_claim_is_computed_again():
    assert {f"tezo.{name}" for name in PLAIN} == set(CLAIMS)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_arithmetic_says_the_same(name):
    judged_as(f"tezo.{name}", PLAIN[name]())


@pytest.mark.parametrize(("table", "suffix"), BLOCKS)
def test_averages_are_near_the_means(table, suffix):
    """A digit misread in a row would show: no average is off by more than rounding explains."""
    assert all(off(table, suffix, row) <= Decimal("0.15") for row in table)


def test_tables_7_and_9_print_the_same_memory():
    for row in ("zero-shot", "MeZO", "MeZO-Adam", "TeZO-Adam"):
        for model in ("OPT-6.7B", "OPT-13B"):
            assert T7[row][model] == T9[row][f"{model} memory"]


def test_zero_shot_does_not_depend_on_k():
    zero = T3["zero-shot"]
    sets = [c.removesuffix(" (k=16)") for c in zero if c.endswith("(k=16)") and "AVG" not in c]
    assert len(sets) == 5
    assert all(zero[f"{c} (k=16)"] == zero[f"{c} (k=512)"] for c in sets)


def test_larger_models_take_more_of_everything():
    """Within a family: a misread digit would break the order."""
    opt = [c for c in T7["MeZO"] if c.startswith("OPT")]
    llama = [c for c in T7["MeZO"] if c.startswith("LLaMA")]
    for table in (T7, T8):
        for row in table.values():
            for family in (opt, llama):
                values = [row[c] for c in family if c in row]
                assert values == sorted(values)


def test_the_counts_of_operations_could_have_said_otherwise(tmp_path):
    """With the methods exchanged, what draws and computes more is found out."""
    claim = CLAIMS["tezo.table8.operations"]
    counts = next(check for check in claim.checks if check.kind is Kind.COUNTED)
    recipes = {"TeZO": "tezo_m", "TeZO-m": "tezo"}
    swapped = Statement("", claim.statement.formula, setting={"recipes": recipes})
    assert counts.judge(swapped, context(tmp_path, claim.id)).verdict is Verdict.REFUTED
    assert counts.judge(claim.statement, context(tmp_path, claim.id)).verdict is Verdict.CONFIRMED
