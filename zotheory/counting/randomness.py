"""How many random numbers a computation draws, read off the numbers themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zotheory.counting.threads import OneThread


class Draws(TorchDispatchMode):
    """Counts the random numbers that PyTorch operations produce inside a ``with`` block.

    `drawn` counts every number as often as it is drawn; `distinct` counts different values, so
    that noise which is regenerated counts once. Different 64-bit draws coincide with probability
    below 2^-12 for a million numbers; narrower ones coincide often, which is why other types raise
    TypeError. Work runs on the calling thread meanwhile: a mode does not see other threads. What is
    drawn outside PyTorch is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads = OneThread()
        self._values: list[np.ndarray] = []

    def __enter__(self) -> Draws:
        self._threads.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._threads.__exit__(*exception)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self._record(leaf)
        return result

    def _record(self, numbers: Tensor) -> None:
        if numbers.dtype != torch.float64 or numbers.device.type != "cpu":
            raise TypeError(
                f"count 64-bit numbers drawn on the CPU, not {numbers.dtype} on {numbers.device}"
            )
        self._values.append(numbers.detach().numpy().ravel().copy())

    @property
    def drawn(self) -> int:
        """Numbers drawn, repetitions included."""
        return sum(len(values) for values in self._values)

    @property
    def distinct(self) -> int:
        """Different numbers drawn."""
        return len(np.unique(np.concatenate(self._values))) if self._values else 0
