"""What recorded training runs say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.figures.training_rows import RATES, rate_row
from zotheory.evidence.trained import (
    FACTOR,
    Grid,
    RowsError,
    best_rates,
    end,
    grids,
    loss_at,
    place_of,
    races,
    rate,
    recorded,
    to_the_same_loss,
)


@given(st.integers(-20, 40))
def test_a_place_of_the_grid_is_found_again(place):
    assert place_of(rate(place)) == place
    assert rate(place + 1) / rate(place) == pytest.approx(FACTOR, rel=0.01)


def test_what_the_rule_lost_is_measured_by_the_fall_of_the_best_rate():
    losses = {rate(0): 5.0, rate(1): 4.0, rate(2): 6.0}
    one = Grid("mezo", 0, losses, {}, rate_row("auto", [8.0, 5.0]))
    assert (one.best, one.least, one.enclosed, one.regret) == (rate(1), 4.0, True, 0.25)
    open_ended = Grid("mezo", 0, {rate(0): 5.0, rate(1): 4.0}, {}, rate_row("auto", [8.0, 3.0]))
    assert (open_ended.enclosed, open_ended.regret) == (False, -0.25)
    assert not Grid("mezo", 0, {}, {}, {}).enclosed


def test_runs_are_gathered_by_method_and_seed():
    mezo, lezo = grids(RATES)
    assert (mezo.method, mezo.losses) == ("mezo", {rate(0): 4.0, rate(1): 3.0, rate(2): math.inf})
    assert mezo.halfway == {rate(0): 5.0, rate(1): 4.0, rate(2): 9.0}
    assert mezo.best_halfway == rate(1)
    assert (end(mezo.rule), end(lezo.rule), lezo.losses) == (3.5, 2.0, {})


def test_a_loss_between_two_evaluations_is_on_a_straight_line():
    row = rate_row(rate(0), [8.0, 5.0, 4.0])
    found = [loss_at(row, passes) for passes in (0, 5, 20, 30, 40)]
    assert found == [8.0, 7.25, 5.0, 4.5, 4.0]
    assert loss_at(row, 41) == math.inf


def course(*losses):
    return [{"passes": 10 * i, "loss": loss} for i, loss in enumerate(losses)]


def test_runs_are_compared_at_the_lowest_loss_that_both_have_reached():
    quick, slow = course(8, 6, 4, 2), course(8, 7, 6, 5)
    assert to_the_same_loss(quick, slow) == pytest.approx(15 / 30)
    assert to_the_same_loss(slow, quick) == pytest.approx(30 / 15)
    assert to_the_same_loss(course(8, 6, 4, 4), course(8, 6, 4, 4)) == 1.0
    assert to_the_same_loss(course(8, 9, 9), course(8, 6, 4)) == math.inf
    assert to_the_same_loss(course(8, 6), course(8, 9)) == 0.0
    assert math.isnan(to_the_same_loss(course(8, 9), course(8, 9)))


def test_a_race_is_between_runs_that_differ_in_the_method_alone():
    mezo = rate_row("auto", [8.0, 6.0, 4.0])
    lezo = rate_row("auto", [8.0, 4.0, 4.0], method="lezo")
    assert races([mezo, lezo], "lezo", "mezo") == {0: pytest.approx(0.5)}
    assert races([mezo, lezo], "tezo", "mezo") == {}
    assert races([mezo, {**lezo, "seed": 1}], "lezo", "mezo") == {}
    prefix = {**mezo, "setup": {**mezo["setup"], "tuning": "prefix"}}
    assert races([mezo, lezo, prefix], "lezo", "mezo") == {0: pytest.approx(0.5)}
    longer = {**lezo, "setup": {**lezo["setup"], "passes": 50}}
    with pytest.raises(RowsError, match="of lezo and mezo, seed 0, differ in passes"):
        races([mezo, longer], "lezo", "mezo")


def test_the_package_carries_rows_whose_best_rates_are_enclosed():
    rows = recorded()
    best = best_rates(seed=0)
    assert {"mezo", "lezo", "tezo"} <= set(best)
    tried = {(row["method"], row["setup"]["lrs"][0]) for row in rows if row["seed"] == 0}
    for method, lr in best.items():
        assert {(method, rate(place_of(lr) + side)) for side in (-1, 0, 1)} <= tried


def test_a_file_that_is_no_list_of_rows_is_one_clear_line(tmp_path):
    with pytest.raises(RowsError, match=r"cannot read .*training.rates` makes it"):
        recorded(tmp_path / "rates.jsonl")
    (tmp_path / "rates.jsonl").write_text('{"row":')
    with pytest.raises(RowsError, match="is damaged"):
        recorded(tmp_path / "rates.jsonl")
