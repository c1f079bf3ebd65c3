"""MeZO's and LeZO's step the way their reference code makes it: one parameter after the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Closure = Callable[[], Tensor]


class PublishedStep:
    """Perturb by +eps, -2 eps, +eps, then update, drawing the noise anew each time.

    MeZO (Malladi et al. 2023), Algorithm 1; with `layers`, LeZO's Algorithm 1: of the groups of
    parameters in `layers`, the share `sparsity` is skipped in every pass, drawn anew each step.
    Nothing is fused, no two tensors are drawn at a time.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        eps: float = 1e-3,
        layers: nn.ModuleList | None = None,
        sparsity: float = 0.75,
    ) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.lr, self.eps = lr, eps
        self.layers, self.sparsity = layers, sparsity
        self.steps = 0

    def __call__(self, closure: Closure) -> None:
        """Make one step."""
        kept = self._kept()
        self.steps += 1
        with torch.no_grad():
            self._move(kept, self.eps)
            plus = float(closure())
            self._move(kept, -2 * self.eps)
            minus = float(closure())
            self._move(kept, self.eps)
            self._move(kept, -self.lr * (plus - minus) / (2 * self.eps))

    def _kept(self) -> list[nn.Parameter]:
        if self.layers is None:
            return self.parameters
        count = int(self.sparsity * len(self.layers))
        generator = torch.Generator().manual_seed(self.steps)
        off = torch.randperm(len(self.layers), generator=generator)[:count].tolist()
        skipped = {id(p) for index in off for p in self.layers[index].parameters()}
        return [p for p in self.parameters if id(p) not in skipped]

    def _move(self, kept: list[nn.Parameter], scale: float) -> None:
        generator = torch.Generator(kept[0].device).manual_seed(self.steps)
        for parameter in kept:
            z = torch.empty_like(parameter).normal_(generator=generator)
            parameter.data = parameter.data + scale * z
