"""Samples of what singular values alone say about an estimated gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zotheory.sampling.matrix_estimates import Loss, MatrixEstimates


@dataclass(frozen=True)
class SpectrumCosines:
    """cos(s(X), s(G)) for X = a MeZO estimate of G, minus the same for X = Gaussian noise.

    s(X) is the vector of the `top` largest singular values. G is diagonal with the given singular
    values, which favours no estimator: noise is invariant under orthogonal maps from either side.
    """

    m: int
    n: int
    spectrum: tuple[float, ...]
    top: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent differences in [-1, 1]."""
        gradient = np.zeros((self.m, self.n))
        np.fill_diagonal(gradient, self.spectrum)
        loss = Loss(self.m, self.n, linear=tuple(gradient.flatten().tolist()))
        cosines = MatrixEstimates("mezo", loss, self._cosines)(rng, size)
        return cosines - self._cosines(rng.standard_normal((size, self.m, self.n)), gradient)

    def _cosines(self, matrices: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        found, true = (
            np.linalg.svd(x, compute_uv=False)[..., : self.top] for x in (matrices, gradient)
        )
        norms = np.linalg.norm(found, axis=-1) * np.linalg.norm(true)
        return (found @ true / norms).clip(0.0, 1.0)
