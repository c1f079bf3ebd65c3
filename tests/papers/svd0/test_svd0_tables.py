"""The tables as transcribed: totals and averages add up; each claim is judged with its control."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from tests.papers.printed import controlled
from zotheory.evidence.grids import Grid
from zotheory.evidence.tables import Table
from zotheory.papers import svd0
from zotheory.papers.svd0.claims import CLAIMS
from zotheory.papers.svd0.grids import METHODS, mean_largest, sample_deviation
from zotheory.papers.svd0.largest_rank import FRAMES, SHAPES, _arithmetic, _held
from zotheory.papers.svd0.table3 import GROUPS
from zotheory.statistics.significance import signed_rank
from zotheory.vocabulary import Kind

PRINTED = [claim.id for claim in CLAIMS if Kind.PRINTED in claim.needs]
ROOM = Path(svd0.__file__).parent
TABLES = {path.stem: Table.read(path) for path in sorted((ROOM / "tables").glob("*.csv"))}


def value(table, row, column) -> Fraction:
    return Fraction(table.cells[row, column].split()[0])


def gain(table, row, tasks) -> Fraction:
    ours, mezo = (sum(value(table, method, task) for task in tasks) for method in (row, "MeZO"))
    return 100 * (ours / mezo - 1)


@pytest.mark.parametrize("group", GROUPS)
def test_totals_of_table_3_follow_from_its_cells(group):
    table, totals = TABLES["table3"], TABLES["table3_totals"]
    for row in totals.rows:
        off = gain(table, row, GROUPS[group]) - value(totals, row, group)
        assert abs(off) <= Fraction(6, 1000), row


@pytest.mark.parametrize("name", ["table8", "table9"])
def test_totals_of_tables_8_and_9_follow_from_their_cells(name):
    table, totals = TABLES[name], TABLES[f"{name}_totals"]
    for row in table.rows:
        off = gain(table, row, table.columns) - value(totals, row, "Total")
        assert abs(off) <= Fraction(6, 1000), row


def test_averages_of_table_6_follow_from_its_cells():
    *tasks, last = TABLES["table6"].columns
    for row in TABLES["table6"].rows:
        mean = sum(value(TABLES["table6"], row, task) for task in tasks) / 4
        assert abs(mean - value(TABLES["table6"], row, last)) <= Fraction(1, 20)


def test_tables_repeat_each_other():
    """SST-2 with OPT-1.3B: rank 24, an update every 1000 steps."""
    t = TABLES
    assert t["table5"].cells["24", "1e-7"] == t["table4"].cells["1000", "SST-2"]
    assert t["table5"].cells["24", "5e-7"] == t["table17"].cells["No noise", "SST-2"]
    assert t["table5"].cells["24", "5e-7"] == t["table22"].cells["Accuracy", "MeZO"]
    assert t["table20"].cells["SVD-0", "Memory"] == t["table2"].cells["SVD-0", "OPT-1.3B"]


def test_as_many_settings_as_the_paper_lists():
    grids = {n: Grid.read(ROOM / "grids" / f"table{n}.csv") for n in (10, 11, 12)}
    counts = {
        n: [np.prod([len(grid.lists[m, c]) or 1 for c in grid.columns]) for m in grid.rows]
        for n, grid in grids.items()
    }
    assert counts == {10: [3, 4, 2, 24, 48, 60], 11: [3, 24, 6, 27], 12: [3, 4, 3]}
    assert grids[10].rows[1:] == METHODS


def test_signed_ranks_of_table_3_are_scipys():
    table = TABLES["table3"]
    pairs = [[value(table, m, task) for m in ("SVD-0", "SubZero")] for task in table.columns]
    differences = [float(ours - theirs) for ours, theirs in pairs]
    assert sum(d > 0 for d in differences) == 5
    approximate = stats.wilcoxon(np.round(differences, 1), method="approx").pvalue
    assert signed_rank(*differences) == pytest.approx(approximate, abs=0.05)


@pytest.mark.parametrize("count", [1, 4, 60])
def test_the_mean_largest_of_normals(count):
    law = stats.norm
    found, _ = integrate.quad(
        lambda t: t * count * law.cdf(t) ** (count - 1) * law.pdf(t), -9, 9, limit=200
    )
    assert mean_largest(count) == pytest.approx(found, abs=1e-8)


def test_the_deviation_of_the_seeds():
    assert sample_deviation(93.0, 90.1, 90.4) == pytest.approx(stats.tstd([93.0, 90.1, 90.4]))


@pytest.mark.parametrize("model", SHAPES)
def test_the_estimator_holds_what_arithmetic_says(model):
    assert _held(SHAPES[model]) == _arithmetic(None)[FRAMES[model]]


@pytest.mark.parametrize("id", PRINTED)
def test_a_claim_is_judged_and_its_control_goes_the_other_way(id):
    controlled(id)
