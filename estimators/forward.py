"""Evaluation with the noise added inside the forward passes of modules.

The weights are never written. Low-rank noise acts on the activations of Linear and Embedding
modules; any other noise makes perturbed tensors, a few at a time, for as long as their modules run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import mha
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from estimators.assignment import Assignment, Terms, assign, merge
from estimators.inplace import Applier, Offsets
from estimators.noise import LowRankNoise
from estimators.products import add_product
from estimators.slots import Slot

_PIECE = 1 << 22  # entries that are perturbed at once, of one matrix or of several tensors


class Forward(Applier):
    """Perturbs modules of `model` while they run.

    Every perturbed parameter must be used by the forward of a module that owns it, in every
    evaluation, and by nothing else: a module that does not run raises RuntimeError, and so does
    any other use of a perturbed parameter, which the first evaluation looks for.
    """

    moves_weights = False

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.audited = False
        self._space = _Workspace()

    def evaluate(self, call: Callable[[], Any], offsets: Offsets) -> Any:
        terms = {id(s.param): (s, [(w, z) for z, w in o.items()]) for s, o in offsets.items()}
        watch = _Watch({key: slot.name for key, (slot, _) in terms.items()})
        self._space.waiting.clear()
        with ExitStack() as stack:
            # Fused transformer layers would read the weights of modules that they do not run.
            stack.callback(mha.set_fastpath_enabled, mha.get_fastpath_enabled())
            mha.set_fastpath_enabled(False)
            for module in self.model.modules():
                for name, parameter in module._parameters.items():
                    if id(parameter) in terms:
                        watch.owned.add(id(parameter))
                        hook = self._hook(module, name, *terms[id(parameter)])
                        hook.attach(module, stack, watch)
            watch.require(watch.owned, "belongs to no module of the model")
            if offsets and not self.audited:
                stack.enter_context(watch)
            value = call()
        watch.require(watch.ran, "was not used by the forward of its module")
        self.audited = self.audited or bool(offsets)
        return value

    def finish(self) -> dict[Slot, Terms]:
        self._space.clear()
        return {}

    def restore(self) -> None:
        self._space.clear()

    def _hook(self, module: nn.Module, name: str, slot: Slot, terms: Terms) -> _Hook:
        kind = type(module).forward
        low_rank = all(isinstance(noise, LowRankNoise) for _, noise in terms)
        if name == "weight" and kind is nn.Linear.forward and low_rank:
            return _LinearHook(slot, merge(terms))
        if name == "weight" and kind is nn.Embedding.forward and module.max_norm is None:
            return _EmbeddingHook(slot, merge(terms) if low_rank else terms)
        parts = name == "weight" and kind is nn.Linear.forward and module.bias is None
        if parts and slot.m > slot.rows_within(_PIECE):
            return _RowsHook(slot, terms, name, self._space)
        hook = _SwapHook(slot, terms, name, self._space)
        self._space.waiting.append(hook)
        return hook


class _Watch(TorchFunctionMode):
    """Sees to it that perturbed parameters are used by their modules, and only by them."""

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__()
        self.names = names
        self.owned: set[int] = set()
        self.ran: set[int] = set()
        self.open: list[int] = []
        self.paused = False

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Look away from the uses of parameters that add noise."""
        self.paused = True
        yield
        self.paused = False

    def require(self, seen: set[int], complaint: str) -> None:
        missing = [name for key, name in self.names.items() if key not in seen]
        if missing:
            raise RuntimeError(f'{missing[0]} {complaint}; use apply="inplace"')

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not self.paused and any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            for leaf in tree_leaves((args, kwargs)):
                if id(leaf) in self.names and id(leaf) not in self.open:
                    raise RuntimeError(
                        f"{self.names[id(leaf)]} is used outside the forward of its module, "
                        'where its noise cannot be added; use apply="inplace"'
                    )
        return result


class _Hook(ABC):
    """Adds the noise of one parameter while a module that owns it runs."""

    def __init__(self, slot: Slot, terms: Terms) -> None:
        self.slot = slot
        self.terms = terms

    def attach(self, module: nn.Module, stack: ExitStack, watch: _Watch) -> None:
        """Take the place of `module.forward` until `stack` is left.

        PyTorch's own hooks would do, at twice the cost of a call.
        """
        key, inner = id(self.slot.param), module.forward
        own = module.__dict__.get("forward")

        def forward(*args: Any, **kwargs: Any) -> Any:
            watch.open.append(key)
            output = self.run(module, inner, watch, args, kwargs)
            watch.open.remove(key)
            watch.ran.add(key)
            return output

        stack.callback(self.detach, module, own)
        module.__dict__["forward"] = forward

    @abstractmethod
    def run(
        self, module: nn.Module, inner: Callable, watch: _Watch, args: tuple, kwargs: dict
    ) -> Any:
        """Return the output of the perturbed module; `inner` is its forward."""

    def detach(self, module: nn.Module, own: Callable | None) -> None:
        """Give the module its forward back, and what an interrupted forward left."""
        if own is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = own


class _LinearHook(_Hook):
    """y + x Z^T = y + H A^T for Z = A B^T, without forming Z."""

    def run(
        self, module: nn.Module, inner: Callable, watch: _Watch, args: tuple, kwargs: dict
    ) -> Tensor:
        output = inner(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        with watch.pause():
            flat, total = x.reshape(-1, self.slot.n), output.view(-1, self.slot.m)
            for weight, noise in self.terms:
                hidden, left = noise.basis.act(flat, noise.coordinates)
                add_product(total, hidden.to(total.dtype), left.to(total.dtype), weight)
        return output


class _EmbeddingHook(_Hook):
    """Adds the rows of Z that the indices ask for."""

    def run(
        self, module: nn.Module, inner: Callable, watch: _Watch, args: tuple, kwargs: dict
    ) -> Tensor:
        output = inner(*args, **kwargs)
        index = (args[0] if args else kwargs["input"]).flatten()
        with watch.pause():
            total = output.view(-1, self.slot.n).to(self.slot.compute_dtype)
            for weight, noise in self.terms:
                rows = noise.lookup(index, self.slot.matrix)
                total.add_(rows.to(total.dtype), alpha=weight)
            return total.to(output.dtype).view_as(output)


class _ReplacingHook(_Hook):
    """Puts perturbed entries, in a reused buffer, in the place of the parameter `name`."""

    def __init__(self, slot: Slot, terms: Terms, name: str, space: _Workspace) -> None:
        super().__init__(slot, terms)
        self.name = name
        self.space = space

    def detach(self, module: nn.Module, own: Callable | None) -> None:
        super().detach(module, own)
        module._parameters[self.name] = self.slot.param


class _SwapHook(_ReplacingHook):
    """Puts a whole perturbed tensor in the place of the parameter."""

    def __init__(self, slot: Slot, terms: Terms, name: str, space: _Workspace) -> None:
        super().__init__(slot, terms, name, space)
        self.depth = 0
        self.tensor: Tensor | None = None
        self.share: _Share | None = None

    def run(
        self, module: nn.Module, inner: Callable, watch: _Watch, args: tuple, kwargs: dict
    ) -> Any:
        if self.depth == 0:  # a module that calls itself keeps the tensor it has
            if self.tensor is None:
                with watch.pause():
                    self.space.perturb(self)
            module._parameters[self.name] = self.tensor
        self.depth += 1
        output = inner(*args, **kwargs)
        self.depth -= 1
        if self.depth == 0:
            module._parameters[self.name] = self.slot.param
            self.tensor = None
            self.space.leave(self.share)
        return output


@dataclass
class _Share:
    """A buffer in which some tensors live, and how many of them are still needed."""

    buffer: Tensor
    needed: int


class _Workspace:
    """Perturbs tensors into reused buffers, those of small modules together.

    Threads that draw noise get in the way of those of OpenMP, which spin for milliseconds after
    every operation: a few tensors at a time, both meet less often. `waiting` holds the hooks of
    an evaluation that have no tensor yet, in the order of their modules.
    """

    def __init__(self) -> None:
        self.waiting: list[_SwapHook] = []
        self.free: list[Tensor] = []

    def perturb(self, hook: _SwapHook) -> None:
        """Make the tensor of a hook, and of those that wait behind it while there is space."""
        batch, entries = [hook], hook.slot.param.numel()
        if hook in self.waiting:  # not if its module runs again
            place = self.waiting.index(hook)
            for other in self.waiting[place + 1 :]:
                entries += other.slot.param.numel()
                alike = (other.slot.dtype, other.slot.device) == (hook.slot.dtype, hook.slot.device)
                if entries > _PIECE or not alike:
                    break
                batch.append(other)
            del self.waiting[place : place + len(batch)]
        sizes = [member.slot.param.numel() for member in batch]
        share = _Share(self.take(sum(sizes), hook.slot), len(batch))
        assignments = []
        for member, part in zip(batch, share.buffer[: sum(sizes)].split(sizes), strict=True):
            slot = member.slot
            out = part.view(slot.m, slot.n)
            assignments.append(Assignment(slot, out, slot.matrix, 1.0, member.terms))
            member.tensor, member.share = part.view(slot.param.shape), share
        assign(assignments)

    def leave(self, share: _Share) -> None:
        """Give back the place of one tensor."""
        share.needed -= 1
        if not share.needed:
            self.free.append(share.buffer)

    def take(self, entries: int, like: Slot) -> Tensor:
        """Return a buffer of at least so many entries."""
        for index, buffer in enumerate(self.free):
            if buffer.dtype == like.dtype and buffer.device == like.device:
                found = self.free.pop(index)
                if found.numel() >= entries:
                    return found
                break  # replace the small buffer by a larger one, do not hold both
        with torch.inference_mode(False):
            return torch.empty(entries, dtype=like.dtype, device=like.device)

    def clear(self) -> None:
        """Forget all buffers."""
        self.waiting.clear()
        self.free.clear()


class _RowsHook(_ReplacingHook):
    """y = x (W + noise)^T for a large Linear without bias, some rows of W + noise at a time."""

    def run(
        self, module: nn.Module, inner: Callable, watch: _Watch, args: tuple, kwargs: dict
    ) -> Tensor:
        slot, output = self.slot, None
        height = slot.rows_within(_PIECE)
        buffer = self.space.take(height * slot.n, slot)
        for low in range(0, slot.m, height):
            with watch.pause():
                base = slot.matrix[low : low + height]
                rows = buffer[: base.numel()].view(base.shape)
                assign([Assignment(slot, rows, base, 1.0, self.terms, start=low)])
            module._parameters[self.name] = rows
            part = inner(*args, **kwargs)
            if output is None:
                output = part.new_empty(*part.shape[:-1], slot.m)
            output[..., low : low + height] = part
        module._parameters[self.name] = slot.param
        self.space.free.append(buffer)
        return output
