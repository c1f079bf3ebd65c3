"""The top singular pair of a MeZO gradient averaged over k directions, G of rank one.

By the invariance of Gaussian noise G = e_1 e_1^T; the average is drawn at once, up to its scale:
with y_i = <G, Z_i>, sum_i y_i Z_i = ||y|| (||y|| G + W), W Gaussian across G, ||y||^2 ~ chi^2_k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from zotheory.papers.shared.matrix_estimates import Loss, bases


def predicted_overlaps(k: float, m: int, n: int) -> tuple[float, float]:
    """The limits of <u, u_1>^2 and <v, v_1>^2 as m, n, k grow in proportion.

    Noise with entries of variance 1/n and a signal of strength theta = sqrt(k/n), c = m/n
    (Benaych-Georges and Nadakuditi 2012, "The singular values and vectors of low rank
    perturbations of large rectangular random matrices", Sec. 3.1): 0 for theta^4 <= c, that is
    k <= sqrt(mn); 1 - c (1 + theta^2)/(theta^2 (theta^2 + c)) and
    1 - (c + theta^2)/(theta^2 (theta^2 + 1)) beyond.
    """
    c, square = m / n, k / n
    if square**2 <= c:
        return 0.0, 0.0
    left = 1 - c * (1 + square) / (square * (square + c))
    return left, 1 - (c + square) / (square * (square + 1))


def _average(rng: np.random.Generator, m: int, n: int, k: int) -> np.ndarray:
    average = rng.standard_normal((m, n))
    average[0, 0] = np.sqrt(rng.chisquare(k))
    return average


def top_pair(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The leading left and right singular vectors, from the smaller Gram matrix."""
    if len(matrix) > matrix.shape[1]:
        return top_pair(matrix.T)[::-1]
    last = [len(matrix) - 1] * 2
    left = eigh(matrix @ matrix.T, subset_by_index=last)[1][:, 0]
    right = matrix.T @ left
    return left, right / np.linalg.norm(right)


@dataclass(frozen=True)
class Overlaps:
    """<u, u_1>^2 and <v, v_1>^2 of the top singular pair with G's; reduced."""

    m: int
    n: int
    k: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        pairs = (top_pair(_average(rng, self.m, self.n, self.k)) for _ in range(size))
        return np.array([[left[0] ** 2, right[0] ** 2] for left, right in pairs]).clip(0.0, 1.0)


@dataclass(frozen=True)
class TrainedOverlaps:
    """The same of the subspace that SVD-0 draws from k queries, by the code that trains."""

    m: int
    n: int
    k: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        left, right = (np.arange(1.0, d + 1) for d in (self.m, self.n))
        left, right = left / np.linalg.norm(left), right / np.linalg.norm(right)
        loss = Loss(self.m, self.n, linear=tuple(np.outer(left, right).flatten().tolist()))
        options = (("rank", 1), ("queries", self.k))
        drawn = bases("svd0", loss, options, rng, size)
        rows = [[(left @ u[:, 0]) ** 2, (right @ v[:, 0]) ** 2] for u, v in drawn]
        return np.array(rows).clip(0.0, 1.0)


@dataclass(frozen=True)
class MeanOverlaps:
    """(<u, u_1>^2 + <v, v_1>^2) / 2 at several sizes, one column for each (m, n, k); reduced."""

    sizes: tuple[tuple[int, int, int], ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, values in [0, 1]."""
        columns = [Overlaps(*at)(rng, size).mean(axis=1) for at in self.sizes]
        return np.stack(columns, axis=1)
