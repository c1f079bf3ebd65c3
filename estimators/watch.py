"""Watching which parameters a forward pass uses, and where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from estimators.aliases import address
from estimators.surroundings import exact_products


class Usage(TorchFunctionMode):
    """Notes the parameters that functions of PyTorch are given; `seen` holds their ids."""

    def __init__(self, wanted: set[int]) -> None:
        super().__init__()
        self.wanted = wanted
        self.seen: set[int] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        for leaf in leaves((*args, *(kwargs or {}).values())):
            if id(leaf) in self.wanted:
                self.seen.add(id(leaf))
        return func(*args, **(kwargs or {}))


class UsedElsewhere(RuntimeError):
    """A perturbed parameter is used where its module does not see it; `key` is its id."""

    def __init__(self, key: int, text: str) -> None:
        super().__init__(text)
        self.key = key


class Inside(TorchFunctionMode):
    """Sees to it that perturbed parameters are used by their modules, and only by them.

    names: those of the parameters, by id. `keys` has the id by which each tensor on the memory of
    one of them is known, `whole` the tensors that stand for one everywhere. Raises UsedElsewhere.
    """

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__()
        self.spans: list[tuple[int, int, int]] = []
        self.names = names
        self.keys = {key: key for key in names}
        self.owned: set[int] = set()
        self.whole: dict[int, Tensor] = {}
        self.ran: set[int] = set()
        self.open: list[int] = []

    def begin(self, memory: Iterable[Tensor] = ()) -> None:
        """Forget the evaluation before.

        memory: where parameters lie, to look for views of them that were made outside the closure.
        """
        spans = [(address(t), t.numel() * t.element_size(), id(t)) for t in memory]
        self.spans = sorted(span for span in spans if span[0] > 0)
        for tensor in self.whole.values():
            self.keys.pop(id(tensor), None)
        self.whole.clear()
        self.ran.clear()
        self.open.clear()

    def replace(self, key: int, tensor: Tensor) -> None:
        """Know a tensor that stands for a parameter everywhere."""
        self.whole[key] = tensor
        self.keys[id(tensor)] = key

    def require(self, seen: set[int], complaint: str) -> None:
        """Raise RuntimeError unless all parameters are among those seen."""
        missing = [name for key, name in self.names.items() if key not in seen]
        if missing:
            raise RuntimeError(f"{missing[0]} {complaint}")

    @staticmethod
    @contextmanager
    def pause() -> Iterator[None]:
        """Look away from the uses of parameters that add noise: these are not called functions.

        Products are made in 32 bits, as the update makes them.
        """
        with torch._C.DisableTorchFunction(), exact_products():
            yield

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in (*args, *kwargs.values()) if kwargs else args:
            if isinstance(value, list | tuple):
                for leaf in leaves(value):
                    self._look(leaf, result)
            elif self.spans or id(value) in self.keys:
                self._look(value, result)
        return result

    def _look(self, leaf: Any, result: Any) -> None:
        key = self.keys.get(id(leaf))
        if key is None and self.spans and isinstance(leaf, Tensor):
            key = self._around(leaf)
        if key is not None:
            self._use(key, leaf, result)

    def _around(self, leaf: Tensor) -> int | None:
        """Return the id of the parameter in whose memory a tensor begins."""
        place = address(leaf)
        index = bisect_right(self.spans, place, key=lambda span: span[0]) - 1
        if place <= 0 or index < 0:
            return None
        start, size, key = self.spans[index]
        return key if place < start + size else None

    def _use(self, key: int, leaf: Tensor, result: object) -> None:
        if not any(isinstance(made, Tensor) for made in tree_leaves(result)):
            return  # its shape or type was asked for
        if leaf is self.whole.get(key):
            self.ran.add(key)
        elif key not in self.open:
            raise UsedElsewhere(
                key,
                f"{self.names[key]} is used outside the forward of its module, where its noise "
                'cannot be added; use apply="inplace"',
            )


def leaves(values: Iterable[Any]) -> Iterator[Any]:
    """Yield values, and those in lists and tuples."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from leaves(value)
        else:
            yield value
