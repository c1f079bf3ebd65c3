"""MeZO-GV's candidates on a real loss: what they measured, and how they lie to the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import estimators
from zotheory.evidence.draws import SEEDS

if TYPE_CHECKING:
    from zotheory.model.points import Point

EPS = 1e-3


@dataclass(frozen=True, eq=False)
class Candidates:
    """M candidates c_1, ..., c_M, drawn T times, all matrices of a point as one vector.

    Attributes:
        dimension: d.
        losses: (T, M), at theta + eps c_i.
        inner: (T, M), <g, c_i> for g = gradient / its norm.
        gram: (T, M, M), <c_i, c_j>.
    """

    dimension: int
    losses: np.ndarray
    inner: np.ndarray
    gram: np.ndarray

    def guided(self) -> np.ndarray:
        """d cos^2(g, v), v = mean of the better half - mean of the others, shape (T,)."""
        best = self.losses.argsort(axis=1, kind="stable").argsort(axis=1)
        half = self.losses.shape[1] // 2
        return self._cosines(np.where(best < half, 1 / half, -1 / (best.shape[1] - half)))

    def plain(self, queries: int) -> np.ndarray:
        """d cos^2(g, sum_i <g, c_i> c_i) over `queries` candidates, averaged over their choices.

        MeZO's estimate as eps -> 0; with one query eps plays no part.
        """
        found = []
        for chosen in combinations(range(self.inner.shape[1]), queries):
            weights = np.zeros_like(self.inner)
            weights[:, chosen] = self.inner[:, chosen]
            found.append(self._cosines(weights))
        return np.mean(found, axis=0)

    def _cosines(self, weights: np.ndarray) -> np.ndarray:
        along = (weights * self.inner).sum(axis=1)
        return self.dimension * along**2 / np.einsum("ti,tij,tj->t", weights, self.gram, weights)


def candidates(point: Point, draws: int, rng: np.random.Generator) -> Candidates:
    """Four candidates, `draws` times: as MeZO-GV makes them, (Y_1 +- Y_2)/sqrt 2 of fresh Y."""
    optimizer = estimators.mezo(list(point.named), eps=EPS, seed=0)
    slots = optimizer.slots()
    gradient = torch.cat([point.gradients[slot.name].flatten() for slot in slots])
    gradient = gradient / gradient.norm()
    pairs = torch.kron(torch.eye(2), torch.tensor([[1.0, 1.0], [1.0, -1.0]])) / 2**0.5
    rows = []
    with point.replayed():
        for seed in rng.integers(SEEDS, size=draws):
            drawn = [
                torch.cat(
                    [
                        optimizer.perturbation.draw(s, int(seed), 0, q).dense().flatten()
                        for s in slots
                    ]
                )
                for q in range(4)
            ]
            vectors = pairs @ torch.stack(drawn)
            losses = [_loss_at(point, vector) for vector in vectors]
            rows.append((losses, (vectors @ gradient).tolist(), (vectors @ vectors.T).tolist()))
    losses, inner, gram = (np.array(column) for column in zip(*rows, strict=True))
    return Candidates(gradient.numel(), losses, inner, gram)


def _loss_at(point: Point, vector: Tensor) -> float:
    """The loss at theta + eps vector; the weights are put back bit for bit."""
    with _kept(point):
        parts = vector.split([parameter.numel() for _, parameter in point.named])
        for (_, parameter), part in zip(point.named, parts, strict=True):
            parameter.data.add_(part.view_as(parameter), alpha=EPS)
        return float(point.loss())


@contextmanager
def _kept(point: Point) -> Iterator[None]:
    copies = [parameter.detach().clone() for _, parameter in point.named]
    try:
        yield
    finally:
        for (_, parameter), copy in zip(point.named, copies, strict=True):
            parameter.data.copy_(copy)
