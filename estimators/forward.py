"""Evaluation with the noise added inside the forward passes of modules.

The weights are never written. Low-rank noise acts on the activations of Linear and Embedding
modules; any other noise makes perturbed tensors, a few at a time, for as long as their modules run.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import mha

from estimators.aliases import Layout, layout
from estimators.assignment import Assignment, Terms, assign, merge
from estimators.inplace import Applier, Offsets, Rounding
from estimators.products import add_product
from estimators.rounding import narrowed_rows
from estimators.slots import Slot
from estimators.streams import Stream
from estimators.watch import Inside, UsedElsewhere

_PIECE = 1 << 22  # entries that are perturbed at once, of one matrix or of several tensors


class Forward(Applier):
    """Perturbs modules of `model` while they run.

    Every perturbed parameter must be used by the forward of a module that owns it, in every
    evaluation, and by nothing else; every evaluation looks for other uses. A parameter that is
    used elsewhere, as an attribute of its module, is replaced for as long as the closure runs,
    which is then called once more; one that is not used, or used by other ways (a reference of
    the closure's own), raises RuntimeError.

    Modules compiled by torch.compile run as they were written: what is compiled once cannot have
    its weights replaced. Raises ValueError for TorchScript, which has no forward to take part in.
    """

    moves_weights = False

    def __init__(self, model: nn.Module) -> None:
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                raise ValueError(
                    f"{name or 'the model'} is TorchScript, whose forward cannot be perturbed; use "
                    'apply="inplace"'
                )
        self.model = model
        self._whole: set[int] = set()
        self._owners: dict[Layout, list[tuple[nn.Module, str, bool]]] | None = None
        self._space = _Workspace()

    def evaluate(self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding) -> Any:
        while True:
            try:
                return self._evaluate(call, offsets, rounding)
            except UsedElsewhere as found:
                if found.key in self._whole:
                    raise
                self._whole.add(found.key)

    def _evaluate(self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding) -> Any:
        terms = {id(s.param): (s, [(w, z) for z, w in o.items()]) for s, o in offsets.items()}
        watch = Inside({key: slot.name for key, (slot, _) in terms.items()})
        places = {layout(slot.param): slot for slot in offsets}
        self._space.waiting.clear()
        with ExitStack() as stack:
            # Fused transformer layers would read the weights of modules that they do not run.
            stack.callback(mha.set_fastpath_enabled, mha.get_fastpath_enabled())
            mha.set_fastpath_enabled(False)
            for module in self.model.modules():
                native = "forward" not in module.__dict__
                for name, parameter in module._parameters.items():
                    slot = places.get(layout(parameter)) if parameter is not None else None
                    if slot is None:
                        continue
                    key = id(slot.param)
                    watch.owned.add(key)
                    watch.keys[id(parameter)] = key
                    hook = self._hook(module, name, native, slot, terms[key][1], rounding(slot))
                    hook.attach(module, stack, watch, parameter)
            watch.require(
                watch.owned,
                "belongs to no module of the model; if that was moved or rebuilt, make the "
                "optimiser after it",
            )
            if "torch._dynamo" in sys.modules:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if offsets:
                stack.enter_context(watch)
            value = call()
        missing = next((key for key in terms if key not in watch.ran), None)
        if missing is not None and missing not in self._whole:
            raise UsedElsewhere(missing, f"{watch.names[missing]} was not used by its module")
        watch.require(
            watch.ran,
            "was not used by the forward of its module, nor outside of it (is a copy of the model "
            'evaluated, by torch.jit.trace or otherwise?); freeze it, or use apply="inplace"',
        )
        return value

    def writes(self, slot: Slot, low_rank: bool) -> bool:
        if self._owners is None:
            self._owners = defaultdict(list)
            for module in self.model.modules():
                for name, parameter in module._parameters.items():
                    if parameter is not None:
                        native = "forward" not in module.__dict__
                        self._owners[layout(parameter)].append((module, name, native))
        if id(slot.param) in self._whole:
            return True
        return any(not _acts(*owner, low_rank) for owner in self._owners[layout(slot.param)])

    def keeps_theta(self, slot: Slot) -> bool:
        return True

    def finish(self) -> dict[Slot, Terms]:
        self._space.clear()
        self._owners = None
        return {}

    def forget(self) -> None:
        self._space.clear()

    def restore(self) -> None:
        self._space.clear()

    def _hook(
        self,
        module: nn.Module,
        name: str,
        native: bool,
        slot: Slot,
        terms: Terms,
        rounding: Stream,
    ) -> _Hook:
        kind = type(module).forward if native else None
        low_rank = all(noise.low_rank for _, noise in terms)
        stream = rounding if slot.rounds else None
        if id(slot.param) in self._whole:
            return _WholeHook(slot, terms, name, self._space, stream)
        if _acts(module, name, native, low_rank):
            return _LinearHook(slot, merge(terms))
        if name == "weight" and kind is nn.Embedding.forward and module.max_norm is None:
            return _EmbeddingHook(slot, merge(terms) if low_rank else terms, stream)
        parts = name == "weight" and kind is nn.Linear.forward and module.bias is None
        if parts and slot.m > slot.rows_within(_PIECE):
            return _RowsHook(slot, terms, name, self._space, stream)
        hook = _SwapHook(slot, terms, name, self._space, stream)
        self._space.waiting.append(hook)
        return hook


def _acts(module: nn.Module, name: str, native: bool, low_rank: bool) -> bool:
    """Whether noise acts on the activations of a module, so that no weight is written.

    native: whether its forward is that of its class; accelerate and others put theirs before it.
    """
    linear = native and type(module).forward is nn.Linear.forward
    return linear and low_rank and name == "weight"


class _Hook(ABC):
    """Adds the noise of one parameter while a module that owns it runs."""

    def __init__(self, slot: Slot, terms: Terms) -> None:
        self.slot = slot
        self.terms = terms

    def attach(self, module: nn.Module, stack: ExitStack, watch: Inside, parameter: Tensor) -> None:
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

        self.parameter = parameter
        stack.callback(self.detach, module, own)
        module.__dict__["forward"] = forward

    @abstractmethod
    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Any:
        """Return the output of the perturbed module; `inner` is its forward."""

    def detach(self, module: nn.Module, own: Callable | None) -> None:
        """Give the module its forward back, and what an interrupted forward left."""
        if own is None:
            module.__dict__.pop("forward", None)
        else:
            module.__dict__["forward"] = own


class _LinearHook(_Hook):
    """y + x Z^T = y + H A^T for Z = A B^T, without forming Z."""

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
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

    def __init__(self, slot: Slot, terms: Terms, rounding: Stream | None) -> None:
        super().__init__(slot, terms)
        self.rounding = rounding

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Tensor:
        output, slot = inner(*args, **kwargs), self.slot
        index = (args[0] if args else kwargs["input"]).flatten()
        with watch.pause():
            total = output.view(-1, slot.n).to(slot.compute_dtype, copy=True)
            for weight, noise in self.terms:
                rows = noise.lookup(index, slot.matrix).to(total.dtype)
                for fixed in slot.fixed:
                    rows.masked_fill_((index == fixed)[:, None], 0.0)
                total.add_(rows, alpha=weight)
            return narrowed_rows(slot, total, index, self.rounding).to(output.dtype).view_as(output)


class _ReplacingHook(_Hook):
    """Puts perturbed entries, in a reused buffer, in the place of the parameter `name`."""

    def __init__(
        self, slot: Slot, terms: Terms, name: str, space: _Workspace, rounding: Stream | None
    ) -> None:
        super().__init__(slot, terms)
        self.name = name
        self.space = space
        self.rounding = rounding

    def detach(self, module: nn.Module, own: Callable | None) -> None:
        super().detach(module, own)
        module._parameters[self.name] = self.parameter


class _SwapHook(_ReplacingHook):
    """Puts a whole perturbed tensor in the place of the parameter."""

    def __init__(
        self, slot: Slot, terms: Terms, name: str, space: _Workspace, rounding: Stream | None
    ) -> None:
        super().__init__(slot, terms, name, space, rounding)
        self.depth = 0
        self.tensor: Tensor | None = None
        self.share: _Share | None = None

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
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
            module._parameters[self.name] = self.parameter
            self.tensor = None
            self.space.leave(self.share)
        return output


class _WholeHook(_ReplacingHook):
    """Puts a whole perturbed tensor in the place of the parameter, for the whole closure."""

    def attach(self, module: nn.Module, stack: ExitStack, watch: Inside, parameter: Tensor) -> None:
        slot, self.parameter = self.slot, parameter
        key = id(slot.param)
        if key not in watch.whole:
            out = torch.empty_like(slot.matrix)
            assign([Assignment(slot, out, slot.matrix, 1.0, self.terms, self.rounding)])
            for row in slot.fixed:
                out[row] = slot.matrix[row]
            watch.whole[key] = out.view(slot.param.shape)
            watch.keys[id(watch.whole[key])] = key
        stack.callback(module._parameters.__setitem__, self.name, parameter)
        module._parameters[self.name] = watch.whole[key]

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Any:
        return inner(*args, **kwargs)


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
            assignments.append(
                Assignment(slot, out, slot.matrix, 1.0, member.terms, member.rounding)
            )
            member.tensor, member.share = part.view(slot.param.shape), share
        assign(assignments)
        for assignment in assignments:
            for row in assignment.slot.fixed:
                assignment.out[row] = assignment.base[row]

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
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Tensor:
        slot, output = self.slot, None
        height = slot.rows_within(_PIECE)
        buffer = self.space.take(height * slot.n, slot)
        for low in range(0, slot.m, height):
            with watch.pause():
                base = slot.matrix[low : low + height]
                rows = buffer[: base.numel()].view(base.shape)
                assign([Assignment(slot, rows, base, 1.0, self.terms, self.rounding, low)])
            module._parameters[self.name] = rows
            part = inner(*args, **kwargs)
            if output is None:
                output = part.new_empty(*part.shape[:-1], slot.m)
            output[..., low : low + height] = part
        module._parameters[self.name] = self.parameter
        self.space.free.append(buffer)
        return output
