"""Models whose prompts are read behind something: trained prefixes, or demonstrations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, PreTrainedModel


class Conditioned(nn.Module, ABC):
    """Calls a language model so that all packed prompts see the same past, and not each other."""

    @abstractmethod
    def base(self) -> PreTrainedModel:
        """The language model."""

    @abstractmethod
    def past(self) -> Cache:
        """Keys and values of what comes before every prompt, for one call."""

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor, **kwargs: Any
    ) -> Any:
        """Call the model; the arguments are those of `Batch`, without the past."""
        past = self.past()
        length = past.get_seq_length()
        seen = attention_mask.new_zeros(*attention_mask.shape[:-1], length)
        return self.base()(
            input_ids=input_ids,
            position_ids=position_ids + length,
            attention_mask=torch.cat([seen, attention_mask], -1),
            past_key_values=past,
            **kwargs,
        )


class PrefixTuned(Conditioned):
    """A PEFT model with trainable keys and values in front of every prompt (Li & Liang 2021)."""

    def __init__(self, adapted: nn.Module) -> None:
        super().__init__()
        self.adapted = adapted

    def base(self) -> PreTrainedModel:
        return self.adapted.get_base_model()

    def past(self) -> Cache:
        return self.adapted.get_prompt(batch_size=1)


class Demonstrated(Conditioned):
    """A model that has read some text, whose keys and values are kept."""

    def __init__(self, model: PreTrainedModel, tokens: Tensor) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            read = model(input_ids=tokens, use_cache=True, logits_to_keep=1).past_key_values
        self._kept = [(layer.keys, layer.values) for layer in read.layers]

    def base(self) -> PreTrainedModel:
        return self.model

    def past(self) -> Cache:
        past = DynamicCache()
        for index, (keys, values) in enumerate(self._kept):
            past.update(keys, values, index)
        return past
