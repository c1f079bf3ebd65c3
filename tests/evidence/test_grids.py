"""Lists of values are read as printed, counted, and refused where they are none."""

import pytest

from zotheory.evidence.grids import Grid, settings

TEXT = """# place: Table 10, App. A.3
# title: a grid
method,Learning rate,eps,Rank
MeZO,"1e-7, 5e-7, 1e-6",1e-3,
SVD-0,"1e-7, 2e-6",1e-3,"24, 32, 48"
"""


@pytest.fixture
def grid(tmp_path):
    def read(text=TEXT):
        (tmp_path / "table10.csv").write_text(text)
        return Grid.read(tmp_path / "table10.csv")

    return read


def test_values_are_kept_as_printed(grid):
    found = grid()
    assert (found.rows, found.columns) == (("MeZO", "SVD-0"), ("Learning rate", "eps", "Rank"))
    assert found.lists["MeZO", "Learning rate"] == ("1e-7", "5e-7", "1e-6")
    assert found.lists["MeZO", "Rank"] == ()


def test_sizes_and_largest_values_are_tables_of_exact_numbers(grid):
    sizes, largest = grid().sizes(), grid().largest()
    assert sizes.cells["SVD-0", "Rank"] == "3"
    assert largest.cells["SVD-0", "Learning rate"] == "0.000002"
    assert not sizes.has("MeZO", "Rank")
    assert not largest.has("MeZO", "Rank")
    assert all(number.half == 0 for t in (sizes, largest) for number in t.numbers.values())
    assert not sizes.numbers.keys() & largest.numbers.keys()


def test_settings_are_the_product_of_the_sizes(grid):
    sizes = grid().sizes()
    values = {cell: number.value for cell, number in sizes.numbers.items()}
    assert [settings(sizes, m).xreplace(values) for m in sizes.rows] == [3, 6]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# place: Table 10, App. A.3\n", "", "must say its place"),
        ("1e-3,\n", "1e-3\n", "has 2 cells, not 3"),
        ("5e-7", "?", "lists no numbers"),
        ("5e-7", "10e-8", "lists a value twice"),
    ],
)
def test_what_is_no_grid_is_refused(grid, old, new, message):
    with pytest.raises(ValueError, match=message):
        grid(TEXT.replace(old, new, 1))
