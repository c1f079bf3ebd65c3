"""Samplers through the recipes against the exact cards, and against each other."""

import numpy as np
import pytest

from proofs_check.cards import card
from zotheory.evidence.draws import Recipe
from zotheory.papers.shared.estimates import MatrixCosines, VectorCosines, fixed_gradient


def test_one_column_per_recipe():
    recipes = (Recipe("mezo"), Recipe("q_spsa", (("queries", 4),)))
    rows = VectorCosines(recipes, 20)(np.random.default_rng(0), 800)
    assert rows.shape == (800, 2)
    expected = [20 * float(card("averaged", q=q, m=20, n=1).cos2) for q in (1, 4)]
    assert rows.mean(axis=0) == pytest.approx(expected, rel=0.2)


def test_tensors_are_independent_samples():
    sampler = MatrixCosines(Recipe("lozo", (("rank", 1),)), 2, 3, (1, 2))
    rows = sampler(np.random.default_rng(1), 1500)
    assert rows.shape == (1500, 2)
    assert len(np.unique(rows)) == rows.size
    assert rows.mean(axis=0) == pytest.approx([1 / 6, 1 / 6], rel=0.15)
    assert abs(np.corrcoef(rows[:-1, 0], rows[1:, 0])[0, 1]) < 0.1


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_have_the_rank_that_is_asked_for(rank):
    gradient = fixed_gradient(3, 4, rank)
    assert np.linalg.matrix_rank(gradient.numpy()) == rank
    assert gradient.norm() == pytest.approx(1)
