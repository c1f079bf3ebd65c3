import numpy as np
import pytest

from zotheory.papers.own.gv_reseeding import SIZE, TENSORS, ReseededMean, reseeded_gain


@pytest.mark.parametrize(("tensors", "n"), [(2, 2), (2, 20), (3, 4), (5, 10), (5, 200), (9, 3)])
def test_the_simulated_gain_lies_between_the_bounds(tensors, n):
    found = reseeded_gain()
    drawn = ReseededMean(tensors, n)(np.random.default_rng(n), 400_000) - 1
    error = 4.5 * drawn.std() / 400_000**0.5
    lower, upper = (
        float(end.subs({TENSORS: tensors, SIZE: n})) for end in (found.lower, found.upper)
    )
    assert lower - error < drawn.mean() < upper + error


def test_five_large_tensors_are_just_enough():
    found = reseeded_gain()
    at = {SIZE: 10**9}
    assert float(found.upper.subs(at | {TENSORS: 5})) < 0.05
    assert float(found.lower.subs(at | {TENSORS: 4})) > 0.05
