"""What cannot be trained, and is refused before the first step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from estimators.slots import Slot

TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OPTIONS = ("lr", "weight_decay")
# What schedulers and loggers of PyTorch and Lightning put into groups.
_ADDED = ("params", "param_names", "name", "initial_lr", "max_lr", "min_lr", "swa_lr")


def check_group(group: dict[str, Any]) -> None:
    """Raise ValueError for an unknown option of a parameter group, or a bad value."""
    unknown = sorted(set(group) - {*OPTIONS, *_ADDED})
    if unknown:
        raise ValueError(
            f"unknown option {', '.join(map(repr, unknown))} of a parameter group; "
            f"there are {' and '.join(OPTIONS)}"
        )
    for name in OPTIONS:
        check_rate(name, group.get(name, 0.0))


def check_rate(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite and non-negative number."""
    try:
        good = math.isfinite(value) and value >= 0.0
    except (TypeError, ValueError, RuntimeError):
        good = False
    if not good:
        raise ValueError(f"{name} must be finite and non-negative, got {value}")


def check_eps(value: Any) -> float:
    """Return the perturbation scale, or raise ValueError unless it is finite and positive."""
    try:
        good = math.isfinite(value) and value > 0.0
    except (TypeError, ValueError, RuntimeError):
        good = False
    if not good:
        raise ValueError(f"eps must be finite and positive, got {value}")
    return float(value)


def check_module(model: nn.Module) -> None:
    """Raise ValueError for a model whose parameters are not whole on this process."""
    for module in model.modules():
        if "FullyShardedDataParallel" in (kind.__name__ for kind in type(module).__mro__):
            raise ValueError(
                "the model is sharded by FSDP, so that its parameters are not whole here; "
                "replicate it and use estimators.data_parallel"
            )


def check_slot(slot: Slot, *, counting: bool) -> None:
    """Raise ValueError, with what to do instead, for a tensor that noise cannot be written to.

    counting: whether meta tensors are wanted, to count what a step would hold and draw.
    """
    param, name = slot.param, slot.name
    if is_lazy(param):
        raise ValueError(f"{name} has no shape yet; run one forward pass first")
    if _is_sharded(param):
        raise ValueError(
            f"{name} is sharded, so that it is not whole here; replicate the model and use "
            "estimators.data_parallel"
        )
    if is_traceable_wrapper_subclass(param) or param.layout != torch.strided:
        kind = type(param).__name__ if param.layout == torch.strided else str(param.layout)
        raise ValueError(f"{name} is a {kind}, not a plain tensor; train plain weights or adapters")
    if not param.is_floating_point():
        raise ValueError(f"{name} has type {param.dtype}, which is not floating point")
    if param.dtype not in TYPES:
        raise ValueError(
            f"{name} has type {param.dtype}, too coarse for noise; train it in bfloat16, or "
            "adapters on it"
        )
    if param.device.type == "meta" and not counting:
        raise ValueError(
            f"{name} is on the meta device: its values are not there (offloaded by accelerate, "
            "device_map, or not loaded yet); load the whole model on one device"
        )
    if param.is_inference():
        raise ValueError(
            f"{name} was made in inference mode and cannot be written; make the model outside of it"
        )


def _is_sharded(param: Tensor) -> bool:
    names = (kind.__name__ for kind in type(param).__mro__)
    by_fsdp = any(getattr(param, mark, False) for mark in ("_fsdp_flattened", "_is_flat_param"))
    by_deepspeed = hasattr(param, "ds_id")
    return "DTensor" in names or by_fsdp or by_deepspeed


def fixed_rows(owners: Iterable[nn.Module]) -> tuple[int, ...]:
    """Return the rows of a weight that no module that owns it lets move: all have `padding_idx`.

    A weight that is tied to a head moves there, too, as it does by its gradient.
    """
    rows = {getattr(module, "padding_idx", None) for module in owners}
    if len(rows) != 1:
        return ()
    (row,) = rows
    return () if row is None else (row,)
