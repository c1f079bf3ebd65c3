"""Samplers for the separable and the cross term of TeZO-Adam's second moment (TeZO, Eq. 8).

At one coordinate (i, j) with w_s = tau_s u_si v_sj, Z_ij^2 = sum_s w_s^2 + sum_{p != q} w_p w_q:
the separable term, whose mean is r, plus the cross term. Over T steps with frozen u, v and
S = sum_t w_t tau_t tau_t^T, w_t = (1 - beta2) beta2^(T - t), the accumulated error V - Vhat at
(i, j) is sum_{p != q} S_pq u_pi u_qi v_pj v_qj (Fig. 8). It is measured in units of ||w||.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zotheory.papers.shared.gram import gram_root


def _off_diagonal(matrices: np.ndarray) -> np.ndarray:
    """The same matrices (..., r, r) with zero diagonals."""
    r = matrices.shape[-1]
    return matrices * (1.0 - np.eye(r))


def overlap(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    """C = (U U^T) o (V V^T), shape (size, r, r), for Gaussian factors of lengths m and n."""
    left, right = (gram_root(rng, size, np.empty((size, r, 0)), d) for d in (m, n))
    return (left @ left.transpose(0, 2, 1)) * (right @ right.transpose(0, 2, 1))


@dataclass(frozen=True)
class CrossAverage:
    """((cross term averaged over all coordinates) / r)^2, in expectation over tau.

    The average is tau^T offdiag(C) tau / (mn); its square has mean 2 ||offdiag(C)||_F^2 / (mn)^2
    over tau.
    """

    m: int
    n: int
    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        cross = _off_diagonal(overlap(rng, size, self.m, self.n, self.r))
        return 2 * np.einsum("bpq,bpq->b", cross, cross) / (self.m * self.n * self.r) ** 2


@dataclass(frozen=True)
class CrossCoordinate:
    """((cross term at one coordinate) / r)^2, in expectation over the signs of the w_s.

    The signs of w_s are independent and fair, so E (sum_{p != q} w_p w_q)^2 given the sizes is
    2 ((sum_s w_s^2)^2 - sum_s w_s^4). Only one row of u and of v takes part: m and n do not.
    """

    r: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        w2 = np.prod(rng.standard_normal((3, size, self.r)), axis=0) ** 2
        return 2 * (w2.sum(axis=1) ** 2 - (w2**2).sum(axis=1)) / self.r**2


def decay(steps: int, beta2: float) -> np.ndarray:
    """The weights (1 - beta2) beta2^(T - t) of the last T steps, scaled to norm 1."""
    weights = beta2 ** np.arange(steps, dtype=float)
    return weights / np.linalg.norm(weights)


def decayed_products(
    rng: np.random.Generator, size: int, r: int, weights: np.ndarray
) -> np.ndarray:
    """sum_t w_t tau_t tau_t^T with its diagonal removed, shape (size, r, r)."""
    tau = rng.standard_normal((size, len(weights), r))
    return _off_diagonal((tau * weights[:, None]).transpose(0, 2, 1) @ tau)


@dataclass(frozen=True)
class AccumulatedAverage:
    """((V_T - Vhat_T) averaged over coordinates)^2 / ||w||^2 at each of several sizes m = n.

    One column per size; the factors are drawn anew for each size, the tau_t are shared.
    """

    sizes: tuple[int, ...]
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of sizes)."""
        products = decayed_products(rng, size, self.r, decay(self.steps, self.beta2))
        columns = [
            np.einsum("bpq,bpq->b", products, overlap(rng, size, d, d, self.r)) / d**2
            for d in self.sizes
        ]
        return np.stack(columns, axis=1) ** 2


@dataclass(frozen=True)
class AccumulatedCoordinate:
    """Mean over all coordinates of ((V_T - Vhat_T) / r)^2 / ||w||^2, at several sizes m = n.

    The accumulators are formed and compared coordinate by coordinate; one sample is the average
    over the m n coordinates of one run.
    """

    sizes: tuple[int, ...]
    r: int
    steps: int
    beta2: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of sizes)."""
        return np.array([[self._run(rng, d) for d in self.sizes] for _ in range(size)])

    def _run(self, rng: np.random.Generator, d: int) -> float:
        (products,) = decayed_products(rng, 1, self.r, decay(self.steps, self.beta2))
        u, v = rng.standard_normal((2, d, self.r))
        values, vectors = np.linalg.eigh(products)
        error = np.zeros((d, d))
        for value, vector in zip(values, vectors.T, strict=True):
            error += value * ((u * vector) @ v.T) ** 2
        return float(np.mean(error**2)) / self.r**2
