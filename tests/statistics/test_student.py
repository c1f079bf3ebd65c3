"""Student's interval keeps its error for normal values."""

import numpy as np
import pytest

from zotheory.statistics.intervals import jackknife, student


def test_it_misses_the_mean_as_often_as_said():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (4000, 5))
    ends = np.array([student(row, 0.1) for row in rows])
    missed = ((ends[:, 0] > 3) | (ends[:, 1] < 3)).mean()
    assert missed == pytest.approx(0.1, abs=0.02)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="two values"):
        student(np.ones(1), 0.1)


def test_the_jackknife_of_a_mean_is_students():
    values = np.random.default_rng(2).exponential(size=12)
    value, low, high = jackknife(np.mean, values, 0.05)
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx(student(values, 0.05))


def test_the_jackknife_misses_a_ratio_about_as_often_as_said():
    rng, missed, runs = np.random.default_rng(3), 0, 2000
    for _ in range(runs):
        x = 2 + rng.standard_normal(30)
        rows = np.stack([x, 3 * x + rng.standard_normal(30)], axis=1)
        _, low, high = jackknife(lambda r: r[:, 1].mean() / r[:, 0].mean(), rows, 0.1)
        missed += not low <= 3 <= high
    assert missed / runs == pytest.approx(0.1, abs=0.03)


def test_a_statistic_that_is_not_finite_has_no_bounds():
    def statistic(rows):
        return np.log(rows.sum()) if rows.sum() > 0 else np.nan

    assert jackknife(statistic, np.array([1.0, 1.0, -1.5]), 0.1)[1:] == (-np.inf, np.inf)
    with pytest.raises(ValueError, match="at least two rows"):
        jackknife(statistic, np.ones(1), 0.1)
