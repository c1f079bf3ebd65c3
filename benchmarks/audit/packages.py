"""Optimisers of packages on PyPI, called as their documentation calls them.

A package that is not installed is left out of the table; nothing of it is imported before.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def _torchzero(name: str, **options: Any) -> Callable[..., Any]:
    """tz.Optimizer(params, tz.m.<name>(), tz.m.LR(lr))"""

    def factory(params: Any, lr: float) -> Any:
        import torchzero as tz

        return tz.Optimizer(params, getattr(tz.m, name)(**options), tz.m.LR(lr))

    factory.__name__ = f"torchzero {name}"
    return factory


class Mezo:
    """mezo.update(model, inputs, loss_function, epsilon, learning_rate, random_seed), a new seed a
    step, as in its README."""

    def __init__(self, model: nn.Module, lr: float, seed: int) -> None:
        self.model, self.lr = model, lr
        self.generator = np.random.default_rng(seed)

    def step(self, closure: Callable[[], Tensor]) -> None:
        import mezo

        mezo.update(
            self.model,
            None,
            lambda model, inputs: closure(),
            epsilon=1e-3,
            learning_rate=self.lr,
            random_seed=int(self.generator.integers(10**8)),
        )


class Eggroll:
    """TorchEggrollES(model, ...): prepare_population, minus the loss of each member,
    apply_fitness_scores. It takes no seed."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        from torcheggroll import TorchEggrollES

        self.model = model
        self.made = TorchEggrollES(model, pop_size=8, sigma=1e-3, lr=lr, rank=2)

    def step(self, closure: Callable[[], Tensor]) -> float:
        kept = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        fitness = []
        with torch.no_grad():
            for member in self.made.prepare_population():
                for name, p in self.model.named_parameters():
                    p.copy_(member[name])
                fitness.append(-float(closure()))
            for name, p in self.model.named_parameters():
                p.copy_(kept[name])
        return -self.made.apply_fitness_scores(
            torch.tensor(fitness, dtype=torch.float64, device="cpu")
        )


def packaged() -> dict[str, tuple[Callable[..., Any], Any, str]]:
    """Name: (factory, card, package and version), of the packages that are installed."""
    found: dict[str, tuple[Callable[..., Any], Any, str]] = {}
    if find_spec("torchzero"):
        told = f"torchzero {version('torchzero')}"
        for name in ("MeZO", "SPSA", "SPSA1"):  # all of random signs
            found[f"torchzero {name}"] = _torchzero(name), "rademacher", told
        found["torchzero RDSA"] = _torchzero("RDSA"), "mezo", told
        found["torchzero GaussianSmoothing"] = (
            _torchzero("GaussianSmoothing", n_samples=4),
            1.0,
            told,
        )
    if find_spec("mezo"):
        found["mezo"] = Mezo, "mezo", f"mezo {version('mezo')}"
    if find_spec("torcheggroll"):
        found["torcheggroll"] = Eggroll, 1.0, f"torcheggroll {version('torcheggroll')}"
    return found
