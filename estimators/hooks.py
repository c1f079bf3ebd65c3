"""Hooks: what adds the noise of one parameter while a module that owns it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from estimators.assignment import Assignment, Terms, assign, low_rank, merge
from estimators.products import add_product
from estimators.rounding import narrowed
from estimators.slots import Slot
from estimators.streams import Stream
from estimators.watch import Inside
from estimators.workspace import Perturbed, Workspace


class Hook(ABC):
    """Adds the noise of one parameter while a module that owns it runs.

    It stays with its module for a step, and adds nothing between `arm` and `rest`.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.armed = False

    def attach(
        self, module: nn.Module, stack: ExitStack, watch: Inside, parameter: nn.Parameter
    ) -> None:
        """Take the place of `module.forward` until `stack` is left.

        PyTorch's own hooks would do, at twice the cost of a call.
        """
        key, inner = id(self.slot.param), module.forward
        own = module.__dict__.get("forward")

        def forward(*args: Any, **kwargs: Any) -> Any:
            if not self.armed:
                return inner(*args, **kwargs)
            watch.open.append(key)
            output = self.run(module, inner, watch, args, kwargs)
            watch.open.remove(key)
            watch.ran.add(key)
            return output

        self.module = module
        self.parameter = parameter
        stack.callback(self.detach, own)
        module.__dict__["forward"] = forward

    def arm(self, terms: Terms, rounding: Stream | None, watch: Inside) -> None:
        """Add this noise from now on; `rounding` is the stream that rounds written weights."""
        self.terms = terms
        self.rounding = rounding if self.slot.rounds else None
        self.armed = True

    def rest(self) -> None:
        """Add nothing, and take back what an evaluation left."""
        self.armed = False

    @abstractmethod
    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Any:
        """Return the output of the perturbed module; `inner` is its forward."""

    def detach(self, own: Callable | None) -> None:
        """Give the module its forward back, and what an interrupted forward left."""
        self.rest()
        if own is None:
            self.module.__dict__.pop("forward", None)
        else:
            self.module.__dict__["forward"] = own


class LinearHook(Hook):
    """y + x Z^T = y + H A^T for Z = A B^T, without forming Z."""

    def arm(self, terms: Terms, rounding: Stream | None, watch: Inside) -> None:
        self.factors = low_rank(terms)
        super().arm(self.factors, rounding, watch)

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Tensor:
        output = inner(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        with watch.pause():
            flat, total = x.reshape(-1, self.slot.n), output.view(-1, self.slot.m)
            for weight, noise in self.factors:
                hidden, left = noise.basis.act(flat, noise.coordinates)
                add_product(total, hidden.to(total.dtype), left.to(total.dtype), weight)
        return output


class EmbeddingHook(Hook):
    """Adds the rows of Z that the indices ask for."""

    def arm(self, terms: Terms, rounding: Stream | None, watch: Inside) -> None:
        factors = all(noise.low_rank for _, noise in terms)
        super().arm(merge(terms) if factors else terms, rounding, watch)

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Tensor:
        output, slot = inner(*args, **kwargs), self.slot
        index = (args[0] if args else kwargs["input"]).flatten().long()
        with watch.pause():
            total = output.view(-1, slot.n).to(slot.compute_dtype, copy=True)
            for weight, noise in self.terms:
                rows = noise.lookup(index, slot.matrix).to(total.dtype)
                for fixed in slot.fixed:
                    rows.masked_fill_((index == fixed)[:, None], 0.0)
                total.add_(rows, alpha=weight)
            return narrowed(slot, total, self.rounding, index).to(output.dtype).view_as(output)


class _Replacing(Hook):
    """Puts perturbed entries, in a reused buffer, in the place of the parameter `name`."""

    def __init__(self, slot: Slot, name: str, space: Workspace) -> None:
        super().__init__(slot)
        self.name = name
        self.space = space

    def detach(self, own: Callable | None) -> None:
        super().detach(own)
        _put(self.module, self.name, self.parameter)


class SwapHook(_Replacing):
    """Puts a whole perturbed tensor in the place of the parameter."""

    def arm(self, terms: Terms, rounding: Stream | None, watch: Inside) -> None:
        super().arm(terms, rounding, watch)
        self.depth = 0
        self.wanted = Perturbed(self.slot, terms, self.rounding)
        self.space.waiting.append(self.wanted)

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Any:
        if self.depth == 0:  # a module that calls itself keeps the tensor it has
            if self.wanted.tensor is None:
                with watch.pause():
                    self.space.perturb(self.wanted)
            _put(module, self.name, self.wanted.tensor)
        self.depth += 1
        output = inner(*args, **kwargs)
        self.depth -= 1
        if self.depth == 0:
            _put(module, self.name, self.parameter)
            self.space.leave(self.wanted)
        return output


class WholeHook(_Replacing):
    """Puts a whole perturbed tensor in the place of the parameter, for the whole closure."""

    def attach(
        self, module: nn.Module, stack: ExitStack, watch: Inside, parameter: nn.Parameter
    ) -> None:
        self.module = module
        self.parameter = parameter
        stack.callback(self.rest)

    def rest(self) -> None:
        super().rest()
        _put(self.module, self.name, self.parameter)

    def arm(self, terms: Terms, rounding: Stream | None, watch: Inside) -> None:
        super().arm(terms, rounding, watch)
        slot = self.slot
        key = id(slot.param)
        if key not in watch.whole:
            out = torch.empty_like(slot.matrix)
            assign([Assignment(slot, out, slot.matrix, 1.0, terms, self.rounding)])
            for row in slot.fixed:
                out[row] = slot.matrix[row]
            watch.replace(key, out.view(slot.param.shape))
        _put(self.module, self.name, watch.whole[key])

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Any:
        return inner(*args, **kwargs)


class RowsHook(_Replacing):
    """y = x (W + noise)^T for a large Linear without bias, some rows of W + noise at a time."""

    def run(
        self, module: nn.Module, inner: Callable, watch: Inside, args: tuple, kwargs: dict
    ) -> Tensor:
        slot = self.slot
        output: Any = None
        height = slot.rows_within(self.space.piece)
        buffer = self.space.take(height * slot.n, slot)
        for low in range(0, slot.m, height):
            with watch.pause():
                base = slot.matrix[low : low + height]
                rows = buffer[: base.numel()].view(base.shape)
                assign([Assignment(slot, rows, base, 1.0, self.terms, self.rounding, low)])
            _put(module, self.name, rows)
            part = inner(*args, **kwargs)
            if output is None:
                output = part.new_empty(*part.shape[:-1], slot.m)
            output[..., low : low + height] = part
        _put(module, self.name, self.parameter)
        self.space.free.append(buffer)
        return output


def _put(module: nn.Module, name: str, tensor: Tensor | None) -> None:
    """Put a tensor in the place of a parameter, which takes no tensor that is none by itself."""
    parameters: Any = module._parameters
    parameters[name] = tensor
