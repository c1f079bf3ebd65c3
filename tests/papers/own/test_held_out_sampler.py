import numpy as np
import pytest

from zotheory.evidence.draws import Recipe
from zotheory.papers.own.held_out import HeldOut


def test_shares_of_lowered_losses():
    rows = HeldOut(Recipe("mezo"), (-1.0, -0.5, 0.0, 1.0), 6)(np.random.default_rng(0), 1500)
    assert rows.shape == (1500, 4)
    assert set(np.unique(rows)) == {0.0, 1.0}
    assert rows[:, 0].sum() == 0
    assert rows[:, 3].all()
    assert rows[:, 1:3].mean(axis=0) == pytest.approx([1 / 3, 1 / 2], abs=0.06)


def test_gradients_have_the_cosines_that_are_asked_for():
    sampler = HeldOut(Recipe("mezo"), (-0.5, 0.8), 6)
    first, *others = sampler._gradients()
    assert [float(first @ g) for g in others] == pytest.approx([-0.5, 0.8])
    assert [float(g.norm()) for g in (first, *others)] == pytest.approx([1, 1, 1])
