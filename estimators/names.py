"""What parameters are called, and which layer of the model each belongs to."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

# Wrappers of PyTorch that put a module one level down: torch.compile, FSDP, checkpointing.
_WRAPPERS = "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"
_ANYWHERE = re.compile(rf"(?:^|(?<=\.))(?:{'|'.join(_WRAPPERS)})\.")
# DistributedDataParallel and DataParallel, outermost; deeper it is a name of the model's own.
_OUTERMOST = re.compile(r"^(?:module\.)+")
_NUMBERED = re.compile(r"^((?:[^.]+\.)+?\d+)(?:\.|$)")
_UNNAMED = re.compile(r"^parameter\.\d+$")


def plain_name(name: str) -> str:
    """Return a parameter's name without the prefixes of wrappers: noise is keyed by it.

    Example:
        >>> plain_name("module._orig_mod.layers.0._checkpoint_wrapped_module.weight")
        'layers.0.weight'
    """
    return _OUTERMOST.sub("", _ANYWHERE.sub("", name))


def module_of(params: Any) -> nn.Module | None:
    """Return the module whose `parameters()` or `named_parameters()` this is, if it is one's."""
    codes = nn.Module.parameters.__code__, nn.Module.named_parameters.__code__
    if inspect.isgenerator(params) and params.gi_code in codes and params.gi_frame is not None:
        return params.gi_frame.f_locals["self"]
    return None


def layers_of(
    names: Sequence[str], model: nn.Module | None, layers: Sequence[str] | None
) -> dict[str, str | None]:
    """Return the repeated block ("model.layers.3") of each name, None outside all blocks.

    layers: the names of the blocks, if they are given. Otherwise those of the model's tree, see
    `repeated_modules`. Without a model, or one that repeats no modules, they are read off the
    names: up to the first number, but not one at the front, which numbers the parts of a
    Sequential, embeddings and head among them.
    """
    if layers is None and model is not None:
        layers = repeated_modules(model)
    if layers:
        return {name: next((la for la in layers if _within(name, la)), None) for name in names}
    matches = {name: _NUMBERED.match(name) for name in names if not _UNNAMED.match(name)}
    return {name: found.group(1) if (found := matches.get(name)) else None for name in names}


def repeated_modules(model: nn.Module) -> list[str]:
    """Return the names of the blocks that `model` repeats, in their order.

    On every way down the tree they are the members of the outermost ModuleList, or those members
    of a Sequential or ModuleDict that are of one class; two at least, embeddings and members
    without parameters left out. If no container repeats anything, they are the parts of a module
    that are of one class of the model's own: three parts of class Linear may be anything. Single
    layers of torch.nn (a list of Linear heads) are blocks only if nothing larger is.

    Example:
        >>> repeated_modules(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)))
        ['0', '2']
    """
    found = _search(model, "", _members) or _search(model, "", _alike_parts)
    larger = [name for name, module in found if not _is_single(module)]
    return larger or [name for name, _ in found]


def _search(
    module: nn.Module, path: str, repeated: Callable[[nn.Module], list[str]]
) -> list[tuple[str, nn.Module]]:
    blocks = set(repeated(module))
    found: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        place = f"{path}{name}"
        if name in blocks:
            found.append((plain_name(f"{place}.")[:-1], child))
        else:
            found += _search(child, f"{place}.", repeated)
    return found


def _bare(module: nn.Module) -> nn.Module:
    """Return the module that wrappers hold."""
    while wrapped := next((module._modules[w] for w in _WRAPPERS if w in module._modules), None):
        module = wrapped
    return module


def _members(module: nn.Module) -> list[str]:
    """Return the members of a container that are its repeated blocks."""
    if isinstance(module, nn.ModuleList):
        parts = list(_parts(module))
        return parts if len(parts) > 1 else []
    return _alike(module) if isinstance(module, nn.Sequential | nn.ModuleDict) else []


def _alike_parts(module: nn.Module) -> list[str]:
    """Return the parts of a module that are of one class of the model's own."""
    parts = _parts(module)
    own = {n: not type(_bare(part)).__module__.startswith("torch.") for n, part in parts.items()}
    return [name for name in _alike(module) if own[name]]


def _alike(module: nn.Module) -> list[str]:
    parts = _parts(module)
    kinds = {name: type(_bare(child)) for name, child in parts.items()}
    counts = Counter(kinds.values())
    return [name for name, kind in kinds.items() if counts[kind] > 1]


def _parts(module: nn.Module) -> dict[str, nn.Module]:
    embeddings = nn.Embedding | nn.EmbeddingBag
    return {
        name: child
        for name, child in module.named_children()
        if _has_parameters(child) and not isinstance(_bare(child), embeddings)
    }


def _is_single(module: nn.Module) -> bool:
    """Whether a module is one layer of torch.nn."""
    module = _bare(module)
    containers = nn.ParameterDict | nn.ParameterList
    whole = next(module.children(), None) is None and not isinstance(module, containers)
    return whole and type(module).__module__.startswith("torch.nn.")


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}.")
