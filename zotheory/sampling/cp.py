"""Samplers for the CP perturbation Z = sum_s tau_s u_s v_s^T of TeZO on a linear loss.

G has the singular values `sigma` (all statistics below depend on G through them alone, since u and
v are rotation invariant). With h_s = <G, u_s v_s^T>, A = U U^T, B = V V^T (r x r) and C = A o B,

    <G, Z> = tau . h,   ||Z||^2 = tau^T C tau,

so that the reduced sampler needs no m x r factors: it draws the r x k coordinates of the factors
along the k singular pairs, and the rest of the Gram matrices as Wishart matrices (Bartlett).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zotheory.papers.shared.gram import gram_root

_BATCH_FLOATS = 1 << 21  # floats held at once, so that batches stay in cache and memory is bounded


@dataclass(frozen=True)
class Linear:
    """||(1/r) <G, Z> Z - G||^2 / ||G||^2 on a linear loss, in expectation over tau given u, v.

    E_tau gives (||h||^2 tr C + 2 h^T C h) / r^2 - 2 ||h||^2 / r + ||G||^2 (TeZO, Theorem 1).
    `dense` draws the full m x r factors instead of Gram matrices: the definition, for small sizes.
    """

    m: int
    n: int
    r: int
    sigma: tuple[float, ...] = (1.0,)
    dense: bool = False

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.r) < 1:
            raise ValueError(f"m, n, r must be at least 1, got {self.m}, {self.n}, {self.r}")
        if not self.sigma or len(self.sigma) > min(self.m, self.n):
            raise ValueError(f"G needs 1 to {min(self.m, self.n)} singular values")

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        batch = max(1, _BATCH_FLOATS // (self.r * (self.r + len(self.sigma))))
        parts = [self._draw(rng, min(batch, size - done)) for done in range(0, size, batch)]
        return np.concatenate(parts)

    def _draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        left, right = (self._root(rng, size, d) for d in (self.m, self.n))
        sigma = np.asarray(self.sigma)
        k = len(sigma)
        h = np.einsum("bsk,k,bsk->bs", left[:, :, :k], sigma, right[:, :, :k])
        trace = np.einsum("bsi,bsi,bsj,bsj->b", left, left, right, right, optimize=True)
        mixed = np.matmul((left * h[:, :, None]).transpose(0, 2, 1), right)
        quartic = np.einsum("bij,bij->b", mixed, mixed)
        h2, g2 = np.einsum("bs,bs->b", h, h), float(sigma @ sigma)
        return ((h2 * trace + 2 * quartic) / self.r**2 - 2 * h2 / self.r + g2) / g2

    def _root(self, rng: np.random.Generator, size: int, dimension: int) -> np.ndarray:
        along = rng.standard_normal((size, self.r, dimension if self.dense else len(self.sigma)))
        return along if self.dense else gram_root(rng, size, along, dimension)


@dataclass(frozen=True)
class MeanAlong:
    """The estimate scale * <G, Z> Z itself, in expectation over tau: m n columns.

    `gradient` lists G row by row. E_tau[<G, Z> Z] = sum_s h_s u_s v_s^T.
    """

    m: int
    n: int
    r: int
    gradient: tuple[float, ...]
    scale: float

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows, shape (size, m n)."""
        u = rng.standard_normal((size, self.r, self.m))
        v = rng.standard_normal((size, self.r, self.n))
        gradient = np.reshape(self.gradient, (self.m, self.n))
        h = np.einsum("bsi,ij,bsj->bs", u, gradient, v, optimize=True)
        mean = np.matmul((u * h[:, :, None]).transpose(0, 2, 1), v)
        return self.scale * mean.reshape(size, -1)
