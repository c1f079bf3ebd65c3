"""Tables of several papers side by side: verdicts, and what leaving a paper out would change."""

import pytest
import sympy as sp

from tests.papers.printed import would_hold
from zotheory.papers.cross.agreement import agree, spread
from zotheory.papers.cross.opt13b import GV2, LEZO1, MEZO, ROWS, SMEZO13, SVD03, TASKS, TEZO4
from zotheory.papers.cross.zero_shot import SMEZO1, TEZO5

REFUTED = {  # claim: cells that would make it hold
    "cross.mezo_opt13b": {
        TEZO4["MeZO", "RTE"]: "71.0",
        GV2["MeZO(FT)", "RTE"]: "71.0",
        SMEZO13["MeZO", "RTE"]: "72.0",
        TEZO4["MeZO", "CB"]: "70.0",
        GV2["MeZO(FT)", "CB"]: "70.0",
        SVD03["MeZO", "BoolQ"]: "69.0",
        TEZO4["MeZO", "BoolQ"]: "69.2",
        SMEZO13["MeZO", "BoolQ"]: "69.0",
        TEZO4["MeZO", "WIC"]: "60.0",
        SMEZO13["MeZO", "WIC"]: "60.0",
        TEZO4["MeZO", "SQuAD"]: "83.0",
    },
    "cross.tezo_adam_published": {GV2["MeZO(FT)", "RTE"]: "49.0"},
    "cross.smezo_opt13b": {SVD03["S-MeZO", "ReCoRD"]: "82.0"},
    "cross.zero_shot_llama7b": {TEZO5["zero-shot", "SST-2"]: "79.7"},
}


@pytest.mark.parametrize("id", REFUTED)
def test_a_refuted_claim_would_hold_with_other_cells(id):
    entry = would_hold(id, REFUTED[id])
    assert [e.reading for e in entry.evidence] == [""]  # whatever was rounded


def numbers(cells, *tables):
    known = {k: v.value for table in tables for k, v in table.numbers.items()}
    return [float(known[cell]) for cell in cells]


def test_rows_are_all_papers_that_print_a_data_set():
    counts = {task: len(cells) for task, cells in ROWS.items()}
    five, four, three = (
        ("RTE", "BoolQ", "WIC"),
        ("SST-2", "CB", "WSC", "COPA", "SQuAD"),
        (
            "MultiRC",
            "ReCoRD",
            "DROP",
        ),
    )
    assert counts == {t: n for n, ts in ((5, five), (4, four), (3, three)) for t in ts}
    assert set(counts) == set(TASKS)


@pytest.mark.parametrize("left_out", range(5))
def test_no_paper_alone_is_what_keeps_them_apart(left_out):
    tables = [table for table, _ in MEZO]
    kept = [n for i, n in enumerate(numbers(ROWS["RTE"], *tables)) if i != left_out]
    assert max(kept) - min(kept) > 3


def test_what_three_points_mean():
    a, b, c = sp.symbols("a b c", real=True)
    found = spread([a, b, c])
    assert found.xreplace(dict(zip((a, b, c), (1, 5, 3), strict=True))) == 4
    x, y = sp.symbols("x y", real=True)
    assert agree({"X": x, "Y": y}, but=("Y",)) == sp.And(x <= 3, y > 3)


def test_means_by_hand():
    def mean(table, row):
        return sum(numbers(table.row(row, TASKS), table)) / 11

    assert mean(TEZO4, "TeZO-Adam") - mean(GV2, "MeZO(FT)") == pytest.approx(0.5)
    assert mean(SVD03, "S-MeZO") - mean(SVD03, "MeZO") == pytest.approx(-4.1 / 11)


def test_tables_are_called_by_their_papers():
    assert TEZO5.name == "TeZO Table 5"
    assert SMEZO1.name == "S-MeZO Table 1"
    assert LEZO1.cells["MeZO (published)", "SST-2"] == GV2.cells["MeZO(FT)", "SST-2"]
