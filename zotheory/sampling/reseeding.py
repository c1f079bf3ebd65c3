"""MeZO-GV on a linear loss over many tensors, the guiding vector rebuilt by re-seeding per tensor.

See `proofs_check.reseeding` for the notation. M = 4 candidates, two of them the elite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from proofs_check.cards.order_statistics import split

_CANDIDATES = 4


def guiding_weights(y: np.ndarray) -> np.ndarray:
    """+1/2 for the two lowest losses of each row, -1/2 for the others (prior, Eq. 5)."""
    order = y.argsort(axis=1).argsort(axis=1)
    return np.where(order < _CANDIDATES // 2, 0.5, -0.5)


@dataclass(frozen=True)
class Reseeded:
    """d cos^2(g, v) of the faulty implementation, g in a new random direction for every sample.

    Each candidate's stream has K n numbers, which its evaluation uses up; re-seeded for each tensor
    it begins with the same n numbers. `faulty` False draws the guiding vector as it was evaluated.
    """

    tensors: int
    n: int
    faulty: bool = True

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        streams = rng.standard_normal((size, _CANDIDATES, self.tensors, self.n))
        g = rng.standard_normal((size, self.tensors, self.n))
        weights = guiding_weights(np.einsum("bkj,bikj->bi", g, streams))
        rebuilt = np.broadcast_to(streams[:, :, :1], streams.shape) if self.faulty else streams
        v = np.einsum("bi,bikj->bkj", weights, rebuilt)
        inner = np.einsum("bkj,bkj->b", g, v)
        norms = np.einsum("bkj,bkj->b", g, g) * np.einsum("bkj,bkj->b", v, v)
        return self.tensors * self.n * inner**2 / norms

    def second_moment(self) -> float:
        """An upper bound on the mean of the square, K >= 2.

        With p = <g_1, v_1>/||v_1|| and q = <g_2 + ... + g_K, v_1>/||v_1||: d cos^2 = n (p + q)^2,
        p^2 <= s = ||g_1||^2, q has mean 0, E q^2 <= 1/n and E q^4 <= 3/n^2 given p and s.
        """
        k, n = self.tensors, self.n
        square = (n + 2) / (k * (k * n + 2))
        return n**2 * square + 6 * n / k + 3


@dataclass(frozen=True)
class ReseededMean:
    """The same in expectation over the directions of g_2, ..., g_K: n s q + 1 - s, reduced.

    s = ||g_1||^2 ~ Beta(n/2, (K-1) n/2), q = cos^2(g_1, v_1) = x^2/(x^2 + chi^2_(n-1)).
    """

    tensors: int
    n: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        y = rng.standard_normal((size, _CANDIDATES))
        t = np.einsum("bi,bi->b", guiding_weights(y), y)  # sum of squared weights: 1
        s = rng.beta(self.n / 2, (self.tensors - 1) * self.n / 2, size)
        x = np.sqrt(s) * t + np.sqrt(1 - s) * rng.standard_normal(size)
        q = x**2 / (x**2 + rng.chisquare(self.n - 1, size))
        return self.n * s * q + 1 - s

    def variance(self) -> float:
        """An upper bound on the variance, n >= 6: E(n s q - s)^2 <= E(n s q)^2 + E s^2.

        q <= x^2/chi^2, and E x^4 given s, s^2 E T^4 + 6 s (1 - s) E T^2 + 3 (1 - s)^2, is largest
        at s = 1.
        """
        k, n, selection = self.tensors, self.n, split(_CANDIDATES, _CANDIDATES // 2)
        fourth = float(selection.fourth / selection.spread**2)
        square = (n + 2) / (k * (k * n + 2))
        return square * (1 + n**2 / ((n - 3) * (n - 5)) * fourth)
