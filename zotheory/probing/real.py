"""A gradient of a real language model on real text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from os import PathLike

import torch
from torch import Tensor

from zotheory.budget import OWN_MODEL
from zotheory.model.assets import AssetError
from zotheory.model.gradients import layer_weights
from zotheory.model.language_model import LanguageModel, ModelError, load_model
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example, examples, load_reviews, split
from zotheory.model.source import model_source
from zotheory.probing.objectives import ProbeError

SENTENCES = 16  # the batch of the TeZO paper's figures


def real_gradient(model: str | PathLike[str] | None) -> tuple[Tensor, Tensor]:
    """One weight matrix of a causal language model and its gradient on a batch of reviews.

    The matrix is the first of the middle decoder layer (SmolLM2: the query projection). Made once
    a process. model: a name or a path; None for SmolLM2-135M.

    Raises ProbeError if the model or the text cannot be had, or the model does not fit.
    """
    try:
        return _gradient(None if model in (None, OWN_MODEL) else model_source(model))
    except (AssetError, ModelError) as error:
        raise ProbeError(str(error)) from error


@cache
def _gradient(source: str | None) -> tuple[Tensor, Tensor]:
    loaded = load_model(source)
    text = split(examples(load_reviews()), seed=0).train[:SENTENCES]
    return gradient_of(loaded, text)


def gradient_of(loaded: LanguageModel, text: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """A matrix of the middle layer and the gradient there of the sentiment prompt's loss.

    Raises ModelError if no decoder layer has matrices, or the prompt does not fit the tokenizer.
    """
    weights = layer_weights(loaded.model)
    if not weights:
        raise ModelError(f"{loaded.name} has no matrices in numbered layers")
    layers = sorted({weight.layer for weight in weights})
    middle = layers[len(layers) // 2]
    name = next(weight.name for weight in weights if weight.layer == middle)
    parameter = loaded.model.get_parameter(name)
    logits = last_logits(loaded, make_batch(loaded.tokenizer, text))
    words = label_word_ids(loaded.tokenizer)
    labels = torch.tensor([example.label for example in text])
    (gradient,) = torch.autograd.grad(prompt_loss(logits, labels, words, "vocabulary"), parameter)
    return parameter.detach(), gradient
