"""Instruments: bytes held, random numbers drawn, passes made; deep models from shallow ones."""

from __future__ import annotations

import gc
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from estimators import philox
from estimators.streams import fingerprint

# Counting on one thread: a dispatch mode does not see what other threads do.


class OneThread:
    """Keeps PyTorch, and work that follows its thread count, on the calling thread.

    What a process does once, and no step by itself, is done before: the checksum of the noise.
    """

    def __enter__(self) -> OneThread:
        fingerprint(torch.device("cpu"))
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: Any) -> None:
        torch.set_num_threads(self._threads)


class _OnOneThread(TorchDispatchMode):
    """A mode that keeps work on the calling thread meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = OneThread()

    def __enter__(self) -> Self:
        self._threads.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._threads.__exit__(*exception)


class _Watching(_OnOneThread, ABC):
    """One that is also told of the noise that is written."""

    def __enter__(self) -> Self:
        super().__enter__()
        philox.watchers.append(self._told)
        return self

    def __exit__(self, *exception: Any) -> None:
        philox.watchers.remove(self._told)
        super().__exit__(*exception)

    @abstractmethod
    def _told(self, sums: Sequence[philox.Sum]) -> None:
        """See sums before they are written."""


# Bytes held by tensors: weights, state between steps, and the peak within a step.


class Memory(_OnOneThread):
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
        self._live: dict[int, int] = {}
        self.now = 0
        self.peak = 0
        for tensor in held:
            self._see(tensor)

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = self._run(func, args, kwargs or {})
        for leaf in (result,) if isinstance(result, Tensor) else tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return result

    def restart(self) -> None:
        """Measure the peak anew from here."""
        self.peak = self.now

    def _run(self, func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
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


def _signature(
    func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Hashable | None:
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


# How many random numbers a computation draws.


class Draws(_Watching):
    """Counts the random numbers that are drawn inside a ``with`` block.

    `drawn` counts every number as often as it is drawn; `distinct` counts those of different
    places, so that noise which is regenerated counts once. Numbers of the estimators' own streams
    are known by key and index, on the meta device, too; what decides how a weight is rounded, and
    where noise is, is not counted. Of PyTorch's operations the numbers themselves are compared:
    64-bit draws coincide with probability below 2^-12 for a million numbers; narrower ones coincide
    often, which is why other types raise TypeError. Work runs on the calling thread meanwhile: a
    mode does not see other threads. What is drawn elsewhere is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._values: list[np.ndarray] = []
        self._spans: dict[tuple[int, bool], list[tuple[int, int]]] = {}

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
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

    def _told(self, sums: Sequence[philox.Sum]) -> None:
        for one in sums:
            width = one.out.numel() if one.rows is None else one.out.shape[-1]
            rows = [0] if one.rows is None else one.rows.tolist()
            for _, key in one.terms:
                spans = self._spans.setdefault((key, one.signs), [])
                starts = (one.offset + row * width for row in rows)
                spans += [(start, start + width) for start in starts]

    @property
    def drawn(self) -> int:
        """Numbers drawn, repetitions included."""
        told = sum(stop - start for spans in self._spans.values() for start, stop in spans)
        return told + sum(len(values) for values in self._values)

    @property
    def distinct(self) -> int:
        """Different numbers drawn."""
        told = sum(_covered(spans) for spans in self._spans.values())
        return told + (len(np.unique(np.concatenate(self._values))) if self._values else 0)


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    """How many integers lie in at least one of the spans [start, stop)."""
    covered, end = 0, 0
    for start, stop in sorted(spans):
        covered += max(0, stop - max(start, end))
        end = max(end, stop)
    return covered


# How much a computation computes.


class Operations(_Watching):
    """Counts the arithmetic of PyTorch operations inside a ``with`` block, in `done`.

    A matrix product over an inner dimension k counts 2 k for every entry of its result, any other
    operation on tensors 1 for every floating-point entry that it writes, and so does every stream
    of noise that is added to one. Views, new tensors without contents and random numbers (see
    `Draws`) count nothing. Work runs on the calling thread meanwhile: a mode does not see other
    threads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def _told(self, sums: Sequence[philox.Sum]) -> None:
        for one in sums:
            if one.base is not None:  # else it is drawn, and nothing more
                steps = len(one.terms) + (one.dense is not None) + (one.scale != 1.0)
                self.done += steps * one.out.numel()

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        moves = func.is_view or func is torch.ops.aten._unsafe_view.default
        if read and not moves and torch.Tag.nondeterministic_seeded not in func.tags:
            written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            product = func.overloadpacket in PRODUCTS
            each = 2 * read[-1].shape[-2] if product else 1  # the last factor is k x n
            self.done += each * sum(w.numel() for w in written if w.is_floating_point())
        return result


PRODUCTS = {getattr(torch.ops.aten, name) for name in ("mm", "addmm", "addmm_", "bmm", "baddbmm")}


# Forward passes, and losses for runs in which the loss is beside the point.


class Passes:
    """A closure that counts its calls and returns 2, 1, 2, 1, ...

    Runs on the meta device have no loss; alternating values keep projected gradients from
    vanishing, so that a step writes its update. `forward` is called each time, for what it holds.
    """

    def __init__(self, forward: Callable[[], Any] = lambda: None) -> None:
        self.forward = forward
        self.made = 0

    def __call__(self) -> float:
        self.forward()
        self.made += 1
        return 1.0 + self.made % 2


# Counts on deep models from shallow ones with the same layers.


def at_depth(
    count: Callable[[int], Sequence[int]], depth: int, shallow: tuple[int, int, int] = (1, 2, 3)
) -> tuple[int, ...]:
    """What `count` would give for a model of `depth` layers, from three shallow ones.

    Layers of a transformer have equal shapes, and a step writes one tensor after the other: each
    further layer adds the same number to what is held and nothing to the temporaries. That the
    three counts lie on a line is checked, for every number; if they do not, ArithmeticError. A
    peak, a largest value of such lines, could still turn upwards deeper down: the tests count some
    of them at all layers.
    """
    first, second, third = (tuple(count(layers)) for layers in shallow)
    a, b, c = shallow
    line = []
    for x, y, z in zip(first, second, third, strict=True):
        if (y - x) * (c - b) != (z - y) * (b - a):
            raise ArithmeticError(f"the counts {x}, {y}, {z} at depths {shallow} are on no line")
        line.append(x + (y - x) // (b - a) * (depth - a))
    return tuple(line)
