"""SVD-0's Table 14 beside noise: drawn cosines have the spread, and other numbers would not do."""

import numpy as np
import pytest

from tests.papers.printed import judged, with_cells
from zotheory.papers.own.table14_noise import ENTRIES, TABLE14

ID = "own.table14_noise"


def test_it_holds_and_a_false_neighbour_does_not():
    entry = judged(ID)
    assert entry.verdict == "proved"
    assert {e.kind: e.verdict for e in entry.evidence} == {
        "exact": "proved",
        "printed": "confirmed",
    }
    assert entry.mutant.verdict == "refuted"


@pytest.mark.parametrize("row", ENTRIES)
def test_it_would_fail_with_a_deviation_a_fifth_off(row):
    noise = ENTRIES[row] ** -0.5
    cell = TABLE14[row, "Std"]
    for factor in (0.8, 1.2):
        assert with_cells(ID, {cell: f"{factor * noise:.5f}"}) == "refuted"
    assert with_cells(ID, {cell: f"{noise:.4f}"}) == "proved"


def test_cosines_of_noise_have_that_spread():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4000, 4096))
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosines.std() == pytest.approx(4096**-0.5, rel=0.05)
