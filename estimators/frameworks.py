"""Frameworks that call `step` for their users, and what they would leave out of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any


def accumulation(closure: Callable[[], Any]) -> str | None:
    """Return what to do if a framework drops all but the last batch of this step, else None.

    Gradients add up over batches by themselves; losses do not. accelerate leaves the calls of
    `step` out for all batches but the last, Lightning calls the closures of the others only.
    """
    batches = _of_accelerate()
    if batches > 1:
        return (
            f"gradient_accumulation_steps={batches} of accelerate leaves the last of {batches} "
            "batches to this step; use Accelerator() without it, and have the closure add up the "
            "losses of all batches"
        )
    batches = _of_lightning(closure)
    if batches > 1:
        return (
            f"accumulate_grad_batches={batches} of Lightning leaves the last of {batches} batches "
            "to this step; use 1, and larger batches"
        )
    return None


def _of_accelerate() -> int:
    state = sys.modules.get("accelerate.state")  # if it is not imported, it does not call
    frame: FrameType | None = sys._getframe(3)
    while state is not None and frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name == "accelerate.optimizer":
            return state.GradientState().num_steps
        if not name.startswith("torch."):  # PyTorch wraps `step`
            return 1
        frame = frame.f_back
    return 1


def _of_lightning(closure: Callable[[], Any]) -> int:
    # Lightning passes partial(precision._wrap_closure, module, optimizer, closure).
    if isinstance(closure, partial) and len(closure.args) == 3:
        owner = type(getattr(closure.func, "__self__", None)).__module__
        if owner.startswith(("lightning.", "pytorch_lightning.")):
            return closure.args[0].trainer.accumulate_grad_batches
    return 1
