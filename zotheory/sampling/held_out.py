"""Steps of the code that trains on one linear loss, seen by others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from zotheory.papers.shared.estimates import SEEDS, Recipe, linear, zeros


@dataclass(frozen=True)
class HeldOut:
    """1 where a step of a recipe on <g, w> lowers <g_j, w>: a column for each cos(g, g_j)."""

    recipe: Recipe
    cosines: tuple[float, ...]
    d: int

    def __call__(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` independent rows of 0.0 and 1.0, shape (size, number of cosines)."""
        named = zeros({"w": (self.d,)})
        ((_, w),) = named
        gradient, *others = self._gradients()
        closure, losses = linear(named, [gradient]), torch.stack(others)
        optimizer = self.recipe.build(named)
        optimizer.seed = int(rng.integers(SEEDS))
        rows = np.empty((size, len(others)))
        for row in rows:
            before = losses @ w.detach()
            optimizer.step(closure)
            row[:] = (losses @ w.detach() < before).numpy()
        return rows

    def _gradients(self) -> list[torch.Tensor]:
        """g and the g_j, all of norm 1, in no special position."""
        frame = np.random.default_rng(self.d).standard_normal((self.d, 2))
        along, across = torch.from_numpy(np.linalg.qr(frame)[0].T.copy())
        turned = [c * along + (1 - c * c) ** 0.5 * across for c in self.cosines]
        return [along, *turned]
