"""Writing, reading and comparing ledgers."""

import codecs
import json
import os

import numpy as np
import pytest
import sympy as sp

from zotheory.ledger import (
    Control,
    Entry,
    Ledger,
    LedgerError,
    changes,
    plain,
    recorded,
    versions,
)
from zotheory.papers import claim
from zotheory.vocabulary import Evidence, Kind, Verdict


def entry(id="paper.place", verdict=Verdict.PROVED, correction=None, **other):
    return Entry(
        id,
        "paper",
        "Eq. 1",
        "E x = 1 für alle m",
        "x <= 1",
        verdict,
        (Evidence(Kind.EXACT, verdict, "derived", {"at": sp.Rational(1, 3)}, {"steps": ["a"]}),),
        correction,
        seconds=0.25,
        **other,
    ).to_json()


def ledger(*claims):
    return Ledger(7, "quick", {"numpy": "2"}, claims)


def test_a_ledger_survives_its_file(tmp_path):
    path, written = tmp_path / "ledger.json", ledger(entry(), entry("paper.other"))
    written.write(path)
    assert Ledger.read(path) == written
    assert os.listdir(tmp_path) == ["ledger.json"]


def test_the_schema(tmp_path):
    path = tmp_path / "ledger.json"
    correction = Control("E x = 2", Verdict.CONFIRMED, "measured")
    ledger(entry(verdict=Verdict.REFUTED, correction=correction)).write(path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["schema"] == 1
    assert found.keys() >= {"schema", "seed", "budget", "versions", "claims"}
    (claim,) = found["claims"]
    assert claim.keys() >= {
        "id",
        "paper",
        "where",
        "says",
        "verdict",
        "evidence",
        "correction",
        "certificate",
        "seconds",
    }
    assert claim["evidence"] == [
        {"kind": "exact", "verdict": "refuted", "summary": "derived", "numbers": {"at": "1/3"}}
    ]
    assert (claim["correction"]["says"], claim["correction"]["verdict"]) == ("E x = 2", "confirmed")


def test_a_claim_without_a_correction_says_null(tmp_path):
    assert entry()["correction"] is None


HEAD = '{"schema": 1, "seed": 0, "budget": "quick", "versions": {}'
BROKEN = {
    "empty": "",
    "half": '{"schema": 1, "seed"',
    "a list": "[1, 2]",
    "a number": "3",
    "no schema": '{"seed": 0}',
    "another schema": HEAD.replace("1", "2") + ', "claims": []}',
    "no claims": HEAD + "}",
    "a key too many": HEAD + ', "claims": [], "x": 1}',
    "claims are text": HEAD + ', "claims": "abc"}',
    "claims are null": HEAD + ', "claims": null}',
    "an entry is bare": HEAD + ', "claims": [{"id": 1}]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(LedgerError, match="ledger"):
        Ledger.read(path)


def test_an_unknown_verdict_is_one_clear_error(tmp_path):
    path = tmp_path / "ledger.json"
    ledger({**entry(), "verdict": "perhaps"}).write(path)
    with pytest.raises(LedgerError, match="perhaps"):
        Ledger.read(path)


def test_unreadable_files_are_one_clear_error(tmp_path):
    with pytest.raises(LedgerError, match="cannot read"):
        Ledger.read(tmp_path / "none.json")
    with pytest.raises(LedgerError, match="cannot read"):
        Ledger.read(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger.read(tmp_path / "bytes.json")


def test_the_recorded_ledger_can_be_read():
    assert isinstance(recorded(), Ledger)


def test_a_part_of_the_recorded_ledger_by_ids_and_papers():
    names = [claim["id"] for claim in recorded("tezo.thm1", "lezo.lemma1").claims]
    assert names[-1] == "lezo.lemma1"
    assert len(names) > 3
    assert all(name.startswith("tezo.thm1.") for name in names[:-1])
    assert len(recorded("lezo.eq20").claims) == 1  # though there is lezo.eq20.polynomial
    with pytest.raises(LedgerError, match=r"no claim or paper 'tezo\.thm'"):
        recorded("tezo.thm")


def test_an_entry_by_its_id():
    found = ledger(entry("p.a"), entry("p.b", Verdict.REFUTED))
    assert found["p.b"]["verdict"] == "refuted"
    with pytest.raises(KeyError):
        found["p"]


def test_as_text_it_is_one_line_a_claim():
    corrected = entry("p.b", Verdict.REFUTED, Control("instead", Verdict.PROVED))
    shown = repr(ledger(entry("p.a"), corrected))
    assert shown == "p.a: proved\np.b: refuted (correction: proved)"
    assert repr(ledger()) == "a ledger without claims"


def test_a_changed_verdict_is_named():
    now = [entry("p.a", Verdict.REFUTED), entry("p.b"), entry("p.c", Verdict.INCONCLUSIVE)]
    before = [entry("p.a"), entry("p.b"), entry("p.c", Verdict.CONFIRMED)]
    assert changes(now, before) == [
        ("p.a", "proved", "refuted"),
        ("p.c", "confirmed", "inconclusive"),
    ]


def test_not_run_on_either_side_and_new_claims_are_no_change():
    now = [entry("p.a", Verdict.NOT_RUN), entry("p.b"), entry("p.new")]
    assert changes(now, [entry("p.a"), entry("p.b", Verdict.NOT_RUN), entry("p.gone")]) == []


def test_a_changed_verdict_of_a_correction_is_named():
    now, before = (
        [entry("p.a", Verdict.REFUTED, Control("instead", verdict))]
        for verdict in (Verdict.INCONCLUSIVE, Verdict.PROVED)
    )
    assert changes(now, before) == [("p.a", "correction proved", "correction inconclusive")]


def test_a_correction_that_was_not_run_is_no_change():
    now, before = (
        [entry("p.a", Verdict.REFUTED, Control("instead", verdict))]
        for verdict in (Verdict.NOT_RUN, Verdict.PROVED)
    )
    assert changes(now, before) == changes(before, now) == []


def test_a_clock_that_leaves_open_what_it_settled_elsewhere_is_no_change():
    def timed(verdict):
        claim = entry("p.a", verdict)
        claim["evidence"][0]["kind"] = "timed"
        return [claim]

    settled, opened = timed(Verdict.CONFIRMED), timed(Verdict.INCONCLUSIVE)
    assert changes(settled, opened) == changes(opened, settled) == []
    assert changes(timed(Verdict.REFUTED), settled) == [("p.a", "confirmed", "refuted")]


def test_the_frame_has_one_row_a_claim():
    correction = Control("instead", Verdict.PROVED)
    frame = ledger(entry("p.a"), entry("p.b", Verdict.REFUTED, correction)).frame()
    assert list(frame.index) == ["p.a", "p.b"]
    assert list(frame.verdict) == ["proved", "refuted"]
    assert list(frame.correction) == ["", "instead"]
    assert list(frame.evidence) == ["exact", "exact"]
    assert frame.seconds.sum() == 0.5


def test_an_empty_ledger_has_an_empty_frame():
    assert len(ledger().frame()) == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (np.float64("-inf"), "-inf"),
        (np.int64(3), 3),
        (np.array([[1.5, np.nan]]), [[1.5, "nan"]]),
        (np.bool_(True), True),
        (sp.Integer(5), 5),
        (sp.Rational(1, 3), "1/3"),
        (sp.Symbol("m") ** 2, "m**2"),
        (sp.oo, "oo"),
        ({1: (2, None)}, {"1": [2, None]}),
        (Verdict.PROVED, "proved"),
        (True, True),
    ],
)
def test_values_become_plain_json(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_versions_name_what_verdicts_depend_on():
    assert versions().keys() >= {"numpy", "sympy", "scipy", "z3-solver"}


def test_files_are_named_by_text_and_may_begin_with_a_byte_order_mark(tmp_path):
    path = str(tmp_path / "ledger.json")
    ledger(entry()).write(path)
    text = (tmp_path / "ledger.json").read_bytes()
    (tmp_path / "ledger.json").write_bytes(codecs.BOM_UTF8 + text)
    assert Ledger.read(path) == ledger(entry())
    (tmp_path / "ledger.json").write_bytes(b"")
    with pytest.raises(LedgerError, match=r"ledger\.json is not a ledger: it is empty"):
        Ledger.read(path)
    with pytest.raises(LedgerError, match="a ledger must be a path, as text or a Path, got 3"):
        Ledger.read(3)


def test_entries_are_named_by_lists_and_claims_too():
    wanted = ("tezo.thm1.variance", "lezo.eq20")
    known, found = recorded(*wanted), [claim(name) for name in wanted]
    assert recorded(list(wanted)) == recorded(found) == recorded(found[0], [wanted[1]]) == known
    assert known[found[1]]["id"] == "lezo.eq20"


@pytest.mark.parametrize(
    ("names", "expected"),
    [((3,), "3 names no claim"), (([],), "an empty list"), ((["tez"],), "no claim or paper 'tez'")],
)
def test_what_names_no_entry_is_told(names, expected):
    with pytest.raises(LedgerError, match=expected):
        recorded(*names)
    with pytest.raises(KeyError, match="the ledger has no claim 'tez'"):
        recorded()["tez"]
