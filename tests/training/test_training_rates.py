import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.figures.training_rows import RATES, rate_row
from zotheory.evidence.trained import grids, rate, recorded
from zotheory.training.rates import (
    cells,
    compared,
    courses,
    lowest,
    markdown,
    median_regret,
    run_all,
    table,
)


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 30), st.floats(0.1, 10.0))
def test_the_walk_ends_at_the_minimum_and_asks_for_no_place_twice(start, least, edge, slope):
    asked = []

    def loss(place):
        asked.append(place)
        return math.nan if place > least + edge else abs(place - least) * slope

    assert lowest(loss, start) == least
    assert len(asked) == len(set(asked))
    assert {least - 1, least, least + 1} <= set(asked)


def test_runs_are_made_once_and_compared(setup, tmp_path, capsys):
    common = setup("mezo", passes=300, loss="label_words")
    work, rows = tmp_path / "work", tmp_path / "results" / "rates.jsonl"
    found = run_all(["mezo", "subzo"], 1, common, work, rows)
    told = capsys.readouterr().err
    assert "subzo, seed 0: subzo: rank must lie in" in told  # no matrix here has rank 64
    assert {row["method"] for row in found} == {"mezo"}
    (one,) = compared(recorded(rows))
    rule = found[0]
    assert rule["passes"] >= 300
    assert len(rule["readings"]) >= 8
    assert (one.rule, one.enclosed) == (rule, True)
    assert all(value >= one.least for value in one.losses.values())
    assert all(course.readings for course in courses(rule))
    assert table(found).row_count == 1
    assert run_all(["mezo"], 1, common, tmp_path / "nothing", rows) == found
    assert not (tmp_path / "nothing").exists()
    rows.unlink()
    times = {path: path.stat().st_mtime_ns for path in work.rglob("row.json")}
    assert run_all(["mezo"], 1, common, work, rows) == found
    assert all(path.stat().st_mtime_ns == before for path, before in times.items())
    rates = [row["setup"]["lrs"][0] for row in recorded(rows)]
    assert rates == [*sorted(rates[:-1]), "auto"]
    assert len(rates) == len(found)


def test_the_table_has_every_method_and_what_there_is_to_compare():
    again = {**RATES[-1], "seed": 1, "history": RATES[-2]["history"]}  # of LeZO, as MeZO
    lezo, mezo = cells([*RATES, again])
    assert lezo[:4] == ["lezo", "1.0e-6 to 2.0e-6", "2.00, 3.50", "0.75"]
    assert lezo[4:8] == ["-", "-", "-", "-"]
    assert mezo[:4] == ["mezo", "1.0e-6 to 2.0e-6", "3.50", "-"]
    assert mezo[4:8] == ["1.7e-6", "3.00", "+10.0%", "1.7e-6"]
    told = 10 * 2e-6 * 1e6  # of the second ten steps; of the third there is no reading
    assert float(mezo[8]) == pytest.approx((8.0 - 4.0) / told, abs=0.006)
    early = [rate_row(rate(2), [8.0, 3.5, 9.0], diverged=True), *RATES[:2], *RATES[3:]]
    assert cells(early)[1][7] == ">= 3.0e-6"
    assert median_regret(RATES) == (pytest.approx(0.1), 1)
    assert markdown(RATES).splitlines()[3] == f"| {' | '.join(mezo)} |"


def test_of_several_seeds_the_table_has_the_mean_and_the_order_is_of_passes():
    of_lezo, of_mezo = RATES[-1], RATES[-2]
    rows = [
        {**row, "seed": seed, "history": of_lezo["history"] if seed == 2 else row["history"]}
        for seed in range(3)
        for row in (of_mezo, of_lezo)
    ]
    lezo, mezo = cells(rows)
    ratio = float(cells(RATES)[0][3])
    assert lezo[3] == f"{ratio ** (2 / 3):.2f} ({ratio:.2f} to 1.00, 3 seeds)"
    assert lezo[2] == "2.00 (2.00 to 2.00, 3 seeds)"
    assert mezo[2] == "3.00 (2.00 to 3.50, 3 seeds)"
    alone = [{**of_mezo, "method": "other", "seed": 5}, *rows]
    assert [line[0] for line in cells(alone)] == ["lezo", "mezo", "other"]


def test_fixed_rates_are_tried_on_the_first_seed_only(setup, tmp_path):
    common = setup("mezo", passes=60)
    run_all(["mezo"], 2, common, tmp_path / "work", tmp_path / "rates.jsonl")
    first, second = grids(recorded(tmp_path / "rates.jsonl"))
    assert (first.seed, first.enclosed, second.seed, second.losses) == (0, True, 1, {})
    assert second.rule


def test_a_fall_is_predicted_from_the_readings_of_its_steps():
    def point(step, loss):
        return {"step": step, "passes": 2 * step, "loss": loss}

    history = [point(step, loss) for step, loss in ((0, 9.0), (10, 9.0), (20, 5.0), (30, 4.0))]
    readings = [[2, 5.0, 9.0, 9.0], [12, 5.0, 4.0, 6.0], [18, 5.0, 2.0, 2.0], [24, 5.0, 1.0, 2.0]]
    row = {"history": history, "readings": readings, "rates": [[10, 0.1], [15, 0.2]]}
    first, second = courses(row, parts=2)
    fall = 5 * (0.1 * 3.0 - 0.1**2 * 2.0) + 5 * (0.2 * 3.0 - 0.2**2 * 2.0)
    assert (first.passes, first.readings, first.actual) == ((20, 40), 2, 4.0 / 20)
    assert first.predicted == pytest.approx(fall / 20)
    assert second.predicted == pytest.approx(10 * (0.2 * 1.0 - 0.2**2 * 1.0) / 20)
