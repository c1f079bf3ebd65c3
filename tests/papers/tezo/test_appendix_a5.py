"""Appendix A.5: where runs with frozen factors go, and LoRA's sizes."""

from types import SimpleNamespace

import numpy as np
import pytest

from zotheory.papers.tezo import appendix_a5 as it

CONTEXT = SimpleNamespace(claim="tezo.a5.lora300m", seed=0, tell=lambda _: None)


@pytest.mark.parametrize("name", it.METHODS)
def test_runs_stay_in_the_span_of_the_factors(name):
    moved = it.displacements(name, 4, 5, 3, 30, seed=1)
    assert moved.shape == (30, 20)
    values = np.linalg.svd(moved, compute_uv=False)
    assert values[2] > 1e-3 > 1e-9 > values[3]


def test_factors_drawn_anew_would_reach_everything():
    """The control: the same count says the whole space where u and v are redrawn."""
    import torch

    import estimators

    weight = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))
    optimizer, rng = estimators.tezo([weight], lr=1.0, rank=1, interval=1, seed=0), iter(range(99))
    rows = []
    for _ in range(12):
        optimizer.step(lambda: float(next(rng) % 3))
        rows.append(weight.detach().numpy().ravel().copy())
    assert np.linalg.matrix_rank(np.array(rows)) == 6


def test_the_largest_lora_is_what_one_counts_by_hand():
    (case,) = it._lora(None, CONTEXT)
    assert case.values[it.MOST] == 40 * 16 * (4 * 2 * 5120 + 2 * (5120 + 20480)) == 58_982_400
    assert case.values[it.NEAREST] == case.values[it.MOST]  # all of them are below 300M
    assert case.notes["ranks and subsets"] == 16 * 63
