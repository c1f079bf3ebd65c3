"""Losses with a known gradient, on which estimates are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.streams import stream_key

EPS = 1e-3  # the recipes' perturbation scale, against which the curvature is set


class ProbeError(Exception):
    """What is asked cannot be probed; the message says why in one line."""


@dataclass(frozen=True, eq=False)
class Objective:
    """f(W) = <G, W - W0> + <H, (W - W0)^2> / 2 near the point W0, in 64 bits.

    weights: W0 (m x n). gradient: G, the gradient at W0, ||G|| = 1. curvature: the diagonal H of
    the Hessian as an m x n matrix, None where f is linear.
    """

    name: str
    weights: Tensor
    gradient: Tensor
    curvature: Tensor | None = None

    @property
    def entries(self) -> int:
        """d = mn."""
        return self.weights.numel()

    def parameters(self, layers: int = 1) -> list[Tensor]:
        """Fresh parameters at W0: the whole matrix, or its rows as some layers."""
        parts = self.weights.tensor_split(layers)
        return [part.clone().requires_grad_() for part in parts if part.numel()]

    def loss(self, parameters: Sequence[Tensor]) -> float:
        """f at the parameters, as a number: nothing can be differentiated through it."""
        moved = torch.cat([part.detach() for part in parameters]) - self.weights
        value = (self.gradient * moved).sum()
        if self.curvature is not None:
            value = value + (self.curvature * moved.square()).sum() / 2
        return float(value)


def linear(m: int, n: int, seed: int) -> Objective:
    """A linear loss whose gradient has entries of one size and random signs.

    No set of entries is favoured, so that masks and coordinates meet the average over gradients.
    """
    generator = _generator("linear", seed)
    signs = torch.randint(0, 2, (m, n), generator=generator).double() * 2 - 1
    return Objective("linear", _normal(m, n, generator), signs / (m * n) ** 0.5)


def quadratic(m: int, n: int, seed: int) -> Objective:
    """The linear loss with curvature: H falls like 1/i over the entries in random order.

    Its trace is 2 ||G|| / eps: the second-order term of a one-sided difference, eps z^T H z / 2,
    is on average as large as the first-order one. Two-sided differences do not see it.
    """
    plain = linear(m, n, seed)
    order = torch.randperm(m * n, generator=_generator("quadratic", seed))
    curvature = 1.0 / (1.0 + order.double())
    curvature *= 2.0 / EPS / curvature.sum()
    return Objective("quadratic", plain.weights, plain.gradient, curvature.view(m, n))


def cut(weights: Tensor, gradient: Tensor, m: int, n: int, seed: int) -> Objective:
    """A linear loss with m x n entries of a weight matrix and of its gradient: "model".

    Rows and columns are chosen at random. Raises ProbeError if the matrix is smaller, or if the
    gradient vanishes there.
    """
    if m > weights.shape[0] or n > weights.shape[1]:
        raise ProbeError(
            f"the model's matrix is {weights.shape[0]} x {weights.shape[1]}: {m} x {n} entries"
            " cannot be cut from it"
        )
    generator = _generator("model", seed)
    rows, columns = (
        torch.randperm(size, generator=generator)[:kept]
        for size, kept in zip(weights.shape, (m, n), strict=True)
    )
    part = gradient.double()[rows][:, columns]
    norm = part.norm()
    if not 0 < norm < float("inf"):
        raise ProbeError(f"the model's gradient has norm {norm} in the entries chosen")
    return Objective("model", weights.double()[rows][:, columns], part / norm)


def _generator(name: str, seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(stream_key("objective", name, seed))


def _normal(m: int, n: int, generator: torch.Generator) -> Tensor:
    return torch.randn(m, n, dtype=torch.float64, generator=generator)
