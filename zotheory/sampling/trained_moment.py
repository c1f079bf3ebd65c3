"""TeZO-Adam's separable second moment against the dense one, by the code that trains."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch

from zotheory.papers.shared.estimates import SEEDS, Recipe, zeros

_EPS = 1e-3


@dataclass(frozen=True)
class TrainedMoment:
    """Mean over coordinates of ((V_T - Vhat_T) / r)^2 after T steps of `tezo_adam`, kappa = 1.

    V_T is the dense moving average of the squared estimates, Vhat_T what the optimiser keeps on
    tau. The losses of a step are eps and -eps whatever the weights, so that kappa is 1.
    """

    m: int
    n: int
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        return np.array([self._run(int(rng.integers(SEEDS))) for _ in range(size)])

    def _run(self, seed: int) -> float:
        named = zeros({"W": (self.m, self.n)})
        ((name, weight),) = named
        options = {"rank": self.r, "lr": 0.0, "eps": _EPS, "seed": seed, "betas": (0.9, self.beta2)}
        optimizer = Recipe("tezo_adam", tuple(options.items())).build(named)
        losses = cycle((_EPS, -_EPS))
        dense = torch.zeros(self.m, self.n, dtype=torch.float64)
        for _ in range(self.steps):
            estimate = optimizer.estimate(lambda: next(losses))[name]
            dense.mul_(self.beta2).addcmul_(estimate, estimate, value=1 - self.beta2)
            optimizer.step(lambda: next(losses))
        state = optimizer.state[weight]
        kept = (state["U"].square() * state["v"]) @ state["V"].square().T
        return float(((dense - kept) / self.r).square().mean())
