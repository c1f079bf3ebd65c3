"""MeZO, MeZO-GV and MeZO-Greedy as printed (Eq. 3 to 8, Algorithms 1 to 4), many runs at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Losses = Callable[[np.ndarray, np.ndarray], np.ndarray]  # weights (runs, d), batch (runs,)


def guiding_weights(losses: np.ndarray, best: int) -> np.ndarray:
    """Eq. 5's weights of M candidates: 1/best for the lowest losses, -1/(M - best) for the others.

    losses: shape (runs, M).
    """
    order = losses.argsort(axis=1, kind="stable").argsort(axis=1)
    return np.where(order < best, 1 / best, -1 / (losses.shape[1] - best))


@dataclass(frozen=True)
class Method:
    """One step's estimate: `name` is mezo, guided (alpha = 1/2) or greedy."""

    name: str
    eps: float
    candidates: int = 2

    def estimate(
        self,
        loss: Callable[[np.ndarray], np.ndarray],
        theta: np.ndarray,
        draw: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """Eq. 3, 6 or 8 for each run; `draw` gives noise of theta's shape (runs, d)."""
        v = draw() if self.name == "mezo" else self._chosen(loss, theta, draw)
        slope = (loss(theta + self.eps * v) - loss(theta - self.eps * v)) / (2 * self.eps)
        return slope[:, None] * v

    def _chosen(
        self,
        loss: Callable[[np.ndarray], np.ndarray],
        theta: np.ndarray,
        draw: Callable[[], np.ndarray],
    ) -> np.ndarray:
        noises = np.stack([draw() for _ in range(self.candidates)], axis=1)
        found = np.stack([loss(theta + self.eps * z) for z in noises.swapaxes(0, 1)], axis=1)
        if self.name == "greedy":
            return noises[np.arange(len(theta)), found.argmin(axis=1)]
        return np.einsum("bi,bid->bd", guiding_weights(found, self.candidates // 2), noises)


@dataclass(frozen=True)
class Trajectories:
    """All weights theta_1, ..., theta_T side by side, from theta_0 = start, a new batch a step.

    Attributes:
        method: of the estimate.
        rate: the learning rate.
        loss: of weights and batch; a batch is one of the numbers -1 and 1.
        start: theta_0.
        steps: T.
        frames: (m, n, r, F): the noise is U Z V^T, Z Gaussian (r x r), with orthonormal U, V from
            QR decompositions of Gaussian matrices, renewed every F steps (SubZero); () for dense
            Gaussian noise.
    """

    method: Method
    rate: float
    loss: Losses
    start: tuple[float, ...]
    steps: int
    frames: tuple[int, ...] = ()

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent runs, shape (size, T d)."""
        theta, seen, frame = np.tile(self.start, (size, 1)), [], None
        shape = theta.shape
        for step in range(self.steps):
            if self.frames and step % self.frames[3] == 0:
                frame = _frames(rng, size, *self.frames[:3])
            batch = rng.choice([-1.0, 1.0], size)

            def loss(at: np.ndarray, batch: np.ndarray = batch) -> np.ndarray:
                return self.loss(at, batch)

            def draw(frame: np.ndarray | None = frame) -> np.ndarray:
                if frame is None:
                    return rng.standard_normal(shape)
                z = rng.standard_normal((size, frame.shape[2]))
                return np.einsum("bdr,br->bd", frame, z)

            theta = theta - self.rate * self.method.estimate(loss, theta, draw)
            seen.append(theta)
        return np.concatenate(seen, axis=1)


def _frames(rng: np.random.Generator, size: int, m: int, n: int, r: int) -> np.ndarray:
    """V kron U for each run, shape (size, m n, r^2)."""
    u, v = (np.linalg.qr(rng.standard_normal((size, side, r)))[0] for side in (m, n))
    return np.einsum("bir,bjs->bijrs", u, v).reshape(size, m * n, r * r)


def uneven(theta: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """A loss with a kink, neither odd nor even nor smooth: its estimates depend on eps."""
    x, y = theta[:, 0] + batch / 2, theta[:, 1:].sum(axis=1)
    return np.sin(2 * x + y) + np.abs(y - batch / 3) + x * np.cos(y) / 2
