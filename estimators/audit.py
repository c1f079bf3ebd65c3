"""Looking at a closure during one step: what it uses, what it writes, what it draws."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from estimators.inplace import Applier
from estimators.slots import Slot
from estimators.watch import Usage


class Audit:
    """Looks at the closure during one step.

    Which parameters it uses can be seen where they are its own, not replaced in forward passes.
    """

    def __init__(self, slots: Sequence[Slot], model: nn.Module | None, applier: Applier) -> None:
        self.model = model
        self.usage = Usage({id(slot.param) for slot in slots})
        self.random = False
        self._names = {id(slot.param): slot.name for slot in slots}
        self._cuda = {slot.device for slot in slots if slot.device.type == "cuda"}
        self._buffers = Buffers(model)
        self._watches = applier.moves_weights and _is_eager(model)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at one call of the closure."""
        before = self._states()
        with self.usage if self._watches else nullcontext():
            yield
        now = self._states()
        self.random |= before != now

    def written_buffers(self) -> list[str]:
        """Return the names of the buffers that the closure has written."""
        return self._buffers.changed()

    def unused(self) -> list[str]:
        """Return the names that no function was given, none if nothing could be seen."""
        if not self.usage.seen:
            return []
        return [name for key, name in self._names.items() if key not in self.usage.seen]

    def _states(self) -> list[Any]:
        """Return the states of the generators of PyTorch, Python and numpy, if that is there."""
        tensors = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._cuda)]
        states: list[Any] = [state.tolist() for state in tensors]
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            _, words, position, *_ = numpy.random.get_state()
            states += [words.tolist(), position]
        return [*states, random.getstate()]


class Buffers:
    """The buffers of a model, those of some names only, as they were."""

    def __init__(self, model: nn.Module | None, names: Sequence[str] | None = None) -> None:
        self._kept: dict[str, tuple[nn.Module, str, Tensor, Tensor]] = {}
        if model is None or names == []:
            return
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):  # keeps its buffers to itself
                continue
            for key, buffer in module._buffers.items():
                name = f"{path}.{key}".removeprefix(".")
                if buffer is not None and (names is None or name in names):
                    self._kept[name] = module, key, buffer, buffer.clone()

    def changed(self) -> list[str]:
        """Return the names of those that are others now, or have other values.

        By value: batch_norm writes its statistics past PyTorch's version counters.
        """
        return [name for name, kept in self._kept.items() if self._differs(*kept)]

    def put_back(self) -> None:
        """Bring them all back."""
        for module, key, buffer, before in self._kept.values():
            if self._differs(module, key, buffer, before):
                module._buffers[key] = buffer
                buffer.copy_(before)

    @staticmethod
    def _differs(module: nn.Module, key: str, buffer: Tensor, before: Tensor) -> bool:
        if module._buffers.get(key) is not buffer:
            return True
        return buffer.device.type != "meta" and not torch.equal(buffer, before)


def _is_eager(model: nn.Module | None) -> bool:
    """Whether functions can be watched: compiled code would be compiled once more for it."""
    modules = list(model.modules()) if model is not None else []
    if any(isinstance(module, torch.jit.ScriptModule) for module in modules):
        return False
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None:
        return True
    marks = "_compiled_call_impl", "_orig_mod"
    compiled = any(getattr(module, mark, None) for module in modules for mark in marks)
    return not compiled and not dynamo.utils.counters["stats"]
