"""A network trained without a backward pass: `python examples/train_plain.py`."""

import torch
from torch import nn

import estimators

torch.manual_seed(0)
x = torch.randn(256, 2)
y = (x.square().sum(1) > 1.4).long()  # inside or outside a circle
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = estimators.q_spsa(model, lr=0.3, queries=4, seed=0)
for step in range(101):
    loss = optimizer.step(lambda: nn.functional.cross_entropy(model(x), y))
    if step % 20 == 0:
        print(f"step {step:3d}  loss {loss:.3f}")
