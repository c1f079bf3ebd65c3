"""Estimators and objectives for the tests, the estimators written as a user would."""

import numpy as np
import torch

from zotheory.probing.objectives import Objective


class Random:
    """One two-sided difference along a Gaussian direction."""

    def __init__(self, params, seed):
        self.params = params
        self.generator = torch.Generator().manual_seed(seed)

    def estimate(self, closure):
        z = [
            torch.randn(p.shape, dtype=p.dtype, generator=self.generator) * 1e-3
            for p in self.params
        ]
        plus = self.at(closure, z, 1)
        minus = self.at(closure, z, -1)
        return [(plus - minus) / 2e-6 * part for part in z]

    def at(self, closure, z, sign):
        for p, part in zip(self.params, z, strict=True):
            p += sign * part
        loss = closure()
        for p, part in zip(self.params, z, strict=True):
            p -= sign * part
        return loss


class Leaning(Random):
    """Biased: adds a fixed matrix of entries 1/sqrt(d), whatever the gradient is."""

    def estimate(self, closure):
        (found,) = super().estimate(closure)
        return [found + found.numel() ** -0.5]


class Still:
    """Spends nothing and returns a fixed matrix."""

    def __init__(self, params, seed, fill=1.0):
        self.params, self.fill = params, fill

    def estimate(self, closure):
        return [torch.full_like(p, self.fill) for p in self.params]


def ramp(m: int, n: int) -> Objective:
    """A linear loss whose gradient has entries proportional to 1, 2, ..., mn."""
    gradient = torch.arange(1.0, m * n + 1, dtype=torch.float64).view(m, n)
    weights = torch.from_numpy(np.random.default_rng(0).standard_normal((m, n)))
    return Objective("ramp", weights, gradient / gradient.norm())
