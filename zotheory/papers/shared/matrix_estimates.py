"""Estimates of one matrix's gradient by the code that trains, on linear and quadratic losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from estimators.zeroth_order import ZerothOrder
from zotheory.evidence.draws import SEEDS, Recipe, rows

Options = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Loss:
    """<G, W> + w^T H w for an m x n matrix W, w = its entries row by row, at the weights `point`.

    `linear` lists G row by row, `hessian` the rows of H (empty: no quadratic term), `point` the
    weights (empty: 0). All in 64 bits.
    """

    m: int
    n: int
    linear: tuple[float, ...] = ()
    hessian: tuple[tuple[float, ...], ...] = ()
    point: tuple[float, ...] = ()

    def weights(self) -> np.ndarray:
        """The weights, m x n."""
        return np.reshape(self.point or np.zeros(self.m * self.n), (self.m, self.n))

    def values(self, weights: np.ndarray) -> np.ndarray:
        """The loss at each of the weights (size, m, n)."""
        flat = weights.reshape(len(weights), -1)
        value = np.zeros(len(weights))
        if self.linear:
            value = value + flat @ np.array(self.linear)
        if self.hessian:
            value = value + np.einsum("bi,ij,bj->b", flat, np.array(self.hessian), flat)
        return value

    def gradient(self) -> np.ndarray:
        """The gradient at `point`, m x n: G + (H + H^T) w."""
        found = np.zeros(self.m * self.n)
        if self.linear:
            found = found + np.array(self.linear)
        if self.hessian:
            hessian = np.array(self.hessian)
            found = found + (hessian + hessian.T) @ self.weights().flatten()
        return found.reshape(self.m, self.n)


def plain(m: int, n: int) -> Loss:
    """A linear loss whose gradient is of full rank and in no special position."""
    rng = np.random.default_rng([m, n])
    return Loss(m, n, linear=tuple(rng.standard_normal(m * n).tolist()))


def build(recipe: str, loss: Loss, options: Options, seed: int) -> tuple[ZerothOrder, Callable]:
    """The optimiser of a recipe on a loss, with learning rate 0, and its closure."""
    weights = torch.tensor(loss.weights(), dtype=torch.float64, requires_grad=True)
    optimizer = Recipe(recipe, options).build([("weight", weights)], lr=0.0, seed=seed)
    return optimizer, lambda: float(loss.values(weights.detach().numpy()[None])[0])


def bases(
    recipe: str, loss: Loss, options: Options, rng: np.random.Generator, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """U and V of `size` refreshes of a subspace method: one at every step."""
    options = (*options, ("interval", 1))
    optimizer, closure = build(recipe, loss, options, int(rng.integers(SEEDS)))
    for _ in range(size):
        optimizer.step(closure)
        (slot,) = optimizer.slots()
        yield slot.state["U"].numpy(), slot.state["V"].numpy()


Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class MatrixEstimates:
    """A statistic of a recipe's estimates: statistic(estimates, target), estimates (size, m, n).

    given: whether the subspace is drawn once, for all samples; `target` is then the projection
    U U^T G V V^T of the gradient, and G itself otherwise.
    """

    recipe: str
    loss: Loss
    statistic: Statistic
    options: Options = ()
    given: bool = False

    @cached_property
    def target(self) -> np.ndarray:
        """What the estimates are about, m x n."""
        gradient = self.loss.gradient()
        if not self.given:
            return gradient
        optimizer, _ = self._start(0)
        (slot,) = optimizer.slots()
        u, v = slot.state["U"].numpy(), slot.state["V"].numpy()
        return u @ u.T @ gradient @ v @ v.T

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        optimizer, closure = self._start(int(rng.integers(SEEDS)))
        drawn = rows(optimizer, closure, rng.integers(SEEDS, size=size))
        return self.statistic(drawn.reshape(size, self.loss.m, self.loss.n), self.target)

    def _start(self, seed: int) -> tuple[ZerothOrder, Callable]:
        """The optimiser; where the subspace is given, after the step that draws it from seed 0."""
        optimizer, closure = build(self.recipe, self.loss, self.options, 0 if self.given else seed)
        if self.given:
            optimizer.step(closure)
        return optimizer, closure


def along_target(estimates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The entries of the estimates in units of ||target||, (size, mn): their mean is target's."""
    return estimates.reshape(len(estimates), -1) / np.linalg.norm(target)


def squared_norm(estimates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """||estimate||^2 / ||target||^2."""
    return np.square(estimates).sum(axis=(1, 2)) / np.square(target).sum()


def squared_cosine(estimates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """<target, estimate>^2 / (||target||^2 ||estimate||^2), which lies in [0, 1]."""
    inner = np.einsum("bij,ij->b", estimates, target)
    squares = np.square(estimates).sum(axis=(1, 2)) * np.square(target).sum()
    return (inner**2 / squares).clip(0.0, 1.0)
