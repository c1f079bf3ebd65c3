"""Samples of one printed step of a subspace method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zotheory.pseudocode import Line, run
from zotheory.sampling.matrix_estimates import Loss


@dataclass(frozen=True)
class PrintedStep:
    """What one step does, as its lines say, in a given random subspace of dimension r^2.

    quantity "along": <W_after - W, grad f> / (eta ||P^T grad f||^2); "displaced": 1.0 where the
    weights just before the update are not those at the start (up to 1e-9).
    """

    lines: tuple[Line, ...]
    loss: Loss
    r: int
    eps: float
    eta: float
    quantity: str

    def bases(self) -> tuple[np.ndarray, np.ndarray]:
        """U and V, the same for all samples."""
        rng = np.random.default_rng(0)
        frames = (np.linalg.qr(rng.standard_normal((d, self.r)))[0] for d in self.sizes)
        return tuple(frames)

    @property
    def sizes(self) -> tuple[int, int]:
        """m and n."""
        return self.loss.m, self.loss.n

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent values."""
        u, v = self.bases()
        noise = u @ rng.standard_normal((size, self.r, self.r)) @ v.T
        start = np.broadcast_to(self.loss.weights(), noise.shape)

        def loss(weights: np.ndarray) -> np.ndarray:
            return self.loss.values(weights)[:, None, None]

        done = run(self.lines, start, loss, noise, self.eps, self.eta)
        if self.quantity == "displaced":
            return (np.abs(done.before - start).max(axis=(1, 2)) > 1e-9).astype(float)
        gradient = self.loss.gradient()
        kept = np.square(u.T @ gradient @ v).sum()
        return np.einsum("bij,ij->b", done.after - start, gradient) / (self.eta * kept)
