"""The transcribed tables against what the paper's text quotes of them, and against each other."""

import pytest
import sympy as sp

from zotheory.papers.prior.pairs import ordered, pairs
from zotheory.papers.prior.table1 import TABLE1
from zotheory.papers.prior.table2 import OTHER_ZO, SVD0_TABLE3, TABLE2, TASKS
from zotheory.papers.prior.table3 import TABLE3
from zotheory.papers.prior.table4 import TABLE4
from zotheory.papers.prior.tables9_11 import TABLE9, TABLE10, TABLE11
from zotheory.papers.prior.three_rounds import CELLS, off_three_rounds


def whole(table, row, *texts):
    """A row that the text quotes from the first column to the last."""
    return [(table, row, column, text) for column, text in zip(table.columns, texts, strict=True)]


QUOTED = [  # accuracies in Sec. 4.2 and App. C.3
    (TABLE2, "SubZero-GV(FT)", "SST-2", "94.7"),
    (TABLE2, "SubZero-GV(Prefix)", "CB", "85.7"),
    (TABLE2, "SubZero-GV(Prefix)", "RTE", "76.2"),
    (TABLE2, "SubZero-GV(Prefix)", "MultiRC", "65.1"),
    (TABLE2, "SubZero-GV(LoRA)", "SQuAD", "85.3"),
    (TABLE2, "MeZO-GV(LoRA)", "DROP", "32.7"),
    (TABLE2, "MeZO-GV(Prefix)", "COPA", "90.0"),
    (TABLE3, "MeZO-GV-10k", "SST-2", "90.4"),
    (TABLE3, "MeZO-10k", "SST-2", "85.3"),
    (TABLE3, "MeZO-20k", "SST-2", "88.7"),
    (TABLE3, "MeZO-GV-10k(LoRA)", "SST-2", "94.3"),
    (TABLE3, "MeZO-10k(LoRA)", "SST-2", "87.7"),
    (TABLE3, "MeZO-20k(LoRA)", "SST-2", "93.7"),
    (TABLE3, "MeZO-GV-10k", "WSC", "62.5"),
    (TABLE3, "MeZO-GV-10k", "WIC", "62.3"),
    *whole(TABLE9, "MeZO-GV-10k(LoRA)", "93.7", "72.2", "83.3", "65.4", "65.8"),
    *whole(TABLE9, "MeZO-10k(LoRA)", "89.7", "66.8", "76.3", "59.6", "59.9"),
    *whole(TABLE9, "MeZO-20k(LoRA)", "94.3", "70.4", "82.1", "61.5", "62.7"),
    *whole(TABLE10, "MeZO-GV(prefix)", "91.4", "75.8", "77.4", "61.5", "62.7"),
    (TABLE10, "MeZO (prefix)", "SST-2", "87.5"),
    (TABLE10, "MeZO (prefix)", "RTE", "72.6"),
    (TABLE10, "MeZO (prefix)", "BoolQ", "73.5"),
    (TABLE10, "SubZero (prefix)", "SST-2", "89.3"),
    (TABLE10, "SubZero (prefix)", "RTE", "74.0"),
    (TABLE10, "SubZero (prefix)", "BoolQ", "76.8"),
]


@pytest.mark.parametrize(("table", "row", "column", "text"), QUOTED)
def test_a_cell_is_what_the_text_quotes(table, row, column, text):
    assert table.cells[row, column] == text


def texts(table, row, columns):
    return [table.cells[row, column] for column in columns]


@pytest.mark.parametrize(
    ("row", "table", "other"),
    [
        ("Llama2-7B MeZO", TABLE3, "MeZO-20k"),
        ("Llama2-7B MeZO (LoRA)", TABLE3, "MeZO-20k(LoRA)"),
        ("OPT-13B MeZO", TABLE2, "MeZO(FT)"),
        ("OPT-13B MeZO (LoRA)", TABLE2, "SubZero(FT)"),
    ],
)
def test_base_rows_of_table_4_are_rows_of_other_tables(row, table, other):
    assert texts(TABLE4, row, TABLE4.columns) == texts(table, other, TABLE4.columns)


@pytest.mark.parametrize(
    ("row", "other"), [("SubZero(FT)", "SubZero"), ("ZO-AdaMU (2×)", "ZO-AdaMU"), ("ICL", "ICL")]
)
def test_rows_that_another_paper_prints_too(row, other):
    assert texts(TABLE2, row, TASKS) == texts(SVD0_TABLE3, other, TASKS)


@pytest.mark.parametrize("scheme", ["FT", "LoRA", "Prefix"])
def test_memory_of_gv_is_printed_as_that_of_mezo(scheme):
    rows = (texts(TABLE11, f"{m} ({scheme})", TABLE11.columns) for m in ("MeZO", "MeZO-GV"))
    assert len(set(map(tuple, rows))) == 1


def test_sizes_of_the_tables_and_what_is_illegible():
    sizes = [len(t.cells) for t in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE9, TABLE10, TABLE11)]
    assert sizes == [8 * 11, 21 * 11, 6 * 5, 8 * 3, 3 * 5, 6 * 5, 9 * 3]
    unread = {
        (table.name, *place)
        for table in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE9, TABLE10, TABLE11)
        for place in table.cells
        if not table.has(*place)
    }
    assert unread == {
        ("Table 1", "MeZO(FT)", "SQuAD"),
        ("Table 1", "MeZO-GV(FT)", "SQuAD"),
        ("Table 1", "MeZO(LoRA)", "RTE"),
        ("Table 1", "MeZO-GV(LoRA)", "RTE"),
        ("Table 2", "Zero-shot", "CB"),
    }
    assert len(OTHER_ZO) == 12


def test_pairs_and_their_contrary():
    found = pairs(TABLE3, [("MeZO-20k", "MeZO-10k")], ("RTE", "WSC"))
    (a, b), (c, d) = found
    assert (str(a), str(b)) == ("Table 3: MeZO-20k, RTE", "Table 3: MeZO-10k, RTE")
    assert ordered(sp.Gt, found, but=[c]) == sp.And(a > b, c <= d)
    assert ordered(sp.Ge, found) == sp.And(a >= b, c >= d)
    with pytest.raises(ValueError, match="no pair begins with"):
        ordered(sp.Ge, found, but=[b])


@pytest.mark.parametrize(
    ("accuracy", "examples", "distance"),
    [
        (50.0, 56, 0.0),
        (71.4, 56, 0.0286),
        (71.6, 56, 0.1714),
        (100.0, 277, 0.0),
        (0.4, 100, 1 / 15),
    ],
)
def test_distance_from_the_mean_of_three_runs(accuracy, examples, distance):
    assert off_three_rounds(accuracy, examples) == pytest.approx(distance, abs=1e-4)


def test_three_rounds_are_asked_of_all_legible_accuracies():
    assert len(CELLS) == 4 * 9 - 1
