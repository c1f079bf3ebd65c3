"""Claims by printed numbers as they are shown: relations one a line, tables with what decides."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.report.pages import Page, shown, words
from zotheory import papers
from zotheory.budget import BUDGETS
from zotheory.context import Context
from zotheory.evidence.tables import Table
from zotheory.judge import judge
from zotheory.ledger import Ledger
from zotheory.report.description import describe, printed_table
from zotheory.report.page import page
from zotheory.report.terminal import details
from zotheory.vocabulary import Kind

NAMES = (
    "tezo.a4.lowrank_memory",  # 6 of 27 relations fail
    "lezo.table1.avg",  # holds on every cell, deviations beside them
    "lezo.appA.grids",  # a long table, garbled and left out cells
    "smezo.grids",  # numbers of values
    "svd0.table3.totals",  # two tables of one place
    "cross.smezo_opt13b",  # another paper's table
)
ROOMS = ("tezo", "lezo", "smezo", "svd0", "prior")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    room = tmp_path_factory.mktemp("work")
    context = (Context(id, 0, BUDGETS["quick"], None, None, room) for id in NAMES)
    entries = tuple(judge(papers.claim(c.claim), c) for c in context)
    Ledger(0, "quick", {}, entries).write(room / "ledger.json")
    return Ledger.read(room / "ledger.json")


def tables(entry):
    return [s for s in describe(entry).sections if s.table and s.table.look == "printed"]


@pytest.mark.parametrize("id", NAMES)
def test_page_terminal_and_notebook_show_the_cells_that_decide(ledger, id):
    entry = ledger[id]
    assert Page(page(ledger)).words(id) == words(shown(entry))
    (evidence,) = (e for e in entry.evidence if e.kind is Kind.PRINTED)
    article = page(ledger.of(id))
    told = tables(entry)
    marked = {(s.title.partition(":")[0], *place) for s in told for place in s.table.marked}
    kept = {**papers.tables(entry.paper), **papers.cited()}
    expected = {
        (name, *table.places[cell])
        for cell in evidence.numbers["cells"]
        for name, table in kept.items()
        if cell in table.places
    }
    assert marked == expected != set()
    for html in (article, entry._repr_html_()):
        assert html.count("<mark>") == len(marked)
    assert shown(entry).count("▸") == len(marked)


def test_a_refuted_claim_marks_the_cells_of_every_relation_that_fails(ledger):
    (table,) = tables(ledger["tezo.a4.lowrank_memory"])
    above = ("OPT-6.7B", "OPT-13B", "OPT-30B", "LLaMA-7B", "LLaMA-13B", "LLaMA-30B")
    assert table.table.marked == {(row, c) for row in ("MeZO", "SubZO") for c in above}
    first = describe(ledger["tezo.a4.lowrank_memory"]).sections[0]
    assert first.title == "By the printed numbers of Table 7"
    assert [cells[1] for _, cells in first.table.rows] == ["fails"] * 5 + ["", ""]
    assert [name for name, _ in first.table.rows[5:]] == ["and 1 more fail", "and 21 more hold"]


def test_a_table_is_titled_by_its_name_and_the_rest_of_its_place(ledger):
    def titles(id):
        return [part.title for part in tables(ledger[id])]

    assert titles("tezo.a4.lowrank_memory") == ["Table 7: App. A.4"]
    assert titles("cross.smezo_opt13b") == ["SVD-0 Table 3: Sec. 6.1"]
    assert [t.title for t in printed_table(papers.tables("lezo")["Sparsity rates"])] == [
        "Sparsity rates: Sec. 5.3, Sec. 5.1 and the caption of Table 3"
    ]


def test_a_long_table_has_its_other_rows_folded(ledger):
    beside, others = tables(ledger["lezo.appA.grids"])
    rows = [name for part in (beside, others) for name, _ in part.table.rows]
    assert sorted(rows) == sorted(papers.tables("lezo")["Table 5"].rows)
    assert (beside.folded, others.folded) == (False, True)
    assert {row for row, _ in beside.table.marked} == {name for name, _ in beside.table.rows}
    cells = {cell for _, texts in others.table.rows for cell in texts}
    assert {"?", "–"} <= cells
    assert "<summary>29 rows</summary>" in page(ledger)


def test_a_ledger_of_tables_that_are_not_kept_shows_its_cells(ledger):
    entry = ledger["tezo.a4.lowrank_memory"]
    strange = replace(entry, id="mine.a", paper="mine")
    (evidence,) = entry.evidence
    cells = {**evidence.numbers["cells"], "Table 7: MeZO, OPT-30B": "60.32"}
    reads_otherwise = replace(
        entry, evidence=(replace(evidence, numbers={**evidence.numbers, "cells": cells}),)
    )
    for other in (strange, reads_otherwise):
        assert tables(other) == []
        (told,) = (s for s in describe(other).sections if s.title == "Cells as printed")
        assert dict(told.values) == entry.certificate["cells"]
        assert Page(page(replace(ledger, claims=(other,)))).words(other.id) == words(shown(other))


@pytest.mark.parametrize("paper", ROOMS)
def test_every_table_and_grid_of_a_paper_is_found_by_a_name_of_its_own(paper):
    room = Path(papers.__file__).parent / paper
    files, grids = (list(room.glob(f"{kind}/*.csv")) for kind in ("tables", "grids"))
    found = papers.tables(paper)
    assert len(found) == len(files) + 2 * len(grids) > 0
    assert all(isinstance(table, Table) and table.name == name for name, table in found.items())
    for table in found.values():
        (section,) = printed_table(table)
        assert len(section.table.rows) == len(table.rows)
        assert Page(table._repr_html_()).outside == []


@pytest.mark.parametrize("paper", ROOMS)
def test_what_a_claim_says_is_shown_in_few_lines(paper):
    for claim in papers.of(paper):
        if Kind.PRINTED in claim.needs:
            assert claim._repr_html_().count('class="formulas"') <= 5


def test_tables_come_in_the_papers_order():
    names = list(papers.tables("svd0"))
    assert names.index("Table 3") + 1 == names.index("Table 3, Total") < names.index("Table 13")
    assert papers.tables("mine") == {}


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_number_is_broken_in_a_narrow_terminal(ledger, width):
    entry = ledger["lezo.table1.avg"]
    console = Console(file=io.StringIO(), width=width)
    details(console, entry)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    (table,) = tables(entry)
    for name, cells in table.table.rows:
        row = "  ".join(line for line in lines if re.match(rf"{re.escape(name)}  ", line))
        assert all(cell in row for cell in cells), name
