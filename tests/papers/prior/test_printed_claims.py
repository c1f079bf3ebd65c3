"""Claims on the paper's tables: verdicts, and cells with which they would be the others."""

import pytest

from tests.papers.printed import judged, with_cells, would_hold
from zotheory.papers.prior.table1 import TABLE1
from zotheory.papers.prior.table2 import SVD0_TABLE3, TABLE2
from zotheory.papers.prior.table3 import TABLE3
from zotheory.papers.prior.table4 import TABLE4
from zotheory.papers.prior.table7 import TABLE7
from zotheory.papers.prior.tables9_11 import TABLE9, TABLE10, TABLE11

FT_LOSES = {TABLE2["FT", task]: "1.0" for task in ("WIC", "MultiRC")}
REFUTED = {  # claim: cells that would make it hold
    "prior.table1.consistently": {
        TABLE1["MeZO-GV(FT)", "CB"]: "71.4",
        TABLE1["MeZO(LoRA)", "CB"]: "70.5",
    },
    "prior.table2.nine_single_row": {TABLE2["SubZero-GV(Prefix)", "BoolQ"]: "77.2"},
    "prior.table2.nine_sgd": {
        SVD0_TABLE3["SGD", task]: "1.0"
        for task in ("SST-2", "RTE", "CB", "BoolQ", "WIC", "COPA", "SQuAD")
    },
    "prior.table2.mezo_baseline": {SVD0_TABLE3["MeZO", "RTE"]: "63.4"},
    "prior.table2.consistently": {
        TABLE2["SubZero-GV(FT)", "WSC"]: "65.4",
        TABLE2["SubZero(FT)", "DROP"]: "31.3",
    },
    "prior.text.gains_42": {TABLE2["MeZO(FT)", "SST-2"]: "92.0"},
    "prior.text.multirc_leading": {TABLE2["FT", "MultiRC"]: "65.1"},
    "prior.three_rounds": {
        TABLE1["MeZO-GV(LoRA)", "CB"]: "70.2",
        TABLE1["MeZO-GV(Prefix)", "CB"]: "70.8",
        TABLE1["MeZO-GV(Prefix)", "WSC"]: "60.9",
        TABLE2["MeZO-GV(FT)", "CB"]: "71.4",
        TABLE2["SubZero-GV(FT)", "CB"]: "73.8",
        TABLE2["MeZO-GV(LoRA)", "CB"]: "72.6",
    },
    "prior.table3.beats_20k": {TABLE3["MeZO-GV-10k(LoRA)", "WSC"]: "62.6"},
    "prior.table4.lora_base": {
        TABLE4["OPT-13B MeZO (LoRA)", "WIC"]: "59.7",
        TABLE4["OPT-13B MeZO (LoRA)", "RTE"]: "67.9",
        TABLE4["OPT-13B MeZO (LoRA)", "BoolQ"]: "73.8",
    },
    "prior.table4.gv_against_greedy": {
        TABLE4[row, task]: "60.0"
        for row in TABLE4.rows
        if "Greedy" in row
        for task in TABLE4.columns
    },
    "prior.grid_sizes": {
        **{TABLE7[f"{m}-GV (FT)", "Learning rate"]: "3" for m in ("MeZO", "SubZero")},
        **{TABLE7[f"{m}-GV (FT)", "k"]: "1" for m in ("MeZO", "SubZero")},
    },
    "prior.table9.consistently": {TABLE9["MeZO-20k(LoRA)", "SST-2"]: "93.6"},
}
CONFIRMED = {  # claim: cells that would make it fail
    "prior.text.gains_41": {TABLE1["MeZO(FT)", "COPA"]: "72.9"},
    "prior.table2.nine_of_eleven": {TABLE2["FT", "WIC"]: "64.0"},
    "prior.table2.all_eleven": {TABLE2["HiZOO(Prefix)", "MultiRC"]: "65.1"},
    "prior.tables10_11.text": {TABLE11["MeZO (LoRA)", "SST-2"]: "27.2"},
}


@pytest.mark.parametrize("id", REFUTED)
def test_a_refuted_claim_would_hold_with_other_cells(id):
    would_hold(id, REFUTED[id])


@pytest.mark.parametrize("id", CONFIRMED)
def test_a_confirmed_claim_would_fail_with_other_cells(id):
    entry = judged(id)
    assert entry.verdict == "confirmed"
    assert entry.mutant.verdict == "refuted"
    assert with_cells(id, CONFIRMED[id]) == "refuted"


@pytest.mark.parametrize(
    ("id", "rounding"),
    [
        ("prior.table2.nine_single_row", "by the printed numbers"),  # 77.1 against 77.1
        ("prior.table2.all_eleven", "by the printed numbers"),  # 85.3 against 85.2
        ("prior.table2.nine_of_eleven", ""),
        ("prior.table2.consistently", ""),
        ("prior.text.gains_42", ""),
        ("prior.grid_sizes", ""),
        ("prior.three_rounds", ""),
    ],
)
def test_whether_rounding_can_turn_it(id, rounding):
    (evidence,) = judged(id).evidence
    assert evidence.reading == rounding


def test_exactly_nine_is_neither_eight_nor_ten():
    id = "prior.table2.nine_of_eleven"
    assert with_cells(id, {TABLE2["FT", "COPA"]: "90.0"}) == "refuted"
    assert with_cells(id, FT_LOSES) == "refuted"


def test_greedy_with_lora_falls_on_both_counts():
    entry = judged("prior.table4.lora")
    assert entry.verdict == "refuted"
    assert {e.kind: e.verdict for e in entry.evidence} == {
        "printed": "refuted",
        "counted": "refuted",
    }
    assert entry.correction.verdict == "confirmed"
    cells = {
        TABLE4[f"{m} MeZO-Greedy (LoRA)", t]: "99.0"
        for m in ("Llama2-7B",)
        for t in ("WIC", "BoolQ")
    }
    assert with_cells("prior.table4.lora", cells) == "refuted"  # by the passes alone


@pytest.mark.parametrize("row", TABLE11.rows)
def test_the_text_on_memory_is_judged_at_every_row(row):
    for text in ("1.0", "999.0"):
        cell = TABLE11[row, "BoolQ"]
        assert with_cells("prior.tables10_11.text", {cell: text}) == "refuted"


@pytest.mark.parametrize("row", ["MeZO (prefix)", "SubZero (prefix)"])
def test_the_text_on_opt_30b_is_judged_at_every_task(row):
    for task in TABLE10.columns:
        assert with_cells("prior.tables10_11.text", {TABLE10[row, task]: "95.0"}) == "refuted"
