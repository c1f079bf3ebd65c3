"""How many random numbers are drawn, as far as it can be seen from the outside."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any, Self
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from estimators import philox

_GLOBAL = (("NumPy", np.random, np.random.mtrand._rand), ("Python", random, random._inst))


class Drawn(TorchDispatchMode):
    """Counts the random numbers that are drawn inside a ``with`` block, repetitions included.

    `numbers` has them by source: entries that PyTorch's random operations return on this thread;
    what functions of `numpy.random` and `random`, and generators of `numpy.random.default_rng` made
    meanwhile, return when they are called by these names; and the streams of `estimators`. Other
    threads, compiled kernels and libraries of one's own are not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers: Counter[str] = Counter()
        self._inside = False
        self._stack = ExitStack()

    @property
    def total(self) -> int:
        """Numbers of all sources."""
        return self.numbers.total()

    def __enter__(self) -> Self:
        self._patch()
        philox.watchers.append(self._told)
        self._stack.callback(philox.watchers.remove, self._told)
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._stack.close()

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        # attention is tagged for its dropout, which draws no entry of its result
        if torch.Tag.nondeterministic_seeded in func.tags and "attention" not in str(func):
            sizes = [leaf.numel() for leaf in tree_leaves(found) if isinstance(leaf, Tensor)]
            self.numbers["PyTorch"] += max(sizes, default=0)  # dropout returns its mask, too
        return found

    def _told(self, sums: Sequence[philox.Sum]) -> None:
        for one in sums:
            size = one.out.numel() if one.rows is None else len(one.rows) * one.out.shape[-1]
            self.numbers["estimators"] += size * len(one.terms)

    def _patch(self) -> None:
        """Have functions of modules counted that draw from a generator hidden there."""
        for source, module, hidden in _GLOBAL:
            for name, function in list(vars(module).items()):
                if getattr(function, "__self__", None) is hidden:
                    counted = self._counted(function, source)
                    self._stack.enter_context(patch.object(module, name, counted))
        make, tell = np.random.default_rng, self._counted

        class Generator(np.random.Generator):
            def __getattribute__(self, name: str) -> Any:
                found = super().__getattribute__(name)
                return (
                    found if name.startswith("_") or not callable(found) else tell(found, "NumPy")
                )

        def default_rng(seed: Any = None) -> np.random.Generator:
            made = make(seed)
            return made if made is seed else Generator(made.bit_generator)

        self._stack.enter_context(patch.object(np.random, "default_rng", default_rng))

    def _counted(self, function: Callable[..., Any], source: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:  # some draw by others of their kind
                return function(*args, **kwargs)
            self._inside = True
            try:
                found = function(*args, **kwargs)
            finally:
                self._inside = False
            if isinstance(found, int | float | list | np.generic | np.ndarray):
                self.numbers[source] += np.size(found)
            return found

        return call
