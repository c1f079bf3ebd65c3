import numpy as np
import pytest
import sympy as sp

from proofs_check.enclosures import enclose
from zotheory.papers.own import gv_break_even as module
from zotheory.papers.own.gv_break_even import CANDIDATES, break_even, two_point_limit


def spread_and_size(candidates, size=200_000):
    """E A^2/spread and E S/M by simulation, with standard errors."""
    y = np.sort(np.random.default_rng(candidates).standard_normal((size, candidates)), axis=1)
    total = y @ np.repeat([-1.0, 1.0], candidates // 2)
    for values in (total**2 / candidates, total / candidates):
        yield values.mean(), values.std() / size**0.5


@pytest.mark.parametrize("candidates", [2, 4, 10, 12, 16])
def test_limits_against_simulation(candidates):
    (square, error), (size, size_error) = spread_and_size(candidates)
    selection = module._half(candidates)
    exact = enclose(module._limit(selection)).middle
    assert exact == pytest.approx(square, abs=4.5 * error)
    assert enclose(-selection.first / 2).middle == pytest.approx(size, abs=4.5 * size_error)


def test_the_simulated_sign_changes_where_the_proof_says():
    least = int(break_even().value)
    for candidates in (least - 2, least):
        (square, error), _ = spread_and_size(candidates, 1_000_000)
        gap = square - (candidates + 2) / 2
        assert (gap > 4 * error) == (candidates == least)


def test_two_losses_a_direction():
    assert two_point_limit() == CANDIDATES / 2 + 1


def test_a_rival_that_nothing_beats(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST", 6)
    monkeypatch.setattr(module, "two_point_limit", lambda: CANDIDATES + sp.Integer(1))
    with pytest.raises(ArithmeticError, match="no M up to 6"):
        break_even.__wrapped__()
