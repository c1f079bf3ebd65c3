"""The published loop makes MeZO's step, and LeZO's on the layers it keeps."""

import pytest
import torch
from torch import nn

from zotheory.papers.shared.printed import PublishedStep


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
