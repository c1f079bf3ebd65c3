"""Student's interval keeps its error for normal values."""

import numpy as np
import pytest

from zotheory.statistics.intervals import student


def test_it_misses_the_mean_as_often_as_said():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (4000, 5))
    ends = np.array([student(row, 0.1) for row in rows])
    missed = ((ends[:, 0] > 3) | (ends[:, 1] < 3)).mean()
    assert missed == pytest.approx(0.1, abs=0.02)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="two values"):
        student(np.ones(1), 0.1)
