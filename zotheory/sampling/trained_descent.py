"""TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, by the code that trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from estimators.zeroth_order import ZerothOrder
from zotheory.papers.shared.estimates import SEEDS, Recipe, zeros


@dataclass(frozen=True)
class TrainedDescent:
    """f(W_T) / f(W_0), capped at 1, after T steps of the recipe `tezo`, whose factors are kept.

    With C_st = (u_s . u_t)(v_s . v_t) of the factors that were drawn, the learning rate is
    1/(tr C + 2 lambda_max(C)), for which the part of the gradient within the span of the u_s v_s^T
    contracts in mean square. W_0 = 0, W* is fixed.
    """

    m: int
    n: int
    r: int
    steps: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        return np.array([self._run(int(rng.integers(SEEDS))) for _ in range(size)])

    def _run(self, seed: int) -> float:
        named = zeros({"W": (self.m, self.n)})
        ((_, weight),) = named
        target = torch.linspace(-1.0, 2.0, self.m * self.n, dtype=torch.float64)
        target = target.view(self.m, self.n)

        def loss() -> Tensor:
            return (weight - target).square().sum() / 2

        options = (("rank", self.r), ("lr", 0.0), ("seed", seed))
        optimizer = Recipe("tezo", options).build(named)
        start = optimizer.step(loss)  # draws the factors and, with the rate 0, moves nothing
        optimizer.param_groups[0]["lr"] = _rate(optimizer, weight)
        for _ in range(self.steps):
            optimizer.step(loss)
        with torch.no_grad():
            return min(1.0, float(loss()) / start)


def _rate(optimizer: ZerothOrder, weight: Tensor) -> float:
    u, v = optimizer.state[weight]["U"], optimizer.state[weight]["V"]
    gram = (u.T @ u) * (v.T @ v)
    return 1 / float(gram.trace() + 2 * torch.linalg.eigvalsh(gram)[-1])
