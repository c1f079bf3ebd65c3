"""What released trainers do in a step, as optimisers of a few lines.

Each says which repository, commit and functions it follows, and does at the places that the checks
look at what they do there: where generators are seeded, in which order numbers are drawn, what is
written. Models, data and arguments are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Trainer:
    """A model's trainable parameters and a closure of its loss, as `zo_step` and `zo_update`."""

    eps = 1e-3

    def __init__(self, model: nn.Module, lr: float) -> None:
        self.model, self.lr, self.count = model, lr, 0
        self.named: list[tuple[str, nn.Parameter]] = []

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        self.named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        self.prepare(closure)
        self.seed = np.random.randint(1_000_000_000)  # noqa: NPY002
        self.move(1)
        plus = self.forward(closure)
        self.move(-2)
        minus = self.forward(closure)
        slope = ((plus - minus) / (2 * self.eps)).item()
        self.move(1)
        self.update(slope)
        self.count += 1
        return plus

    def forward(self, closure: Callable[[], Tensor]) -> Tensor:
        self.model.eval()
        with torch.inference_mode():
            return closure().detach()

    def prepare(self, closure: Callable[[], Tensor]) -> None:
        """What a step does before its two losses."""

    def move(self, times: int) -> None:
        torch.manual_seed(self.seed)
        for _, p in self.named:
            p.data = p.data + times * self.eps * normal(p)

    def update(self, slope: float) -> None:
        torch.manual_seed(self.seed)
        for _, p in self.named:
            p.data = p.data - self.lr * slope * normal(p)


def normal(p: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers of PyTorch's global generator, of a parameter's shape or another."""
    return torch.normal(0.0, 1.0, size=shape or p.shape, device=p.device, dtype=p.dtype)


class MeZO(Trainer):
    """princeton-nlp/MeZO at 552cb1b, large_models/trainer.py: zo_perturb_parameters, zo_update."""


class LOZO(Trainer):
    """optsuite/LOZO at 5d1ade5, large_models/LOZOtrainer.py: lowrank_zo_perturb_parameters,
    lowrank_zo_update (interval 50, rank 2).

    On steps that renew V, perturbing draws V and U in turn from one generator; the update draws
    the U alone.
    """

    interval, rank = 50, 2

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__(model, lr)
        self.v: dict[str, Tensor] = {}

    def move(self, times: int) -> None:
        torch.manual_seed(self.seed)
        for name, p in self.named:
            if p.ndim < 2:
                noise = normal(p)
            else:
                if self.count % self.interval == 0:
                    self.v[name] = normal(p, math.prod(p.shape[1:]), self.rank)
                noise = self._product(name, p)
            p.data = p.data + times * self.eps * noise

    def update(self, slope: float) -> None:
        torch.manual_seed(self.seed)
        for name, p in self.named:
            noise = normal(p) if p.ndim < 2 else self._product(name, p)
            p.data = p.data - self.lr * slope * noise

    def _product(self, name: str, p: Tensor) -> Tensor:
        return (normal(p, p.shape[0], self.rank) @ self.v[name].T).view(p.shape)


class SubZero(Trainer):
    """zimingyy/SubZero at cf6effd, large_models/trainer.py: zo_subspace_step, zo_subspace_update
    (with SGD; rank 2, interval 50).

    U and V come from PyTorch's generator before it is seeded; writing goes through `.grad`.
    """

    interval, rank = 50, 2

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__(model, lr)
        self.frames: dict[str, tuple[Tensor, Tensor]] = {}
        self.inner = torch.optim.SGD(model.parameters(), lr=lr)

    def prepare(self, closure: Callable[[], Tensor]) -> None:
        for name, p in self.named:
            p.grad = None
            if p.ndim == 2 and self.count % self.interval == 0:
                left, right = (
                    torch.linalg.qr(torch.randn(n, self.rank, device=p.device))[0] for n in p.shape
                )
                self.frames[name] = left.to(p.dtype), right.to(p.dtype).T

    def move(self, times: int) -> None:
        torch.manual_seed(self.seed)
        for name, p in self.named:
            p.data = p.data + times * self._noise(name, p) * self.eps

    def update(self, slope: float) -> None:
        torch.manual_seed(self.seed)
        for name, p in self.named:
            p.grad = slope * self._noise(name, p)
            self.inner.step()
            p.grad = None

    def _noise(self, name: str, p: Tensor) -> Tensor:
        if name not in self.frames:
            return normal(p)
        left, right = self.frames[name]
        core = normal(p, self.rank, self.rank)
        return left @ core @ right * math.sqrt(p.numel() / core.numel())


class MeZOGV(Trainer):
    """stan-anony/MeZO-GV at 70a2551, large_models/trainer.py: _compute_guided_vector_with_history,
    zo_perturb_parameters, zo_update.

    Candidates are evaluated along noise that runs on from tensor to tensor; the guiding vector is
    made of noise that starts anew in each. It is then evaluated itself, and kept.
    """

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__(model, lr)
        self.best: int | None = None
        self.guide: dict[str, Tensor] = {}

    def prepare(self, closure: Callable[[], Tensor]) -> None:
        first = np.random.randint(1_000_000_000)  # noqa: NPY002
        seeds = [first, first + 1] if self.best is None else [first, self.best]
        losses = []
        for seed in seeds:
            for times in (1, -1):
                torch.manual_seed(seed)
                for _, p in self.named:
                    p.data = p.data + times * self.eps * normal(p)
                if times > 0:
                    losses.append(self.forward(closure).item())
        self.best, worst = seeds[int(np.argmin(losses))], seeds[int(np.argmax(losses))]
        for name, p in self.named:
            ends = []
            for seed in (self.best, worst):
                torch.manual_seed(seed)
                ends.append(normal(p))
            self.guide[name] = ends[0] - ends[1]

    def move(self, times: int) -> None:
        torch.manual_seed(self.seed)
        for name, p in self.named:
            p.data = p.data + times * self.guide[name] * self.eps

    def update(self, slope: float) -> None:
        for name, p in self.named:
            p.data = p.data - self.lr * slope * self.guide[name]


class EvolutionStrategies:
    """VsonicV/es-fine-tuning-paper at 523afc8, es_fine-tuning_conciseness.py: process_seed and the
    aggregation of the main loop (population 30, sigma 1e-3).

    Every parameter's generator starts from the member's seed.
    """

    population, sigma = 30, 1e-3

    def __init__(self, model: nn.Module, lr: float) -> None:
        self.model, self.lr = model, lr

    def step(self, closure: Callable[[], Tensor]) -> float:
        seeds = np.random.randint(0, 2**30, size=self.population).tolist()  # noqa: NPY002
        rewards = []
        for seed in seeds:
            self._add(seed, self.sigma)
            with torch.no_grad():
                rewards.append(-float(closure()))
            self._add(seed, -self.sigma)
        found = np.array(rewards, dtype=np.float32)
        shares = (found - found.mean()) / (found.std() + 1e-8)
        for p in self.model.parameters():
            total = torch.zeros_like(p)
            for seed, share in zip(seeds, shares, strict=True):
                total.add_(drawn(p, seed).mul_(float(share)))
            p.data.add_(self.lr * total.div_(self.population))
        return -float(found.mean())

    def _add(self, seed: int, scale: float) -> None:
        for p in self.model.parameters():
            p.data.add_(scale * drawn(p, seed))


def drawn(p: Tensor, seed: int) -> Tensor:
    """Standard normal numbers of a parameter's shape, of a generator of their own."""
    generator = torch.Generator(p.device).manual_seed(seed)
    return torch.randn(p.shape, generator=generator, device=p.device, dtype=p.dtype)


# With what their papers say of the estimate: whose it is, or the scale of its mean.
RELEASED: dict[str, tuple[Callable[..., Any], Any]] = {
    "MeZO": (MeZO, "mezo"),
    "LOZO": (LOZO, 1.0),  # the paper divides U V^T by the rank
    "SubZero": (SubZero, 1.0),
    "MeZO-GV": (MeZOGV, 2.0),  # of two candidates: E (z - z')(z - z')^T = 2 I
    "ES at Scale": (EvolutionStrategies, 1.0),
}
