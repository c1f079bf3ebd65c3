"""Arithmetic on printed numbers: exact, with what rounding could turn and one cell that does."""

import subprocess
import sys
from dataclasses import replace

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evidence.printed_table import TEXT
from zotheory.evidence.printed import (
    BY_THE_NUMBERS,
    Computed,
    above,
    at_least,
    changed,
    mean,
    printed,
)
from zotheory.evidence.tables import Table
from zotheory.statistics.significance import welch
from zotheory.vocabulary import Kind, Statement, Verdict

WINS = sp.Symbol("columns in which TeZO-Adam is below MeZO", integer=True)
P = sp.Symbol("p", real=True)
SIZES = ("125M", "1.3B", "13B")


class Quiet:
    claim = "tests.table7"

    @staticmethod
    def tell(line):
        assert line.startswith("tests.table7")


def judged(table, formula, derive=lambda statement: {}, change=None):
    statement = Statement("as printed", formula)
    statement = changed(statement, change) if change else statement
    return printed(table, derive=derive).judge(statement, Quiet)


def wins(table):
    return lambda _: {
        WINS: sp.Add(*(above(table["MeZO", c], table["TeZO-Adam", c]) for c in SIZES))
    }


def groups(table):
    """The arguments of a test between the two columns with deviations, five seeds each."""
    return [
        x
        for size in ("125M", "1.3B")
        for x in (table["MeZO-m", size], table.deviation("MeZO-m", size), 5)
    ]


def distance(x):
    return abs(x - 0.573)


def said(snippet):
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True)
    assert not done.stderr
    return {k: float(v) for k, v in (line.split() for line in done.stdout.splitlines())}


def test_a_relation_is_decided_on_the_printed_decimals(table):
    lower = judged(table, sp.Lt(table["TeZO-Adam", "13B"], table["MeZO", "13B"]))
    assert (lower.verdict, lower.reading) == (Verdict.CONFIRMED, "")
    equal = judged(table, sp.Lt(table["TeZO-Adam", "125M"], table["MeZO", "125M"]))
    assert (equal.verdict, equal.reading) == (Verdict.REFUTED, BY_THE_NUMBERS)
    third = judged(table, sp.Eq(table["MeZO", "125M"] * 3, sp.Rational(171, 100)))
    assert third.verdict is Verdict.CONFIRMED  # in floating point 0.57 * 3 is not 1.71


def test_numbers_that_stand_for_themselves_are_not_rounded(tmp_path):
    (tmp_path / "it.csv").write_text(TEXT.replace("GB\n", "GB\n# exact: 125M, 13B\n"))
    table = Table.read(tmp_path / "it.csv")
    assert table.numbers[table["MeZO", "125M"]].half == 0
    assert table.numbers[table["MeZO", "1.3B"]].half == sp.Rational(1, 200)
    equal = sp.Le(table["TeZO-Adam", "125M"], table["MeZO", "125M"])
    found = judged(table, equal)
    assert (found.verdict, found.reading) == (Verdict.CONFIRMED, "")
    assert "Table 7: MeZO, 125M: 0.56 in place of 0.57 turns it" in found.certificate["one cell"]
    other = judged(table, equal, change={table["MeZO", "125M"]: "0.56"})
    assert (other.verdict, other.reading) == (Verdict.REFUTED, "")


def test_a_count_says_which_relation_failed_and_one_cell_that_turns_it(table):
    found = judged(table, sp.Ge(WINS, 2), wins(table))
    assert found.verdict is Verdict.CONFIRMED
    assert found.reading == BY_THE_NUMBERS  # 3.48 and 3.47 may be the same number
    flipped = judged(table, sp.Ge(WINS, 2), wins(table), {table["TeZO-Adam", "13B"]: "27.00"})
    assert flipped.verdict is Verdict.REFUTED
    assert "turns it" in flipped.certificate["one cell"]
    assert said(flipped.certificate["snippet"]) == {"claimed": 2, "actual": 1}


def test_a_change_of_one_cell_that_is_told_does_turn_it(table):
    formula = sp.Lt(mean(table.row("TeZO-Adam", SIZES)), mean(table.row("MeZO", SIZES)))
    found = judged(table, formula)
    cell, _, rest = found.certificate["one cell"].rpartition(": ")
    symbol = next(s for s in table.numbers if str(s) == cell)
    assert judged(table, formula, change={symbol: rest.split()[0]}).verdict is Verdict.REFUTED


def test_of_several_relations_the_one_that_fails_most_is_told(table):
    below = [sp.Lt(table["MeZO", size], table["TeZO-Adam", size]) for size in SIZES]
    found = judged(table, sp.And(*below))
    assert found.verdict is Verdict.REFUTED
    assert found.reading == ""  # 26.43 < 26.01 fails whatever was rounded
    assert (found.certificate["claimed"], found.certificate["actual"]) == (26.01, 26.43)
    assert said(found.certificate["snippet"]) == {"claimed": 26.01, "actual": 26.43}
    assert "no change of one cell" in found.certificate["one cell"]


def test_a_p_value_is_computed_and_its_snippet_carries_the_function(table):
    p = {P: Computed(welch, *groups(table))}
    found = judged(table, sp.Lt(P, sp.Rational(1, 20)), lambda _: p)
    assert found.verdict is Verdict.CONFIRMED
    expected = welch(0.89, 0.10, 5, 6.31, 0.20, 5)
    assert said(found.certificate["snippet"])["actual"] == pytest.approx(expected)


def test_quantities_are_made_of_each_other(table):
    few = sp.Symbol("tests that find a difference", integer=True)
    quantities = {P: Computed(welch, *groups(table)), few: above(sp.Rational(1, 20), P)}
    found = judged(table, sp.Eq(few, 1), lambda _: quantities)
    assert found.verdict is Verdict.CONFIRMED
    assert found.numbers["quantities"].keys() == {"p", few.name}
    assert said(found.certificate["snippet"]) == {"claimed": 1, "actual": 1}
    fails = judged(table, sp.Eq(few, 0), lambda _: quantities)
    assert fails.verdict is Verdict.REFUTED
    gain = sp.Symbol("gain", real=True)
    doubled = {gain: table["MeZO", "13B"] - table["TeZO-Adam", "13B"], few: 2 * gain}
    sure = judged(table, sp.Gt(few, sp.Rational(4, 5)), lambda _: doubled)
    assert (sure.verdict, sure.reading) == (Verdict.CONFIRMED, "")
    assert judged(table, sp.Gt(few, sp.Rational(83, 100)), lambda _: doubled).reading


def test_a_test_on_a_deviation_of_0_is_judged_and_no_deviation_is_below_0(tmp_path):
    (tmp_path / "it.csv").write_text(TEXT.replace("(0.10)", "(0.00)"))
    table = Table.read(tmp_path / "it.csv")
    assert table.numbers[table.deviation("MeZO-m", "125M")].ends == (0, sp.Rational(1, 200))
    p = {P: Computed(welch, *groups(table))}
    found = judged(table, sp.Lt(P, sp.Rational(1, 20)), lambda _: p)
    assert (found.verdict, found.reading) == (Verdict.CONFIRMED, "")


def test_what_a_function_gives_is_tried_and_said_to_be(table):
    # the distance is 0 within what rounds to 0.57, and at no end nor in the middle of that
    off = {P: Computed(distance, table["MeZO", "125M"])}
    found = judged(table, sp.Gt(P, sp.Rational(1, 1000)), lambda _: off)
    assert found.certificate["rounding"].startswith("nothing tried")
    assert judged(table, sp.Gt(P, sp.Rational(25, 10_000)), lambda _: off).reading
    sure = judged(table, sp.Lt(table["MeZO", "125M"], table["MeZO", "13B"]))
    assert sure.certificate["rounding"].startswith("nothing that rounds")


def test_a_count_of_tests_is_firm_where_no_test_is_in_doubt(table):
    few = sp.Symbol("tests that find a difference", integer=True)
    other = sp.Symbol("p of the same groups, the other way round", real=True)
    numbers = groups(table)
    quantities = {
        P: Computed(welch, *numbers),
        other: Computed(welch, *numbers[3:], *numbers[:3]),
        few: above(sp.Rational(1, 20), P) + above(sp.Rational(1, 20), other),
    }
    found = judged(table, sp.Lt(few, 2), lambda _: quantities)
    assert (found.verdict, found.reading) == (Verdict.REFUTED, "")


def test_the_change_that_is_told_is_the_least_of_its_cell(table):
    found = judged(table, sp.Lt(mean(table.row("TeZO-Adam", SIZES)), 11))
    assert found.certificate["one cell"].endswith("6.42 in place of 3.47 turns it")


def test_a_change_that_leaves_nothing_to_divide_by_is_no_change(table):
    won, compared = sp.symbols("won compared", integer=True)
    counts = {
        won: above(table["MeZO", "13B"], table["TeZO-Adam", "13B"]),
        compared: above(table["MeZO", "13B"], sp.Rational("26.42")),
    }
    found = judged(table, sp.Eq(won / compared, 1), lambda _: counts)
    assert found.verdict is Verdict.CONFIRMED
    assert "26.43 in place of 26.01 turns it" in found.certificate["one cell"]


def test_numbers_are_rounded_to_whole_ones(table):
    """Of 0.57 GB at 125M and what is printed beside it: snippets print what SymPy says."""
    cell, other = table["MeZO", "125M"], table["MeZO", "13B"]
    for rounded in (sp.floor(10 * cell), sp.ceiling(10 * cell), sp.floor(-other / cell)):
        value = rounded.subs({c: n.value for c, n in table.numbers.items()})
        found = judged(table, sp.Lt(rounded, value, evaluate=False))
        assert found.verdict is Verdict.REFUTED
        assert said(found.certificate["snippet"]) == {
            "claimed": float(value),
            "actual": float(value),
        }
    assert judged(table, sp.Eq(sp.floor(cell), 0)).reading == ""  # 0.565 to 0.575
    between = judged(table, sp.Eq(sp.floor(100 * cell), 57))
    assert between.reading == BY_THE_NUMBERS


def test_other_functions_are_refused_in_words(table):
    with pytest.raises(ValueError, match=r"log\(Table 7.*is no arithmetic on printed numbers"):
        judged(table, sp.Lt(sp.log(table["MeZO", "125M"]), 0))


def test_what_no_table_prints_is_an_error(table):
    with pytest.raises(ValueError, match="no table prints"):
        judged(table, sp.Lt(sp.Symbol("x", real=True), table["MeZO", "125M"]))
    with pytest.raises(ValueError, match="no table prints"):
        judged(table, sp.Lt(WINS, 3), wins(table), {sp.Symbol("Table 7: no, cell"): "1"})
    with pytest.raises(ValueError, match="name them"):
        printed(table, table)


def test_it_is_evidence_of_its_kind_and_names_the_cells(table):
    found = judged(table, sp.Ge(table["MeZO", "125M"], sp.Rational(1, 2)))
    assert found.kind is Kind.PRINTED
    assert found.certificate["cells"] == {"Table 7: MeZO, 125M": "0.57"}


def test_relations_are_told_in_words_over_cells(table):
    below = [sp.Lt(table["TeZO-Adam", size], table["MeZO", size]) for size in SIZES]
    found = judged(table, sp.And(*below))
    assert found.certificate["arithmetic"] == [
        ("[TeZO-Adam, 125M] < [MeZO, 125M]", "0.57 < 0.57 fails"),
        ("[TeZO-Adam, 1.3B] < [MeZO, 1.3B]", "3.47 < 3.48 holds"),
        ("[TeZO-Adam, 13B] < [MeZO, 13B]", "26.01 < 26.43 holds"),
    ]
    assert found.summary.startswith("Table 7: [TeZO-Adam, 125M] < [MeZO, 125M]: 0.57 < 0.57 fails")
    assert found.numbers["cells"].keys() == {"Table 7: TeZO-Adam, 125M", "Table 7: MeZO, 125M"}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda t: t["MeZO", "13B"] - t["TeZO-Adam", "13B"], "[MeZO, 13B] - [TeZO-Adam, 13B]"),
        (lambda t: -t["MeZO", "13B"], "-[MeZO, 13B]"),
        (lambda t: 2 * t["MeZO", "13B"] - 5, "2*[MeZO, 13B] - 5"),
        (lambda t: t["MeZO", "13B"] / t["MeZO", "1.3B"], "[MeZO, 13B]/[MeZO, 1.3B]"),
        (
            lambda t: mean(t.row("MeZO", SIZES)) - t["MeZO", "30B"],
            "([MeZO, 125M] + [MeZO, 1.3B] + [MeZO, 13B])/3 - [MeZO, 30B]",
        ),
        (
            lambda t: -(mean(t.row("MeZO", SIZES)) - t["MeZO", "30B"]) * 2,
            "2*[MeZO, 30B] - 2/3*([MeZO, 125M] + [MeZO, 1.3B] + [MeZO, 13B])",
        ),
        (
            lambda t: t["MeZO", "30B"] - sp.Add(*t.row("TeZO-Adam", SIZES)),
            "[MeZO, 30B] - ([TeZO-Adam, 125M] + [TeZO-Adam, 1.3B] + [TeZO-Adam, 13B])",
        ),
        (
            lambda t: sp.Add(*t.row("MeZO"), t["TeZO-Adam", "13B"]),
            "[MeZO, 125M] + ... + [TeZO-Adam, 13B]",
        ),
    ],
)
def test_what_is_taken_away_stands_last_and_long_sums_are_told_by_their_ends(table, build, words):
    (relation, _), *_ = judged(table, sp.Gt(build(table), 0)).certificate["arithmetic"]
    assert relation == f"{words} > 0"


def test_cells_of_several_tables_are_told_with_their_names(table):
    other = replace(table, name="Table 8")
    statement = Statement("less", sp.Lt(table["MeZO", "13B"], other["MeZO", "30B"]))
    found = printed(table, other).judge(statement, Quiet)
    assert found.summary == "Table 7 [MeZO, 13B] < Table 8 [MeZO, 30B]: 26.43 < 60.31 holds"


hundredths = st.integers(0, 300).map(lambda n: f"{n // 100}.{n % 100:02d}")


@settings(deadline=None)
@given(st.lists(hundredths, min_size=4, max_size=4), st.sampled_from((sp.Lt, sp.Le, sp.Eq)))
def test_rounding_that_turns_a_relation_is_never_overlooked(tmp_path_factory, texts, relation):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_text("# place: Table 1\n# unit: %\nrow,a,b\nx,{},{}\ny,{},{}\n".format(*texts))
    t = Table.read(path)
    (a, b), (c, d) = t.row("x"), t.row("y")
    formula = relation(sp.Add(at_least(a, b), a - 2 * c), d + 1)
    if formula in (sp.true, sp.false):
        return
    found = judged(t, formula)
    half = sp.Rational(1, 200)
    values = {s: n.value for s, n in t.numbers.items()}
    for signs in ((1, -1, -1, -1), (-1, 1, 1, 1), (1, 1, -1, -1), (-1, -1, 1, 1)):
        moved = {s: v + half * sign for (s, v), sign in zip(values.items(), signs, strict=True)}
        turned = bool(formula.xreplace(moved)) is not (found.verdict is Verdict.CONFIRMED)
        assert not turned or found.reading == BY_THE_NUMBERS
