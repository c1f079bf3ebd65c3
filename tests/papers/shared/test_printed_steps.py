"""The printed steps do what the papers print, and hold as many whole tensors as they form."""

import pytest
import torch
from torch import nn

from zotheory.evidence.instruments import Memory
from zotheory.papers.shared.steps import (
    Evaluate,
    MeZO,
    Perturb,
    PublishedStep,
    Schedule,
    TeZOAdam,
    Update,
    cycle,
    generator,
    run,
)


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


def test_cycle_is_the_released_expression():
    w = 0.02 * torch.randn(2000, generator=torch.Generator().manual_seed(0))
    z = torch.randn(2000, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        expected, found, noise = w.to(dtype), w.to(dtype), z.to(dtype)
        for scale in (1, -2, 1):
            expected = expected + scale * noise * 1e-3
        cycle(found, noise, 1e-3)
        assert torch.equal(found, expected)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), *(nn.Linear(3, 3) for _ in range(4))).double()
    model.layers = nn.ModuleList(model[1:])
    return model


def linear_loss(model):
    torch.manual_seed(1)
    slopes = [torch.randn_like(p) for p in model.parameters()]
    return lambda: sum((a * p).sum() for a, p in zip(slopes, model.parameters(), strict=True))


def moves(model, step, loss):
    before = [p.detach().clone() for p in model.parameters()]
    step(loss)
    return [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]


def test_it_moves_along_its_noise_by_the_projected_gradient(model):
    loss = linear_loss(model)
    step = PublishedStep(model, lr=0.1)
    moved = torch.cat([m.flatten() for m in moves(model, step, loss)])
    slopes = torch.cat([p.grad.flatten() for p in _gradients(model, loss)])
    z = torch.cat([d.flatten() for d in _noise(model, step.steps)])
    torch.testing.assert_close(moved, -0.1 * (slopes @ z) * z, rtol=1e-6, atol=1e-9)


def _gradients(model, loss):
    model.zero_grad()
    loss().backward()
    return list(model.parameters())


def _noise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.empty_like(p).normal_(generator=generator) for p in model.parameters()]


def test_lezo_leaves_the_share_of_layers_out_and_the_rest_moves(model):
    step = PublishedStep(model, lr=0.1, layers=model.layers, sparsity=0.5)
    kept = []
    for _ in range(6):
        moved = [float(m.abs().max()) for m in moves(model, step, linear_loss(model))]
        assert min(moved[:2]) > 1e-8  # outside the repeated layers
        still = [max(moved[2 + 2 * k : 4 + 2 * k]) < 1e-12 for k in range(4)]
        assert sum(still) == 2
        kept.append(tuple(still))
    assert len(set(kept)) > 1


def square(weights: float) -> float:
    return weights**2


def test_lines_are_executed_in_their_order():
    lines = (Perturb(1), Evaluate("a"), Perturb(-2), Evaluate("b"), Perturb(1), Update("a", "b"))
    done = run(lines, 3.0, square, noise=2.0, eps=0.5, eta=0.1)
    assert done.before == 3.0
    slope = (4.0**2 - 2.0**2) / (2 * 0.5)
    assert done.after == 3.0 - 0.1 * slope * 2.0


def test_nothing_is_added_to_what_is_printed():
    lines = (Evaluate("a"), Perturb(), Evaluate("b"), Perturb(), Update("a", "b"))
    done = run(lines, 3.0, square, noise=2.0, eps=0.5, eta=0.1)
    assert done.before == 5.0
    assert done.after == 5.0 - 0.1 * ((9.0 - 16.0) / 1.0) * 2.0


@pytest.mark.parametrize(
    "lines", [(), (Evaluate("a"),), (Update("a", "a"), Perturb()), (Update("a", "b"),) * 2]
)
def test_a_step_ends_with_its_update(lines):
    with pytest.raises(ValueError, match="update"):
        run(lines, 0.0, square, 1.0, 1.0, 1.0)


def test_a_loss_that_was_not_evaluated_is_missed():
    with pytest.raises(KeyError):
        run((Evaluate("a"), Update("a", "b")), 0.0, square, 1.0, 1.0, 1.0)


def test_schedules():
    assert list(Schedule(1, 0).drawn_at(3, 5)) == [(1, None), (2, None), (3, 3), (4, 3), (5, 3)]
    assert list(Schedule(1, -1).drawn_at(3, 5)) == [(1, 1), (2, 1), (3, 1), (4, 4), (5, 4)]
    assert list(Schedule(1, 0).drawn_at(1, 2)) == [(1, 1), (2, 2)]
