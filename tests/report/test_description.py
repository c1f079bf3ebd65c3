"""What is said of an entry: its sections, their order, and how numbers are told."""

from dataclasses import replace

import pytest

from tests.report.pages import OURS, PAPERS, PREMISE, worded
from zotheory.ledger import Control, Entry, recorded
from zotheory.report.description import MEANING, SOURCE, describe
from zotheory.vocabulary import Evidence, Kind, Verdict


def told(verdict=Verdict.PROVED, numbers=None, certificate=None, **other):
    evidence = Evidence(Kind.MEASURED, verdict, "measured it", numbers or {})
    made = Entry("p.a", "p", "Eq. 1", "so", "", verdict, (evidence,), seconds=0.1234, **other)
    return describe(replace(made, certificate=certificate or {}))


def section(description, title):
    return next(s for s in description.sections if s.title.startswith(title))


def titles(description):
    return [s.title.partition(":")[0] for s in description.sections]


def test_a_refuted_claim_begins_with_what_holds_instead():
    certificate = {
        "kind": "exact",
        "inputs": {"m": 1},
        "relation": "x = y",
        "claimed": 1,
        "actual": "63/32",
        "ratio": 1190541317.0,
        "share": 0.2797087475353628,
        "steps": ["one", "two"],
        "snippet": "import numpy\nprint(1)\n",
    }
    found = told(
        Verdict.REFUTED,
        certificate=certificate,
        correction=Control("thus", Verdict.PROVED, "derived"),
    )
    expected = ["What holds instead", "Counterexample", "Program", "Derivation", "Evidence"]
    assert titles(found) == expected
    first = found.sections[0]
    assert (first.verdict, first.prose, first.first) == ("proved", ("thus", "derived"), True)
    values = section(found, "Counterexample").values
    assert values == (
        ("m", "1"),
        ("claimed", "1"),
        ("actual", "63/32"),
        ("ratio", "1190541317"),
        ("share", "0.2797087475353628"),
    )
    assert section(found, "Program").code == "import numpy\nprint(1)\n"
    assert section(found, "Derivation").steps == ("one", "two")
    assert found.contents == "counterexample, program, derivation, evidence (measured)"
    assert found.seconds == "0.1234"


def test_a_claim_that_holds_shows_the_false_statement_its_checks_refuted():
    found = told(mutant=Control("not so", Verdict.REFUTED, "at m = 1"))
    control = section(found, "Control")
    assert (control.verdict, control.prose) == ("refuted", ("not so", "at m = 1"))


ELSEWHERE = f"in another setting: {OURS}; the paper's: {PAPERS}"


@pytest.mark.parametrize(
    ("id", "brief", "setting"),
    [
        ("p.elsewhere", "refuted (other setting)", f"Refuted {ELSEWHERE}"),
        ("p.premise", PREMISE, None),
        ("p.printed", "confirmed by the printed numbers", None),
        ("p.same", "refuted", PAPERS),
        ("p.not_run", "not run", f"Judged: {OURS}; the paper's: {PAPERS}"),
    ],
)
def test_a_verdict_is_told_with_its_reading_and_its_setting(id, brief, setting):
    found = describe(worded()[id])
    assert found.brief == brief
    told = [s for s in found.sections if s.title == "Setting"]
    assert [(s.prose, s.first) for s in told] == ([((setting,), True)] if setting else [])
    assert section(found, "Evidence").brief == brief


def test_what_holds_instead_holds_in_the_setting_judged_and_a_false_statement_has_none():
    found = describe(worded()["p.elsewhere"])
    assert section(found, "What holds instead").brief == "confirmed (other setting)"
    entry = replace(worded()["p.elsewhere"], mutant=Control("no", Verdict.REFUTED))
    assert section(describe(entry), "Control").brief == "refuted"


def test_every_kind_of_evidence_and_every_verdict_is_explained():
    assert SOURCE.keys() == set(Kind)
    assert MEANING.keys() == set(Verdict)


@pytest.mark.parametrize(
    ("verdict", "title"),
    [
        (Verdict.INCONCLUSIVE, "Why there is no verdict"),
        (Verdict.NOT_RUN, "Why there is no verdict"),
        (Verdict.REFUTED, "Caution"),
    ],
)
def test_a_reason_stands_beside_the_statement(verdict, title):
    found = section(told(verdict, reason="because"), title)
    assert (found.prose, found.first) == (("because",), True)


def test_failures_and_missing_assets_stand_beside_the_statement():
    found = told(Verdict.NOT_RUN, failed="it raised", missing="no model")
    assert section(found, "A check failed").first
    assert section(found, "Missing").prose == ("no model",)


def test_what_the_certificate_says_is_not_said_again():
    numbers = {"claimed": 1, "actual": 3, "ratio": 3.0}
    found = told(Verdict.REFUTED, numbers, {"claimed": 1, "actual": 3})
    assert section(found, "Evidence").values == (("ratio", "3"),)


def test_both_numbers_are_a_counterexample_only_where_they_refute():
    certificate = {"kind": "printed", "claimed": 2.0, "actual": 3.0}
    assert "Counterexample" in titles(told(Verdict.REFUTED, certificate=certificate))
    held = told(Verdict.CONFIRMED, certificate=certificate)
    assert "Counterexample" not in titles(held)
    assert section(held, "Certificate").values == (("claimed", "2"), ("actual", "3"))


def test_printed_cells_and_their_arithmetic_are_told_one_by_one():
    certificate = {
        "kind": "printed",
        "cells": {"Table 1: LeZO, CB": "69.2", "Table 1: MeZO, CB": "68.8"},
        "arithmetic": [["gain > 0", "0.4 > 0 holds"]],
        "rounding": "nothing turns it",
        "claimed": 0.0,
        "actual": 0.4,
        "snippet": "from fractions import Fraction\n",
    }
    found = told(Verdict.CONFIRMED, certificate=certificate)
    assert section(found, "By the printed").table.rows == (("gain > 0", ("0.4 > 0", "holds")),)
    assert dict(section(found, "Certificate").values).keys() == {"rounding", "claimed", "actual"}
    assert section(found, "Cells").values == tuple(certificate["cells"].items())
    assert section(found, "Program").title == (
        "Program: standard library only, prints both numbers"
    )


def test_of_many_relations_those_that_fail_are_told_first_and_the_others_counted():
    relations = [[f"{n} holds", f"{n} < 9 holds"] for n in range(8)]
    relations[6:6] = [["a", "9 < 8 fails"], ["b", "9 < 7 fails"]]
    found = told(Verdict.REFUTED, certificate={"kind": "printed", "arithmetic": relations})
    first = section(found, "By the printed numbers")
    assert first.first
    told_of = [name for name, _ in first.table.rows]
    assert told_of == ["a", "b", "0 holds", "1 holds", "2 holds", "and 5 more hold"]
    relations = [[f"{n}", f"{n} < 0 fails"] for n in range(7)]
    found = told(Verdict.REFUTED, certificate={"kind": "printed", "arithmetic": relations})
    assert section(found, "By the printed").table.rows[-1][0] == "and 2 more fail"
    assert found.formula == ""  # the relations stand for it


def test_numbers_that_never_vary_are_told_once_and_the_table_runs_downwards():
    rows = {f"m = {m}": {"estimate": m / 3, "alpha": 1e-4} for m in (1, 2, 3)}
    evidence = section(told(numbers=rows), "Evidence")
    assert evidence.values == (("error probability", "0.0001"),)
    assert evidence.table.columns == ("estimate",)
    assert evidence.table.rows[1] == ("m = 2", ("0.666667",))


def test_a_wide_table_is_turned_over():
    rows = {"m = 1": {"a": 1, "b": 2, "c": 3}, "m = 2": {"a": 4, "b": 5}}
    table = section(told(numbers=rows), "Evidence").table
    assert table.columns == ("m = 1", "m = 2")
    assert table.rows == (("a", ("1", "4")), ("b", ("2", "5")), ("c", ("3", "")))


def test_numbers_a_level_deeper_join_the_table():
    found = section(told(numbers={"worst": 2, "counts": {"m = 1": {"a": 1}}}), "Evidence")
    assert found.values == (("worst", "2"),)
    assert found.table.rows == (("a", ("1",)),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (2 / 3, "0.666667"),
        (17302273.15625, "17,302,273"),
        (26.00767867853245, "26.0077"),
        (2.5e-05, "2.5e-05"),
        (2.5e-04, "0.00025"),
        (5.957035897552056e-08, "5.95704e-08"),
        (1e300, "1e+300"),
        (-0.5, "-0.5"),
        (5_120_000, "5,120,000"),
        (True, "true"),
        (None, "none"),
        ("nan", "nan"),
        ([0.5, 1], "[0.5, 1]"),
        (["a", "b"], "a, b"),
        (list(range(12)), "[0, 1, 2, …, 11] (12 values)"),
        ({"q": 0.25, "k": 1}, "q 0.25, k 1"),
    ],
)
def test_numbers_are_told_to_six_digits(value, expected):
    row = {"x": value, "y": 0} if isinstance(value, dict) else {"x": value}
    shown = section(told(numbers={"at": row}), "Evidence").table.rows[0][1][0]
    assert shown == expected


def test_a_single_number_has_no_deciding_coordinate():
    rows = {"one": {"estimate": 1.0, "telling": 0}, "many": {"estimate": [1.0, 2.0], "telling": 1}}
    table = section(told(numbers=rows), "Evidence").table
    assert dict(table.rows)["deciding coordinate"] == ("", "1")


@pytest.mark.sampled(60)
@pytest.mark.parametrize("entry", recorded().claims, ids=lambda entry: entry.id)
def test_no_recorded_entry_is_without_detail_and_titles_are_unique(entry):
    found = describe(entry)
    names = [s.title for s in found.sections]
    assert len(names) == len(set(names))
    for s in found.sections:
        assert s.verdict or s.prose or s.values or s.table or s.steps or s.code
