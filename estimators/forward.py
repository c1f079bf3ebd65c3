"""Evaluation with the noise added inside the forward passes of modules.

The weights are never written. Low-rank noise acts on the activations of Linear and Embedding
modules; any other noise makes perturbed tensors, a few at a time, for as long as their modules run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.backends import mha

from estimators.aliases import layout
from estimators.assignment import Terms
from estimators.homes import Home, Homes
from estimators.hooks import EmbeddingHook, Hook, LinearHook, RowsHook, SwapHook, WholeHook
from estimators.inplace import Applier, Offsets, Rounding
from estimators.slots import Slot
from estimators.watch import Inside, UsedElsewhere
from estimators.workspace import Workspace


class Forward(Applier):
    """Perturbs modules of `model` while they run.

    Every perturbed parameter must be used by the forward of a module that owns it, in every
    evaluation, and by nothing else; every evaluation looks for other uses, and the first one of a
    new closure (`audit`) for those of views that were made outside of it. A parameter that is
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
        self.audit = False
        self._whole: set[int] = set()
        self._homes: Homes | None = None
        self._space = Workspace()
        self._hung: _Hung | None = None

    def evaluate(self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding) -> Any:
        audited, self.audit = self.audit, False
        while True:
            try:
                return self._evaluate(call, offsets, rounding, audited)
            except UsedElsewhere as found:
                self._take_down()
                if found.key in self._whole:
                    raise
                self._whole.add(found.key)
            except BaseException:
                self._take_down()
                raise

    def _evaluate(
        self, call: Callable[[], Any], offsets: Offsets, rounding: Rounding, audited: bool
    ) -> Any:
        terms: dict[Slot, Terms] = {
            slot: [(w, z) for z, w in offset.items()] for slot, offset in offsets.items()
        }
        with ExitStack() as stack:
            # Fused transformer layers would read the weights of modules that they do not run.
            stack.callback(mha.set_fastpath_enabled, mha.get_fastpath_enabled())
            mha.set_fastpath_enabled(False)
            if "torch._dynamo" in sys.modules:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if not offsets:
                return call()
            hung = self._hang(terms)
            watch = hung.watch
            watch.begin([slot.param for slot in offsets] if audited else ())
            self._space.waiting.clear()
            for hook in hung.hooks:
                hook.arm(terms[hook.slot], rounding(hook.slot) if hook.slot.rounds else None, watch)
            stack.enter_context(watch)
            value = call()
        for hook in hung.hooks:
            hook.rest()
        missing = next((key for key in watch.names if key not in watch.ran), None)
        if missing is not None and missing not in self._whole:
            raise UsedElsewhere(missing, f"{watch.names[missing]} was not used by its module")
        watch.require(
            watch.ran,
            "was not used by the forward of its module, nor outside of it (is a copy of the model "
            'evaluated, by torch.jit.trace or otherwise?); freeze it, or use apply="inplace"',
        )
        return value

    def _hang(self, terms: dict[Slot, Terms]) -> _Hung:
        """Return the hooks of these tensors; they are hung once a step, unless the noise changes
        between one of low rank and one of full.
        """
        kinds = {slot: all(z.low_rank for _, z in pairs) for slot, pairs in terms.items()}
        if self._hung is not None and self._hung.kinds == kinds:
            return self._hung
        self._take_down()
        watch = Inside({id(slot.param): slot.name for slot in terms})
        self._hung = hung = _Hung(kinds, watch)
        places = {layout(slot.param): slot for slot in terms}
        for key, home in self._tree():
            slot = places.get(key)
            if slot is None:
                continue
            watch.owned.add(id(slot.param))
            watch.keys[id(home.param)] = id(slot.param)
            hook = self._hook(home, slot, kinds[slot])
            hook.attach(home.module, hung.stack, watch, home.param)
            hung.hooks.append(hook)
        watch.require(
            watch.owned,
            "belongs to no module of the model; if that was moved or rebuilt, make the "
            "optimiser after it",
        )
        return hung

    def _tree(self) -> Homes:
        if self._homes is None:
            self._homes = Homes(self.model)
        return self._homes

    def _take_down(self) -> None:
        hung, self._hung = self._hung, None
        if hung is not None:
            hung.stack.close()

    def writes(self, slot: Slot, low_rank: bool) -> bool:
        if id(slot.param) in self._whole:
            return True
        return any(not _acts(home, low_rank) for home in self._tree().of(slot.param))

    def keeps_theta(self, slot: Slot) -> bool:
        return True

    def finish(self) -> dict[Slot, Terms]:
        self.restore()
        return {}

    def forget(self) -> None:
        self.restore()

    def restore(self) -> None:
        self._take_down()
        self._homes = None
        self._space.clear()

    def _hook(self, home: Home, slot: Slot, low_rank: bool) -> Hook:
        module, name = home.module, home.name
        kind = type(module).forward if home.native else None
        if id(slot.param) in self._whole:
            return WholeHook(slot, name, self._space)
        if _acts(home, low_rank):
            return LinearHook(slot)
        if name == "weight" and kind is nn.Embedding.forward and module.max_norm is None:
            return EmbeddingHook(slot)
        parts = name == "weight" and kind is nn.Linear.forward and module.bias is None
        if parts and slot.m > slot.rows_within(self._space.piece):
            return RowsHook(slot, name, self._space)
        return SwapHook(slot, name, self._space)


class _Hung:
    """The hooks that are up, and for which noise: of low rank or not, tensor by tensor."""

    def __init__(self, kinds: dict[Slot, bool], watch: Inside) -> None:
        self.kinds = kinds
        self.watch = watch
        self.stack = ExitStack()
        self.hooks: list[Hook] = []


def _acts(home: Home, low_rank: bool) -> bool:
    """Whether noise acts on the activations of a module, so that no weight is written."""
    linear = home.native and type(home.module).forward is nn.Linear.forward
    return linear and low_rank and home.name == "weight"
