"""Batches of prompts at which a model's loss and the true gradients of some matrices are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zotheory.model.gradients import Weight, layer_weights
from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example
from zotheory.model.study import spread


@dataclass(frozen=True, eq=False)
class Point:
    """One batch: its loss at the model's weights as they are, and gradients taken there.

    Attributes:
        loss: the closure, without gradient tracking.
        named: the chosen matrices, which `loss` depends on.
        gradients: by name, from backpropagation when the point was made.
        earlier: the decoder layers before these matrices, whose outputs do not depend on them.
    """

    loss: Callable[[], Tensor]
    named: tuple[tuple[str, nn.Parameter], ...]
    gradients: dict[str, Tensor]
    earlier: tuple[nn.Module, ...] = ()

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Within this context earlier layers return what they return now, without computing it."""
        kept: dict[nn.Module, Any] = {}

        def keep(module: nn.Module, _: Any, output: Any) -> None:
            kept[module] = output

        with ExitStack() as hooks:
            for layer in self.earlier:
                hooks.enter_context(layer.register_forward_hook(keep))
            self.loss()
        try:
            for layer, output in kept.items():
                layer.forward = lambda *_, output=output, **__: output
            yield
        finally:
            for layer in kept:
                del layer.forward


def spread_weights(model: nn.Module, layers: int) -> list[Weight]:
    """All matrices of up to `layers` decoder layers, evenly spread over the depth."""
    everything = layer_weights(model)
    depth = len({weight.layer for weight in everything})
    chosen = spread(model, min(layers, depth))
    return [weight for weight in everything if weight.layer in chosen]


def point(model: LanguageModel, text: Sequence[Example], weights: Sequence[Weight]) -> Point:
    """The cross-entropy of the label words of `text` over the whole vocabulary, as one batch.

    Raises ModelError if a gradient is zero or not finite.
    """
    batch = make_batch(model.tokenizer, text)
    words = label_word_ids(model.tokenizer)
    parameters = dict(model.model.named_parameters())
    named = tuple((weight.name, parameters[weight.name]) for weight in weights)

    def value() -> Tensor:
        return prompt_loss(last_logits(model, batch), batch.labels, words, "vocabulary")

    found = torch.autograd.grad(value(), [parameter for _, parameter in named])
    gradients = {name: gradient for (name, _), gradient in zip(named, found, strict=True)}
    for name, gradient in gradients.items():
        norm = float(gradient.norm())
        if not 0 < norm < float("inf"):
            raise ModelError(f"the gradient of {name} has norm {norm}")
    earlier = _earlier(model.model, weights)
    return Point(torch.no_grad()(value), named, gradients, earlier)


def _earlier(model: nn.Module, weights: Sequence[Weight]) -> tuple[nn.Module, ...]:
    first = min(weights, key=lambda weight: weight.layer)
    layers = first.name.split(f".{first.layer}.")[0]
    return tuple(model.get_submodule(f"{layers}.{i}") for i in range(first.layer))
