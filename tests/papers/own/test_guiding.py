import numpy as np
import pytest
import sympy as sp

from proofs_check.cards import card
from proofs_check.cards.ratio import number
from zotheory.papers.own.forward import guiding_cosine


@pytest.mark.parametrize("d", [2, 3, 10, 200])
@pytest.mark.parametrize("candidates", [2, 4])
def test_the_exact_cosine_lies_between_the_bounds(candidates, d):
    found = guiding_cosine(sp.Integer(candidates), sp.Integer(d))
    best = candidates // 2
    exact = number(card("guiding_vector", m=d, n=1, candidates=candidates, best=best).cos2)
    assert found.lower <= exact * (1 + 1e-9)
    assert exact < found.upper
    assert (candidates == 2) == (exact == pytest.approx(float(found.lower)))


@pytest.mark.parametrize("candidates", [2, 6, 12])
def test_simulated_draws_obey_the_bounds_one_by_one(candidates):
    y = np.sort(np.random.default_rng(0).standard_normal((5000, candidates)), axis=1)
    weights = np.repeat([1.0, -1.0], candidates // 2)
    x = (y @ weights) ** 2 / candidates
    unordered = np.random.default_rng(1).permuted(y, axis=1)
    assert np.all(x <= (y**2).sum(axis=1) * (1 + 1e-12))
    assert np.all(x >= (unordered @ weights) ** 2 / candidates * (1 - 1e-12))
