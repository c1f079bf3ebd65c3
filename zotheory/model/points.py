"""Batches of prompts at which a model's loss and the true gradients of some matrices are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zotheory.model.gradients import Weight, layer_weights
from zotheory.model.language_model import LanguageModel, ModelError
from zotheory.model.losses import last_logits, prompt_loss
from zotheory.model.prompts import label_word_ids, make_batch
from zotheory.model.reviews import Example
from zotheory.model.study import spread


@dataclass(frozen=True, eq=False)
class Point:
    """One batch: its loss at the model's weights as they are, and gradients taken there.

    Attributes:
        loss: the closure, without gradient tracking.
        named: the chosen matrices, which `loss` depends on.
        gradients: by name, from backpropagation when the point was made.
    """

    loss: Callable[[], Tensor]
    named: tuple[tuple[str, nn.Parameter], ...]
    gradients: dict[str, Tensor]


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
    return Point(torch.no_grad()(value), named, gradients)
