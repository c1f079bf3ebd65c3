"""The printed steps do what the papers print, and hold as many whole tensors as they form."""

import pytest
import torch

from zotheory.evidence.instruments import Memory
from zotheory.papers.own.drift import cycle, drift_of, own_steps, printed_cycles
from zotheory.papers.shared.printed import MeZO, TeZOAdam, generator


def test_generator_on_the_meta_device_is_none():
    assert generator(0, torch.device("meta")) is None


@pytest.mark.parametrize("economical", [True, False])
def test_mezo_moves_along_its_noise(economical):
    w = torch.ones(6, 5, dtype=torch.float64)
    g = torch.arange(30, dtype=torch.float64).view(6, 5)
    method = MeZO([w], 1e-3, 1e-2, economical)
    method.step(lambda: float((g * w).sum()), seed=4)
    z = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(w, 1 - 1e-2 * (g * z).sum() * z, rtol=0, atol=1e-9)


@pytest.mark.parametrize("economical", [True, False])
def test_tezo_adam_divides_the_expanded_moments(economical):
    w, b = torch.ones(6, 5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
    g = torch.arange(30, dtype=torch.float64).view(6, 5)
    method = TeZOAdam([w, b], 2, 1e-3, 1e-2, economical)
    method.step(lambda: float((g * w).sum() + 3 * b.sum()), seed=4)
    (u, v), _ = method.factors
    source = torch.Generator().manual_seed(4)
    tau = torch.randn(2, dtype=torch.float64, generator=source)
    zb = torch.randn(5, dtype=torch.float64, generator=source)
    kappa = (g * (u * tau @ v.T)).sum() + 3 * zb.sum()
    mean = 0.1 * kappa * (u * tau) @ v.T
    square = 0.01 * (u**2 * (kappa * tau) ** 2) @ (v**2).T
    torch.testing.assert_close(w, 1 - 1e-2 * mean / (square + 1e-5).sqrt(), rtol=0, atol=1e-9)
    dense = 0.1 * kappa * zb / (0.01 * (kappa * zb) ** 2 + 1e-5).sqrt()
    torch.testing.assert_close(b, -1e-2 * dense, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "economical", "tensors"),
    [(MeZO, True, 1), (MeZO, False, 3), (TeZOAdam, True, 2), (TeZOAdam, False, 5)],
)
def test_whole_tensors_held_at_the_peak(build, economical, tensors):
    w = torch.zeros(4000, 3000, device="meta")
    rank = {"rank": 1} if build is TeZOAdam else {}
    with Memory([w]) as memory:
        method = build([w], eps=1e-3, lr=1e-3, economical=economical, **rank)
        losses = iter((1.0, 2.0))
        method.step(lambda: next(losses), seed=0)
    assert memory.peak / w.nbytes - 1 == pytest.approx(tensors, abs=0.01)


def test_drift_counts_bits_and_norms():
    before = torch.tensor([1.0, 2.0, 2.0])
    found = drift_of(before, torch.tensor([1.0, 2.0, 2.3]))
    assert found.changed == 1
    assert found.moved == pytest.approx(0.1, rel=1e-6)
    assert drift_of(torch.tensor([0.0]).half(), torch.tensor([-0.0]).half()).changed == 1


def test_cycle_is_the_released_expression():
    w = 0.02 * torch.randn(2000, generator=torch.Generator().manual_seed(0))
    z = torch.randn(2000, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        expected, found, noise = w.to(dtype), w.to(dtype), z.to(dtype)
        for scale in (1, -2, 1):
            expected = expected + scale * noise * 1e-3
        cycle(found, noise, 1e-3)
        assert torch.equal(found, expected)


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
