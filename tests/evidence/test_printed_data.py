"""Tables as data: their cells, and files that are no tables."""

import pytest
import sympy as sp

from tests.evidence.printed_table import TEXT
from zotheory.evidence.tables import Table


def test_a_table_knows_its_cells(table):
    assert table.name == "Table 7"
    assert table.rows == ("MeZO", "MeZO-m", "TeZO-Adam")
    assert table.numbers[table["MeZO", "13B"]].value == sp.Rational(2643, 100)
    assert table.numbers[table.deviation("MeZO-m", "125M")].half == sp.Rational(1, 200)
    assert not any(table.has(*c) for c in (("MeZO-m", "13B"), ("MeZO-m", "30B")))
    assert table.row("MeZO", ("13B", "30B")) == [table["MeZO", "13B"], table["MeZO", "30B"]]
    assert table.column("125M")[0] == table["MeZO", "125M"]


@pytest.mark.parametrize(
    "place", [("MeZO-m", "13B"), ("MeZO-m", "30B"), ("TeZO-Adam", "30B"), ("MeZO", "7B")]
)
def test_what_is_no_printed_number_is_none_of_its_cells(table, place):
    with pytest.raises(ValueError, match="Table 7"):
        table[place]


def test_a_deviation_has_to_be_printed(table):
    with pytest.raises(ValueError, match="prints no number"):
        table.deviation("MeZO", "125M")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# unit: GB\n", "", "place and unit"),
        ("TeZO-Adam,0.57,", "TeZO-Adam,", "3 cells, not 4"),
        ("TeZO-Adam", "MeZO", "name of its own"),
        ("26.43", "26.4.3", "no printed number"),
        ("GB\n", "GB\n# exact: 7B\n", "no column of it"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, old, new, message):
    (tmp_path / "it.csv").write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match=message):
        Table.read(tmp_path / "it.csv")


def test_every_number_and_deviation_has_its_place_by_name(table):
    assert table.places["Table 7: MeZO, 125M"] == ("MeZO", "125M")
    assert table.places["Table 7: MeZO-m, 125M, deviation"] == ("MeZO-m", "125M")
    assert table.places.keys() == {symbol.name for symbol in table.numbers}


def test_a_file_may_name_its_table(tmp_path):
    (tmp_path / "it.csv").write_text(f"# name: Table 7, gains\n{TEXT}")
    assert Table.read(tmp_path / "it.csv").name == "Table 7, gains"
    assert Table.read(tmp_path / "it.csv", "X Table 7").name == "X Table 7"


def test_a_table_is_read_row_by_row(table):
    head, columns, *rows = repr(table).splitlines()
    assert head == "Table 7, memory, GB"
    assert columns.split() == ["125M", "1.3B", "13B", "30B"]
    assert [row.split()[0] for row in rows] == list(table.rows)
    assert rows[1].split() == ["MeZO-m", "0.89", "(0.10)", "6.31", "(0.20)", "?", ">80"]


def test_a_notebook_shows_it_with_its_caption_and_tells_what_is_not_there(table):
    html = table._repr_html_()
    for said in ("Table 7: App. A.4", "Memory; unit: GB", "–: left out", "?: illegible", "&gt;80"):
        assert said in html
    assert "<mark>" not in html
