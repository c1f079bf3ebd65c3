"""How far weights move is counted in bits and in norms, whatever the threads."""

import pytest
import torch

from zotheory.papers.own.drift import drift_of, own_steps, printed_cycles


def test_drift_counts_bits_and_norms():
    before = torch.tensor([1.0, 2.0, 2.0])
    found = drift_of(before, torch.tensor([1.0, 2.0, 2.3]))
    assert found.changed == 1
    assert found.moved == pytest.approx(0.1, rel=1e-6)
    assert drift_of(torch.tensor([0.0]).half(), torch.tensor([-0.0]).half()).changed == 1


def test_drift_is_the_same_whatever_the_threads():
    types = (torch.float32, torch.bfloat16)
    first = printed_cycles(70_000, 3, types, 1e-3, 5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    printed_cycles.cache_clear()
    assert printed_cycles(70_000, 3, types, 1e-3, 5) == first
    torch.set_num_threads(threads)
    exact = printed_cycles(70_000, 3, (torch.float64,), 1e-3, 5)
    assert exact[torch.float64].moved < 1e-14


def test_our_default_returns_16_bit_weights():
    from estimators import mezo

    for dtype in (torch.float16, torch.bfloat16):
        assert own_steps(mezo, 5000, 20, dtype, 1e-3, 0).changed == 0
    assert own_steps(mezo, 5000, 20, torch.float32, 1e-3, 0).changed > 0
    assert own_steps(mezo, 5000, 20, torch.float32, 1e-3, 0, "copy").changed == 0
