"""Samples of gradient estimates through `ZerothOrder.estimate`, the code that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zotheory.sampling.cosines import Recipe

Layers = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Linear:
    """The loss <gradient, w>."""

    gradient: tuple[float, ...]

    def __call__(self, w: Tensor) -> Tensor:
        return torch.dot(torch.tensor(self.gradient, dtype=w.dtype), w)


@dataclass(frozen=True)
class Sine:
    """The loss sin(<direction, w>), whose smoothing is known: see `smoothed_gradient`."""

    direction: tuple[float, ...]

    def __call__(self, w: Tensor) -> Tensor:
        return torch.sin(torch.dot(torch.tensor(self.direction, dtype=w.dtype), w))

    def smoothed_gradient(self, w: Sequence[float], kept: Sequence[bool], eps: float) -> np.ndarray:
        """The kept part of the gradient of E sin(<direction, w + eps z'>), z' noise on the kept.

        E sin(a + eps s) = exp(-eps^2 v / 2) sin(a) for s ~ N(0, v); v is the kept part's square.
        eps = 0 gives the gradient of the loss itself.
        """
        direction, mask = np.asarray(self.direction), np.asarray(kept, dtype=float)
        variance = float(np.sum((direction * mask) ** 2))
        slope = np.cos(direction @ np.asarray(w)) * np.exp(-(eps**2) * variance / 2)
        return slope * direction * mask


@dataclass(frozen=True)
class HalfSquare:
    """The loss ||w||^2 / 2."""

    def __call__(self, w: Tensor) -> Tensor:
        return torch.dot(w, w) / 2


@dataclass(frozen=True)
class Estimates:
    """Rows of estimates that a recipe of `estimators` makes of one loss.

    Attributes:
        recipe: of `estimators`.
        weights: the weights of each layer; tensors are named layers.0.weight, layers.1.weight, ...
        loss: of all weights in one vector of 64 bits.
        dropped: if given, only estimates that leave out exactly these layers are kept.
    """

    recipe: Recipe
    weights: Layers
    loss: Linear | Sine | HalfSquare
    dropped: tuple[int, ...] | None = None

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of weights)."""
        named = [
            (f"layers.{i}.weight", torch.tensor(w, dtype=torch.float64, requires_grad=True))
            for i, w in enumerate(self.weights)
        ]
        seed = int(rng.integers(2**31))
        optimizer = self.recipe.build(named)
        rows, step = np.empty((size, sum(map(len, self.weights)))), 0
        for row in rows:
            while True:
                found = optimizer.estimate(lambda: self.loss(_joined(named)), seed=seed, step=step)
                step += 1
                parts = [found[name] for name, _ in named]
                off = tuple(i for i, part in enumerate(parts) if not part.any())
                if self.dropped is None or off == self.dropped:
                    break
            row[:] = torch.cat(parts).numpy()
        return rows


def _joined(named: list[tuple[str, Tensor]]) -> Tensor:
    return torch.cat([w for _, w in named])


@dataclass(frozen=True)
class Along:
    """<estimate, H> for several fixed H, in columns."""

    estimates: Estimates
    directions: Layers

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of directions)."""
        return self.estimates(rng, size) @ np.array(self.directions).T


@dataclass(frozen=True)
class SquaredError:
    """||estimate - target||^2."""

    estimates: Estimates
    target: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        rows = self.estimates(rng, size) - np.asarray(self.target)
        return np.einsum("ij,ij->i", rows, rows)


@dataclass(frozen=True)
class AfterOneStep:
    """||w - eta estimate||^2 / ||w||^2 for several estimates, each with its rate, in columns."""

    estimates: tuple[Estimates, ...]
    rates: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of estimates)."""
        columns = []
        for estimates, eta in zip(self.estimates, self.rates, strict=True):
            w = np.concatenate(estimates.weights)
            moved = w - eta * estimates(rng, size)
            columns.append(np.einsum("ij,ij->i", moved, moved) / (w @ w))
        return np.stack(columns, axis=1)
