"""Samplers of TeZO's Algorithm 1 on f(W) = ||W - W*||^2 / 2, where the gradient is W - W* itself.

On a quadratic the two-point estimate is <G, Z> Z exactly, for every perturbation size. With the
normalisation 1/r of Theorem 1 a step is G <- G - (eta / r) <G, Z> Z. Given factors, with
h = (<G, u_s v_s^T>)_s and C_st = (u_s . u_t)(v_s . v_t), everything about ||G_t||^2 follows from

    k = tau . h,   ||G||^2 <- ||G||^2 - 2 (eta/r) k^2 + (eta/r)^2 k^2 tau^T C tau,
    h <- h - (eta/r) k C tau.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


def _factors(
    rng: np.random.Generator, size: int, m: int, n: int, r: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u (size, r, m), v (size, r, n), C (size, r, r), and h for G = e_1 e_1^T (size, r)."""
    u, v = rng.standard_normal((size, r, m)), rng.standard_normal((size, r, n))
    gram = (u @ u.transpose(0, 2, 1)) * (v @ v.transpose(0, 2, 1))
    return u, v, gram, u[:, :, 0] * v[:, :, 0]


@dataclass(frozen=True)
class FrozenDescent:
    """||G_T||^2 / ||G_0||^2, capped at 1, after T steps with factors drawn once.

    The step is eta = r / (tr C + 2 lambda_max(C)), for which the part of G within the span of the
    u_s v_s^T contracts in mean square whatever the factors are. G_0 = e_1 e_1^T. The cap keeps
    the statistic within [0, 1]; it can only lower the mean.
    """

    m: int
    n: int
    r: int
    steps: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values in [0, 1]."""
        _, _, gram, h = _factors(rng, size, self.m, self.n, self.r)
        step = 1.0 / (np.trace(gram, axis1=1, axis2=2) + 2 * np.linalg.eigvalsh(gram)[:, -1])
        norm2 = np.ones(size)
        for _ in range(self.steps):
            tau = rng.standard_normal((size, self.r))
            spread = np.einsum("bst,bt->bs", gram, tau)
            moved = step * np.einsum("bs,bs->b", tau, h)
            norm2 += moved**2 * (np.einsum("bs,bs->b", tau, spread) - 2 / step)
            h -= moved[:, None] * spread
        return np.clip(norm2, 0.0, 1.0)


def _redrawn(
    rng: np.random.Generator, size: int, m: int, n: int, r: int | None, eta: float
) -> Iterator[np.ndarray]:
    """||G_t||^2 for t = 0, 1, ..., G_0 = e_1 e_1^T, Z drawn anew in every step.

    Z has rank r, its factors redrawn with tau, and the step is eta/r; r = None: iid normal entries.
    """
    gradient = np.zeros((size, m, n))
    gradient[:, 0, 0] = 1.0
    step = eta / (1 if r is None else r)
    while True:
        yield np.einsum("bij,bij->b", gradient, gradient)
        z = rng.standard_normal((size, m, n)) if r is None else _cp(rng, size, m, n, r)
        gradient -= step * np.einsum("bij,bij->b", gradient, z)[:, None, None] * z


def _cp(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    tau = rng.standard_normal((size, 1, r))
    u, v = (rng.standard_normal((size, d, r)) for d in (m, n))
    return (u * tau) @ v.transpose(0, 2, 1)


@dataclass(frozen=True)
class ResampledDescent:
    """(1/T) sum_{t<T} ||G_t||^2 / ||G_0||^2 for each T of `horizons`, factors always redrawn."""

    m: int
    n: int
    r: int
    eta: float
    horizons: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of horizons)."""
        total, columns = np.zeros(size), {}
        squares = _redrawn(rng, size, self.m, self.n, self.r, self.eta)
        for t, square in zip(range(1, max(self.horizons) + 1), squares, strict=False):
            total += square
            columns[t] = total / t
        return np.stack([columns[t] for t in self.horizons], axis=1)


@dataclass(frozen=True)
class RedrawnDescent:
    """||G_T||^2 / ||G_0||^2 for each T of `horizons`, Z drawn anew in every step.

    r: the rank of TeZO's Z; None for MeZO's, of iid normal entries.
    """

    m: int
    n: int
    r: int | None
    eta: float
    horizons: tuple[int, ...]

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, number of horizons)."""
        squares = _redrawn(rng, size, self.m, self.n, self.r, self.eta)
        found = [next(squares) for _ in range(max(self.horizons) + 1)]
        return np.stack([found[t] for t in self.horizons], axis=1)


@dataclass(frozen=True)
class ConditionalDescent:
    """<grad f(W_t), (1/r) estimate> / ||grad f(W_t)||^2 over fresh tau at one iterate W_t.

    `h` is (<G, u_s v_s^T>)_s at that iterate for frozen factors, with ||G|| = 1; None draws the
    factors anew with every sample, for an m x n gradient e_1 e_1^T.
    """

    r: int
    h: tuple[float, ...] | None

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        tau = rng.standard_normal((size, self.r))
        h = np.prod(rng.standard_normal((2, size, self.r)), axis=0) if self.h is None else self.h
        return (tau * np.asarray(h)).sum(axis=1) ** 2 / self.r


def frozen_projections(
    rng: np.random.Generator, m: int, n: int, r: int, steps: int
) -> tuple[float, ...]:
    """h of `ConditionalDescent` after `steps` steps of Algorithm 1 with factors drawn once."""
    u, v, (gram,), _ = _factors(rng, 1, m, n, r)
    directions = np.einsum("si,sj->sij", u[0], v[0]).reshape(r, m * n)
    step = 1.0 / (np.trace(gram) + 2 * np.linalg.eigvalsh(gram)[-1])
    gradient = np.zeros(m * n)
    gradient[0] = 1.0
    for _ in range(steps):
        z = rng.standard_normal(r) @ directions
        gradient -= step * (gradient @ z) * z
    return tuple(float(x) for x in directions @ gradient / np.linalg.norm(gradient))
