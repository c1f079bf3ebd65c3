"""Algorithms 1 to 4 as printed on a model's tensors, and the same step with v rebuilt from seeds.

For what is counted of *them*: bytes and random numbers. Weights move in place by
`w.add_(z, alpha=scale)`, for which z is the only other tensor; noise is drawn tensor by tensor
after a reset of the generator with the candidate's seed (RANDOMPERTURBATION).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from zotheory.papers.shared.steps import generator

Closure = Callable[[], float]


class Candidates:
    """M candidates from the seeds `first`, `first` + 1, ..., on `weights`."""

    def __init__(self, weights: Sequence[Tensor], eps: float, lr: float, count: int) -> None:
        self.weights = weights
        self.eps = eps
        self.lr = lr
        self.count = count

    def noise(self, seed: int) -> Iterator[Tensor]:
        """One tensor of noise after the other, drawn anew from `seed`."""
        source = generator(seed, self.weights[0].device)
        for w in self.weights:
            yield torch.randn(w.shape, dtype=w.dtype, device=w.device, generator=source)

    def add(self, scale: float, noise: Iterator[Tensor] | Sequence[Tensor]) -> None:
        """theta <- theta + scale * noise."""
        noise = iter(noise)
        for w in self.weights:
            w.add_(next(noise), alpha=scale)

    def order(self, closure: Closure, first: int) -> list[int]:
        """Algorithm 2, lines 3 to 11: the seeds by ascending losses."""
        losses = {}
        for seed in range(first, first + self.count):
            self.add(self.eps, self.noise(seed))
            losses[seed] = closure()
            self.add(-self.eps, self.noise(seed))
        return sorted(losses, key=losses.__getitem__)

    def shares(self, order: Sequence[int]) -> dict[int, float]:
        """Eq. 5's weight of each seed, alpha = 1/2."""
        best = self.count // 2
        rest = self.count - best
        return {seed: 1 / best if place < best else -1 / rest for place, seed in enumerate(order)}

    def difference(self, closure: Closure, move: Callable[[float], None]) -> None:
        """Algorithm 1, lines 4 to 10; `move` adds a multiple of v."""
        move(self.eps)
        plus = closure()
        move(-2 * self.eps)
        minus = closure()
        move(self.eps)
        move(-self.lr * (plus - minus) / (2 * self.eps))


class Guided(Candidates):
    """Algorithms 1 and 2 as printed: v is formed once, returned, and used four times.

    In the most favourable reading one tensor for each parameter holds v_top - v_bottom.
    """

    @torch.no_grad()
    def step(self, closure: Closure, first: int = 0) -> None:
        """One step."""
        v = [torch.zeros_like(w) for w in self.weights]
        for seed, share in self.shares(self.order(closure, first)).items():
            noise = self.noise(seed)
            for part in v:
                part.add_(next(noise), alpha=share)
        self.difference(closure, lambda scale: self.add(scale, v))


class Rebuilt(Candidates):
    """The same step with v never formed: wherever v is added, the M seeds' noises are, one by one.

    Beside the weights it holds one tensor of noise, the M seeds and the M losses.
    """

    @torch.no_grad()
    def step(self, closure: Closure, first: int = 0) -> None:
        """One step."""
        shares = self.shares(self.order(closure, first))

        def move(scale: float) -> None:
            for seed, share in shares.items():
                self.add(scale * share, self.noise(seed))

        self.difference(closure, move)


class Greedy(Candidates):
    """Algorithms 3 and 4 as printed: every perturbation z_i is stored with its loss."""

    @torch.no_grad()
    def step(self, closure: Closure, first: int = 0) -> None:
        """One step."""
        stored = []
        for seed in range(first, first + self.count):
            z = list(self.noise(seed))
            self.add(self.eps, z)
            stored.append((closure(), z))
            self.add(-self.eps, z)
        _, best = min(stored, key=lambda pair: pair[0])
        self.difference(closure, lambda scale: self.add(scale, best))
