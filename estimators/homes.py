"""Where a model keeps its parameters: the modules and attributes that are on a tensor's memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from estimators.aliases import Layout, layout


@dataclass(frozen=True, eq=False)
class Home:
    """A parameter and where it is: `module._parameters[name]`.

    native: whether the module's forward is that of its class; accelerate and others put theirs
    before it.
    """

    module: nn.Module
    name: str
    param: nn.Parameter
    native: bool


class Homes:
    """The homes of all parameters of a model as they are now, found by memory, not by identity."""

    def __init__(self, model: nn.Module | None) -> None:
        self._at: dict[Layout, list[Home]] = defaultdict(list)
        self._all: list[tuple[Layout, Home]] = []
        for module in plain_modules(model) if model is not None else ():
            native = "forward" not in module.__dict__
            for name, param in module._parameters.items():
                if param is not None:
                    key = layout(param)
                    self._at[key].append(Home(module, name, param, native))
                    self._all.append((key, self._at[key][-1]))

    def __iter__(self) -> Iterator[tuple[Layout, Home]]:
        """Yield layouts and homes in the order of the model's modules."""
        return iter(self._all)

    def of(self, tensor: Tensor) -> list[Home]:
        """Return the homes of a tensor, or of others on its memory, entry by entry."""
        return self._at.get(layout(tensor), [])


def plain_modules(model: nn.Module) -> list[nn.Module]:
    """Return the modules of a model whose parameters Python keeps: not those of TorchScript."""
    return [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
