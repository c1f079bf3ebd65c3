"""Samplers that run the estimators' recipes, the code that trains, on linear losses.

The estimates come from `evidence.draws`; every sample has a seed of its own, so that whatever a
recipe keeps between steps is drawn anew, unless it is said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zotheory.evidence.draws import SEEDS, Recipe, estimate, estimates


def zeros(shapes: dict[str, tuple[int, ...]]) -> list[tuple[str, Tensor]]:
    """Named parameters of 64 bits, all 0."""
    return [
        (name, torch.zeros(shape, dtype=torch.float64, requires_grad=True))
        for name, shape in shapes.items()
    ]


def linear(named: list[tuple[str, Tensor]], gradients: list[Tensor]) -> Callable[[], Tensor]:
    """The loss sum <G, W> over all parameters, as a closure."""
    pairs = [(gradient, weight) for gradient, (_, weight) in zip(gradients, named, strict=True)]
    return lambda: sum((gradient * weight).sum() for gradient, weight in pairs)


def cos2(gradient: Tensor, estimate: Tensor) -> float:
    """cos^2 of the angle between two tensors, 0 where the estimate is 0."""
    norms = float(gradient.square().sum() * estimate.square().sum())
    return float((gradient * estimate).sum() ** 2) / norms if norms else 0.0


@dataclass(frozen=True)
class VectorCosines:
    """d cos^2(g, estimate) on <g, w> in d dimensions: one column for each of several recipes.

    g is fixed: the directions are rotation invariant. Columns are independent.
    """

    recipes: tuple[Recipe, ...]
    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of recipes)."""
        named = zeros({"w": (self.d,)})
        gradient = torch.linspace(-1.0, 2.0, self.d, dtype=torch.float64)
        closure = linear(named, [gradient])
        optimizers = [recipe.build(named) for recipe in self.recipes]
        seeds = rng.integers(SEEDS, size=(size, len(optimizers)))
        columns = [
            [cos2(gradient, found["w"]) for found in estimates(optimizer, closure, column)]
            for optimizer, column in zip(optimizers, seeds.T, strict=True)
        ]
        return self.d * np.transpose(columns)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of another sampler's columns."""

    sampler: VectorCosines
    weights: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        return self.sampler(rng, size) @ np.array(self.weights)


@dataclass(frozen=True)
class MatrixCosines:
    """cos^2(G, estimate) tensor by tensor for m x n matrices: one column for each rank of G.

    For recipes of one direction: on a loss over many tensors each tensor's part of the estimate is
    one number times its own Z, so that `_TENSORS` tensors of each rank give as many independent
    samples at once. G of one rank is the same matrix throughout.
    """

    recipe: Recipe
    m: int
    n: int
    ranks: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of ranks)."""
        keys = [(rank, i) for i in range(_TENSORS) for rank in self.ranks]
        named = zeros({f"rank{rank}_{i}": (self.m, self.n) for rank, i in keys})
        gradients = [fixed_gradient(self.m, self.n, rank) for rank, _ in keys]
        closure, optimizer = linear(named, gradients), self.recipe.build(named)
        rows = [
            [cos2(g, found[name]) for g, (name, _) in zip(gradients, named, strict=True)]
            for found in estimates(
                optimizer, closure, rng.integers(SEEDS, size=-(-size // _TENSORS))
            )
        ]
        return np.reshape(rows, (-1, len(self.ranks)))[:size]


_TENSORS = 10


def fixed_gradient(m: int, n: int, rank: int) -> Tensor:
    """An m x n matrix of the given rank and norm 1, in no special position."""
    rng = np.random.default_rng([m, n, rank])
    left, right = rng.standard_normal((m, rank)), rng.standard_normal((rank, n))
    matrix = torch.from_numpy(left @ right)
    return matrix / matrix.norm()


# Samples of gradient estimates through `ZerothOrder.estimate`, the code that trains.


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
                found = estimate(optimizer, lambda: self.loss(_joined(named)), seed, step=step)
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
        for sampler, eta in zip(self.estimates, self.rates, strict=True):
            w = np.concatenate(sampler.weights)
            moved = w - eta * sampler(rng, size)
            columns.append(np.einsum("ij,ij->i", moved, moved) / (w @ w))
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Falls:
    """1 - ||w - eta estimate||^2 / ||w||^2, in columns."""

    sampler: AfterOneStep

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, as the sampler has them."""
        return 1 - self.sampler(rng, size)


@dataclass(frozen=True)
class SlopeInRate:
    """(<w, estimate> - eta ||estimate||^2) / ||w||^2 for several estimates, in columns.

    It is -1/2 of the derivative by the rate eta of `AfterOneStep`: its mean is 0 at the best rate.
    """

    estimates: tuple[Estimates, ...]
    rates: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of estimates)."""
        columns = []
        for sampler, eta in zip(self.estimates, self.rates, strict=True):
            w, rows = np.concatenate(sampler.weights), sampler(rng, size)
            columns.append((rows @ w - eta * np.einsum("ij,ij->i", rows, rows)) / (w @ w))
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class SquaredCosines:
    """cos^2 of several estimates of one gradient with it, in columns; 0 where an estimate is 0."""

    estimates: tuple[Estimates, ...]
    gradient: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of estimates)."""
        g = torch.tensor(self.gradient, dtype=torch.float64)
        rows = [torch.from_numpy(sampler(rng, size)) for sampler in self.estimates]
        return np.array([[cos2(g, row) for row in column] for column in rows]).T


@dataclass(frozen=True)
class SameSign:
    """Whether every entry of an estimate has the sign of the gradient's, as 0 and 1."""

    estimates: Estimates
    gradient: tuple[float, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of weights)."""
        return (self.estimates(rng, size) * np.array(self.gradient) > 0).astype(float)
