"""A language model and a batch of reviews in the small model's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from zotheory.budget import OWN_MODEL
from zotheory.checking.result import CheckError, NotApplicable
from zotheory.checking.toy import Loss, Scene
from zotheory.model.assets import AssetError
from zotheory.model.language_model import LanguageModel, ModelError, load_model
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt_loss
from zotheory.model.reviews import Example, examples, load_reviews, split
from zotheory.model.source import model_source

SENTENCES = 4
ENTRIES = 96  # of each parameter are looked at


class RealScene(Scene):
    """A language model; of each parameter some entries, evenly spread, are in the vector."""

    def __init__(
        self, loaded: LanguageModel, start: list[Tensor], loss: Callable[[], Tensor]
    ) -> None:
        self.model, self._loss = loaded.model, loss
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), start, strict=True):
                parameter.copy_(value)
                parameter.requires_grad_(True)
        self.show = lambda: self.parameters

    def slices(self) -> dict[str, slice]:
        places, at = {}, 0
        for name, parameter in self.parameters.items():
            size = len(_picked(parameter))
            places[name] = slice(at, at + size)
            at += size
        return places

    def weights(self) -> Tensor:
        return torch.cat([_picked(p.detach()).double().cpu() for p in self.parameters.values()])

    def seen(self) -> Tensor:
        return self.weights()

    def linear(self, seed: int = 0, scale: float = 1.0) -> Loss:
        """The loss times `scale`; it is no more linear than it is."""

        def loss(_: Tensor) -> Tensor:
            with torch.no_grad():
                return scale * self._loss().double()

        return loss

    def curved(self, seed: int = 0) -> Loss:
        return self.linear()


def _picked(parameter: Tensor) -> Tensor:
    flat = parameter.reshape(-1)
    return flat[:: max(1, len(flat) // ENTRIES)][:ENTRIES]


def real_scenes(model: str) -> Callable[..., Scene]:
    """What makes scenes of a language model, by name or path, loaded once.

    Raises CheckError if the model or the text cannot be had.
    """
    try:
        loaded = load_model(None if model == OWN_MODEL else model_source(model))
        return scenes_of(loaded, split(examples(load_reviews()), seed=0).train[:SENTENCES])
    except (AssetError, ModelError) as error:
        raise CheckError(str(error)) from error


def scenes_of(loaded: LanguageModel, text: Sequence[Example]) -> Callable[..., Scene]:
    """What makes scenes of a loaded language model and the sentiment prompt's loss on a text."""
    batch, words = make_batch(loaded.tokenizer, text), label_word_ids(loaded.tokenizer)
    labels = torch.tensor([example.label for example in text])
    start = [p.detach().clone() for p in loaded.model.parameters()]

    def loss() -> Tensor:
        return prompt_loss(last_logits(loaded, batch), labels, words, "vocabulary")

    def scene(*arguments: Any, **options: Any) -> Scene:
        if arguments or options:
            raise NotApplicable("tried on the small model only")
        return RealScene(loaded, start, loss)

    return scene
