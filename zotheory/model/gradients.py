"""Gradients taken weight by weight during one backward pass, each freed before the next is made."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Weight:
    """A matrix inside a decoder layer: parameter's name, layer's index, module's name."""

    name: str
    layer: int
    module: str
    shape: tuple[int, int]


def layer_weights(model: nn.Module) -> list[Weight]:
    """All matrices of the decoder layers, in the order of ``named_parameters``.

    The layer is the first number in a parameter's name and the module the part before ``.weight``:
    ``model.layers.3.self_attn.q_proj.weight`` is ``q_proj`` of layer 3. Embeddings have no such
    number.
    """
    found = []
    for name, parameter in model.named_parameters():
        match = re.search(r"\.(\d+)\.(?:.*\.)?(\w+)\.weight$", name)
        if match and parameter.ndim == 2:
            found.append(Weight(name, int(match[1]), match[2], tuple(parameter.shape)))
    return found


@contextmanager
def consumed_gradients(
    model: nn.Module, consume: Callable[[str, nn.Parameter, torch.Tensor], None]
) -> Iterator[None]:
    """Within this context ``backward()`` hands each gradient to ``consume`` and then drops it.

    ``consume(name, parameter, gradient)`` runs once per parameter, as soon as its gradient is
    complete, and may change the parameter in place: the backward pass no longer needs it. At most
    one gradient besides those still being summed (tied weights) is alive, unless ``consume`` keeps
    it.
    """

    def hook_of(name: str) -> Callable[[nn.Parameter], None]:
        def hook(parameter: nn.Parameter) -> None:
            gradient, parameter.grad = parameter.grad, None
            with torch.no_grad():
                consume(name, parameter, gradient)

        return hook

    handles = [
        parameter.register_post_accumulate_grad_hook(hook_of(name))
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
