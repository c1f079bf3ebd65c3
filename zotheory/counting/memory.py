"""Bytes held by tensors: weights, state between steps, and the peak within a step."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zotheory.counting.threads import OneThread


class Memory(TorchDispatchMode):
    """Follows the storages that are alive inside a ``with`` block; `now` and `peak` are bytes.

    `held` are tensors that exist before; their storages count from the start, shared ones once.
    Every storage that an operation returns counts from then until it is freed, also on the meta
    device, where storages have a size but no contents. What a kernel allocates and frees within
    itself is not seen, nor are generators and Python objects. Work runs on the calling thread
    meanwhile.
    """

    _shapes: ClassVar[dict[Hashable, tuple]] = {}  # of the results of meta operations

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._threads = OneThread()
        self._live: dict[int, int] = {}
        self.now = 0
        self.peak = 0
        for tensor in held:
            self._see(tensor)

    def __enter__(self) -> Memory:
        self._threads.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._threads.__exit__(*exception)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = self._run(func, args, kwargs or {})
        for leaf in (result,) if isinstance(result, Tensor) else tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return result

    def restart(self) -> None:
        """Measure the peak anew from here."""
        self.peak = self.now

    def _run(self, func, args: tuple, kwargs: Mapping[str, Any]) -> Any:
        """Run an operation, or, on the meta device, make again what it returned the last time.

        Many meta kernels are written in Python and slow; the shape of their result depends on the
        shapes of the arguments alone.
        """
        key = _signature(func, args, kwargs)
        if key in self._shapes:
            shape, stride, dtype = self._shapes[key]
            return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
        result = func(*args, **kwargs)
        if key is not None and result.device.type == "meta" and self._is_new(result):
            self._shapes[key] = (result.shape, result.stride(), result.dtype)
        return result

    def _is_new(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata not in self._live

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if self._is_new(tensor):
            weakref.finalize(storage, self._free, key).atexit = False
        self.now += size - self._live.get(key, 0)
        self._live[key] = size
        self.peak = max(self.peak, self.now)

    def _free(self, key: int) -> None:
        self.now -= self._live.pop(key)


def _signature(func, args: tuple, kwargs: Mapping[str, Any]) -> Hashable | None:
    """What decides the result's shape, or None if the operation has to run.

    It has to run unless it reads meta tensors only and its one result is a new tensor.
    """
    returns = func._schema.returns
    if len(returns) != 1 or returns[0].alias_info or str(returns[0].type) != "Tensor":
        return None
    parts: list[Hashable] = [func]
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            if value.device.type != "meta" or type(value) not in (Tensor, torch.nn.Parameter):
                return None
            parts.append((value.shape, value.stride(), value.dtype))
        elif isinstance(value, int | float | torch.dtype | torch.device | None):
            parts.append((type(value), value))
        else:
            return None
    parts.append(tuple(kwargs))
    return tuple(parts)


@dataclass(frozen=True)
class Footprint:
    """Bytes of the weights, of what outlives a step beside them, and at the peak of a step."""

    weights: int
    state: int
    peak: int


def footprint(model: torch.nn.Module, step: Callable[[], Any], steps: int = 1) -> Footprint:
    """Run `step` so many times; the bytes that the model and the last of these steps hold."""
    with Memory([*model.parameters(), *model.buffers()]) as memory:
        weights = memory.now
        for _ in range(steps):
            memory.restart()
            step()
        gc.collect()
        return Footprint(weights, memory.now - weights, memory.peak)


def state_tensors(optimizer: Optimizer) -> list[Tensor]:
    """The tensors that an optimiser's `state` holds, at any depth, each storage once."""
    leaves = tree_leaves([dict(state) for state in optimizer.state.values()])
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    return list({t.untyped_storage()._cdata: t for t in tensors}.values())
