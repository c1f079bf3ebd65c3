"""Writing, reading and comparing ledgers."""

import codecs
import json
import os
import re
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import zotheory
from zotheory.ledger import (
    Control,
    Entry,
    Ledger,
    LedgerError,
    Quantity,
    changes,
    plain,
    recorded,
    versions,
)
from zotheory.papers import claim
from zotheory.vocabulary import MARK, Evidence, Kind, Setting, Verdict

RECORDED = Path(zotheory.__file__).with_name("recorded") / "ledger.json"
ELSEWHERE = Setting("OPT-1.3B on SST-2", "SmolLM2-135M on reviews")


def entry(id="paper.place", verdict=Verdict.PROVED, correction=None, kind=Kind.EXACT, **other):
    found = Evidence(kind, verdict, "derived", {"at": sp.Rational(1, 3)}, {"steps": ["a"]})
    given = {"evidence": (found,), "correction": correction, "seconds": 0.25}
    words = ("paper", "Eq. 1", "E x = 1 für alle m", "x <= 1")
    return Entry(id, *words, verdict, **{**given, **other})


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
    assert entry().to_json()["correction"] is None


def test_the_recorded_file_comes_back_byte_for_byte(tmp_path):
    recorded().write(tmp_path / "ledger.json")
    assert (tmp_path / "ledger.json").read_bytes() == RECORDED.read_bytes()


def test_settings_and_readings_survive_the_file_and_are_left_out_where_there_are_none(tmp_path):
    found = Evidence(Kind.PRINTED, Verdict.REFUTED, "5 > 3", {}, {}, "by the printed numbers")
    correction = Control("instead", Verdict.CONFIRMED, "3 > 2", "by the printed numbers", True)
    told = entry("p.a", Verdict.REFUTED, correction, evidence=(found,), setting=ELSEWHERE)
    written = ledger(told, entry("p.b"))
    written.write(tmp_path / "ledger.json")
    assert Ledger.read(tmp_path / "ledger.json") == written
    first, second = written.to_json()["claims"]
    assert first["setting"] == {"paper": ELSEWHERE.paper, "judged": ELSEWHERE.judged}
    assert first["evidence"][0]["reading"] == "by the printed numbers"
    assert first["correction"]["reading"] == "by the printed numbers"
    assert first["correction"]["elsewhere"] is True
    assert "setting" not in second
    assert "reading" not in second["evidence"][0]


# --- what an entry answers ----------------------------------------------------------------------


def test_an_entry_holds_plain_values_and_evidence_without_its_certificate():
    (found,) = entry().evidence
    assert (found.numbers, found.certificate) == ({"at": "1/3"}, {})


def test_a_number_is_asked_for_by_kind_and_keys():
    found = Evidence(Kind.MODEL, Verdict.CONFIRMED, "", {"layer 3": {"cosine": 0.5, "draws": 9}})
    told = entry(verdict=Verdict.CONFIRMED, evidence=(found,))
    assert told.evidence_of(Kind.MODEL) is told.evidence[0]
    assert told.number("model", "layer 3", "cosine") == 0.5
    assert told.number(Kind.MODEL) == {"layer 3": {"cosine": 0.5, "draws": 9}}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((Kind.EXACT,), "paper.place has no exact evidence; it has: model"),
        ((Kind.MODEL, "layer 4"), "the model evidence of paper.place has no 'layer 4'; there is: "
         "'layer 3', 'many'"),
        ((Kind.MODEL, "layer 3", "cos"), "no 'cos' under 'layer 3'; there is: 'cosine', 'draws'"),
        ((Kind.MODEL, "layer 3", "draws", "x"), "no 'x' under 'layer 3' / 'draws'; there is 9"),
        ((Kind.MODEL, "many", "x"), "'7' and 2 more"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_with_what_is(asked, expected):
    numbers = {"layer 3": {"cosine": 0.5, "draws": 9}, "many": {str(k): k for k in range(10)}}
    told = entry(evidence=(Evidence(Kind.MODEL, Verdict.CONFIRMED, "", numbers),))
    with pytest.raises(LedgerError, match=re.escape(expected)) as raised:
        told.number(*asked)
    assert "\n" not in str(raised.value)


def test_without_evidence_it_says_so():
    with pytest.raises(LedgerError, match=r"paper\.place has no model evidence; it has: no evid"):
        entry(evidence=()).number(Kind.MODEL)


def test_every_recorded_quantity_of_monte_carlo_is_typed():
    seen = 0
    for told in recorded().claims:
        if Kind.MEASURED in (e.kind for e in told.evidence):
            for key, found in told.number(Kind.MEASURED).items():
                typed = asdict(told.quantity(key))
                assert {name: typed[name] for name in found} == found
                assert {name for name, value in typed.items() if value is not None} == set(found)
                seen += 1
    assert seen > 100


def test_what_is_no_measured_quantity_is_told():
    found = Evidence(Kind.MEASURED, Verdict.CONFIRMED, "", {"at": {"verdict": "confirmed"}, "n": 3})
    told = entry(evidence=(found,))
    for key in ("at", "n"):
        with pytest.raises(LedgerError, match=f"'{key}' of paper.place is no measured quantity"):
            told.quantity(key)
    with pytest.raises(LedgerError, match="there is: 'at', 'n'"):
        told.quantity("m")
    assert {f.name for f in fields(Quantity)} >= {"estimate", "interval", "claimed", "samples"}


# --- how a verdict is worded --------------------------------------------------------------------

PRINTED = "by the printed numbers"
PREMISE = "does not follow from the premise"
R, C, P, I, N = (  # noqa: E741
    Verdict.REFUTED,
    Verdict.CONFIRMED,
    Verdict.PROVED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN,
)


@pytest.mark.parametrize(
    ("verdict", "reading", "setting", "told", "brief", "marked"),
    [
        (R, "", None, "refuted", "refuted", "refuted"),
        (R, "", Setting("OPT-1.3B"), "refuted", "refuted", "refuted"),
        (R, PRINTED, None, f"refuted {PRINTED}", f"refuted {PRINTED}", "refuted†"),
        (R, PREMISE, None, PREMISE, PREMISE, "refuted†"),
        (R, "", ELSEWHERE, "refuted in another setting: SmolLM2-135M on reviews; the paper's: "
         "OPT-1.3B on SST-2", "refuted (other setting)", "refuted†"),
        (C, "", ELSEWHERE, "confirmed in another setting: SmolLM2-135M on reviews; the paper's: "
         "OPT-1.3B on SST-2", "confirmed (other setting)", "confirmed†"),
        (R, PRINTED, ELSEWHERE, f"refuted {PRINTED} in another setting: SmolLM2-135M on reviews; "
         "the paper's: OPT-1.3B on SST-2", f"refuted {PRINTED} (other setting)", "refuted†"),
        (I, PRINTED, None, "inconclusive", "inconclusive", "inconclusive"),
        (I, "", ELSEWHERE, "inconclusive in another setting: SmolLM2-135M on reviews; the paper's: "
         "OPT-1.3B on SST-2", "inconclusive (other setting)", "inconclusive†"),
        (N, PRINTED, ELSEWHERE, "not run", "not run", "not run"),
    ],
)  # fmt: skip
def test_a_verdict_is_worded_by_its_reading_and_its_setting(
    verdict, reading, setting, told, brief, marked
):
    found = Evidence(Kind.MODEL, verdict, "", reading=reading)
    said = entry(verdict=verdict, evidence=(found,), setting=setting)
    assert (said.told, said.brief, said.marked) == (told, brief, marked)
    assert said.verdict is verdict  # counts are by the bare one


@pytest.mark.parametrize(
    ("verdict", "evidence", "reading"),
    [
        (R, [(Kind.PRINTED, R, PRINTED)], PRINTED),
        (R, [(Kind.PRINTED, R, PRINTED), (Kind.MODEL, R, "")], ""),  # the bare word is borne out
        (R, [(Kind.PRINTED, R, PRINTED), (Kind.MODEL, C, "")], PRINTED),
        (R, [(Kind.EXACT, R, PREMISE), (Kind.MEASURED, I, "")], PREMISE),
        (P, [(Kind.EXACT, P, "in the limit"), (Kind.MEASURED, C, "")], "in the limit"),
        (P, [(Kind.EXACT, P, ""), (Kind.PRINTED, C, PRINTED)], ""),
        (C, [(Kind.PRINTED, C, PRINTED)], PRINTED),
        (C, [(Kind.PRINTED, C, PRINTED), (Kind.MEASURED, C, "")], ""),
        (I, [(Kind.PRINTED, R, PRINTED)], ""),
        (N, [], ""),
    ],
)
def test_the_reading_is_that_of_the_evidence_that_decided(verdict, evidence, reading):
    found = tuple(Evidence(kind, of, "", reading=text) for kind, of, text in evidence)
    assert entry(verdict=verdict, evidence=found).reading == reading


def test_what_each_check_found_is_worded_by_the_setting_too():
    """Also by numbers that are printed, if of another thing than the statement is about."""
    model, printed = Evidence(Kind.MODEL, R, ""), Evidence(Kind.PRINTED, C, "", reading=PRINTED)
    said = entry(verdict=R, evidence=(model, printed), setting=ELSEWHERE)
    found = [said.brief_of(e) for e in said.evidence]
    assert found == ["refuted (other setting)", f"confirmed {PRINTED} (other setting)"]
    assert said.elsewhere
    assert not entry(setting=Setting("OPT-1.3B")).elsewhere


def test_a_mark_in_a_list_of_verdicts_is_explained():
    assert MARK not in repr(ledger(entry()))
    assert MARK not in repr(recorded("tezo.thm1"))
    shown = repr(ledger(entry("p.a", R, setting=ELSEWHERE), entry("p.b")))
    assert shown == (
        "p.a: refuted†\np.b: proved\n† in another setting than the paper's, or in a narrower sense"
    )


def test_the_frame_has_both_the_bare_verdict_and_what_is_told():
    frame = ledger(entry("p.a", R, setting=ELSEWHERE), entry("p.b")).frame()
    assert list(frame.verdict) == ["refuted", "proved"]
    assert frame.told["p.a"].startswith("refuted in another setting: SmolLM2")
    assert frame.told["p.b"] == "proved"


def with_(**other):
    """An entry's JSON with other fields."""
    return json.dumps({**entry().to_json(), **other})


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
    "an entry is text": HEAD + ', "claims": ["abc"]}',
    "an entry has a field too many": HEAD + f', "claims": [{with_(more=1)}]}}',
    "evidence of no kind": HEAD + f', "claims": [{with_(evidence=[{"kind": "guessed"}])}]}}',
    "a setting without words": HEAD + f', "claims": [{with_(setting={"paper": ""})}]}}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(LedgerError, match="ledger"):
        Ledger.read(path)


def test_an_unknown_verdict_is_one_clear_error(tmp_path):
    path = tmp_path / "ledger.json"
    ledger(entry()).write(path)
    path.write_text(path.read_text().replace('"verdict": "proved"', '"verdict": "perhaps"'))
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
    names = [claim.id for claim in recorded("tezo.thm1", "lezo.lemma1").claims]
    assert names[-1] == "lezo.lemma1"
    assert len(names) > 3
    assert all(name.startswith("tezo.thm1.") for name in names[:-1])
    assert len(recorded("lezo.eq20").claims) == 1  # though there is lezo.eq20.polynomial
    with pytest.raises(LedgerError, match=r"no claim or paper 'tezo\.thm'"):
        recorded("tezo.thm")


def test_an_entry_by_its_id():
    found = ledger(entry("p.a"), entry("p.b", Verdict.REFUTED))
    assert found["p.b"].verdict == "refuted"
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
        return [entry("p.a", verdict, kind=Kind.TIMED)]

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
    assert known[found[1]].id == "lezo.eq20"


@pytest.mark.parametrize(
    ("names", "expected"),
    [((3,), "3 names no claim"), (([],), "an empty list"), ((["tez"],), "no claim or paper 'tez'")],
)
def test_what_names_no_entry_is_told(names, expected):
    with pytest.raises(LedgerError, match=expected):
        recorded(*names)
    with pytest.raises(KeyError, match="the ledger has no claim 'tez'"):
        recorded()["tez"]
