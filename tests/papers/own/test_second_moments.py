"""Second moments of estimates: exact ones, against the estimates of the code that trains."""

import numpy as np
import pytest
import torch
from torch import nn

import estimators
from zotheory.model.curvature import products, read
from zotheory.papers.own.second_moments import masks, second_moment

SHAPES = {"embedding.weight": (5, 3), "layers.0.weight": (3, 4), "layers.1.weight": (4, 3)}
VECTORS = ("layers.0.bias", "layers.1.bias")
OPTIONS = {
    "mezo": {},
    "rademacher": {},
    "lozo": {"rank": 2},
    "tezo": {"rank": 2},
    "subzo": {"rank": 2},
    "svd0": {"rank": 2},
    "s_mezo": {"sparsity": 0.5},
    "lezo": {"sparsity": 0.5},
    "mezo_gv": {},
    "mezo_greedy": {},
}
DRAWS = 1500


class Net(nn.Module):
    """Two layers and an embedding, whose loss is a quadratic in all of them."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3, dtype=torch.float64)
        self.layers = nn.ModuleList(nn.Linear(*x, dtype=torch.float64) for x in ((4, 3), (3, 4)))
        draw = torch.Generator().manual_seed(3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
        size = sum(p.numel() for p in self.parameters())
        root = torch.randn((size, size), generator=draw, dtype=torch.float64)
        signs = torch.linspace(-0.4, 1.0, size, dtype=torch.float64)
        self.form = root @ torch.diag(signs) @ root.T / size
        self.slope = torch.randn(size, generator=draw, dtype=torch.float64)
        self.start = self.flat().clone()

    def flat(self):
        return torch.cat([p.detach().flatten() for p in self.parameters()])

    def loss(self):
        moved = self.flat() - self.start
        return self.slope @ moved + moved @ self.form @ moved / 2

    @property
    def gradient(self):
        return self.named(self.slope)

    def hessian(self, vector):
        """As `Curved` has it."""
        return self.named(self.form @ torch.cat([part.flatten() for part in vector.values()]))

    def named(self, flat):
        parts = torch.split(flat, [p.numel() for p in self.parameters()])
        names = dict(self.named_parameters())
        return {
            name: part.view(p.shape) for (name, p), part in zip(names.items(), parts, strict=True)
        }


@pytest.mark.parametrize("name", OPTIONS)
def test_exact_moments_are_those_of_the_estimates(name):
    net = Net()
    optimizer = getattr(estimators, name)(net, seed=0, **OPTIONS[name])
    drawn = []
    for seed in range(DRAWS):
        found = optimizer.estimate(net.loss, seed=seed)
        flat = torch.cat([found[key].flatten() for key, _ in net.named_parameters()])
        drawn.append([float(net.slope @ flat), float(flat @ net.form @ flat)])
    drawn = np.array(drawn)
    error = drawn.std(axis=0) / DRAWS**0.5
    assert np.all(np.abs(drawn.mean(axis=0) - _exact(net, optimizer)) < 4.5 * error)


def _exact(net, optimizer):
    """Slope and curvature, averaged over vectors v with E v v^T = I: the unit ones, lengthened."""
    moment, kept = second_moment(optimizer), masks(optimizer)
    on = {n: kept[n].double() if kept else torch.ones_like(p) for n, p in net.named_parameters()}
    gradient = {name: part * on[name] for name, part in net.gradient.items()}
    norms2 = np.array([float(part.square().sum()) for part in gradient.values()])
    size = len(net.slope)
    found = []
    for v in size**0.5 * torch.eye(size, dtype=torch.float64):
        seen = products(net, net.named(v)).masked(on)
        found.append(moment.curvature(read(gradient, seen), norms2))
    return np.array([moment.slope @ norms2, np.mean(found)])
