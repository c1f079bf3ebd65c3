"""Ranks of gradients in random deep linear networks, in exact arithmetic over a prime field.

Rank inequalities between products of matrices hold over every field, so arithmetic modulo a prime
can neither hide nor invent a violation of them through rounding.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import reduce

import numpy as np

PRIME = 2_147_483_629  # below 2^31: products of residues fit into 64 bits


@dataclass(frozen=True)
class LinearNetworkRanks:
    """1 where a random network violates rank(df/dW_l) <= rank(later product) + slack <= least rank.

    Depth 2 to 5, widths 1 to 6, weights of random rank, batches of 1 to 8, any layer but the last.
    The gradient is backpropagated sample by sample, not formed from the product of the weights.
    """

    slack: int = 0

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values, 0.0 or 1.0."""
        return np.array([float(self._violated(rng)) for _ in range(size)])

    def _violated(self, rng: np.random.Generator) -> bool:
        depth, batch = int(rng.integers(2, 6)), int(rng.integers(1, 9))
        widths = rng.integers(1, 7, depth + 1)
        weights = [_low_rank(rng, rows, columns) for columns, rows in itertools.pairwise(widths)]
        layer = int(rng.integers(0, depth - 1))
        x = rng.integers(0, PRIME, (widths[0], batch))
        for weight in weights[:layer]:
            x = _product(weight, x)
        delta = rng.integers(0, PRIME, (widths[-1], batch))
        for weight in reversed(weights[layer + 1 :]):
            delta = _product(weight.T, delta)
        gradient = rank(_product(delta, x.T))
        later = weights[layer + 1 :]
        product = rank(reduce(lambda a, b: _product(b, a), later))
        return gradient > product + self.slack or product + self.slack > min(map(rank, later))


def _low_rank(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    r = int(rng.integers(1, min(rows, columns) + 1))
    return _product(rng.integers(0, PRIME, (rows, r)), rng.integers(0, PRIME, (r, columns)))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b modulo the prime; the sum is reduced term by term so that nothing overflows."""
    total = np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    for k in range(a.shape[1]):
        total = (total + a[:, k, None] * b[None, k, :]) % PRIME
    return total


def rank(matrix: np.ndarray) -> int:
    """The rank modulo the prime, by Gaussian elimination."""
    rows = matrix.copy() % PRIME
    found = 0
    for column in range(rows.shape[1]):
        pivots = np.flatnonzero(rows[found:, column])
        if not len(pivots):
            continue
        rows[[found, found + pivots[0]]] = rows[[found + pivots[0], found]]
        rows[found] = rows[found] * pow(int(rows[found, column]), -1, PRIME) % PRIME
        below = rows[found + 1 :]
        below -= below[:, column, None] * rows[found] % PRIME
        below %= PRIME
        found += 1
        if found == rows.shape[0]:
            break
    return found
