"""The loss of sentences at a model's present weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zotheory.model.language_model import LanguageModel
from zotheory.model.losses import Loss, last_logits, prompt_loss
from zotheory.model.prompts import Batch, label_word_ids, make_batch
from zotheory.model.reviews import Example
from zotheory.training.passes import Counter

EVALUATION_BATCH = 16


@dataclass(frozen=True)
class Score:
    """Mean loss of some sentences, and the share whose label word has the higher logit."""

    loss: float
    accuracy: float
    count: int


class Objective:
    """Batches, losses and scores of one model, every pass of which is counted.

    Args:
        language_model: its model may be wrapped, as long as it is called as `last_logits` does.
        loss: over the whole "vocabulary" or the two "label_words".
        device, dtype: the model's.
        begin: False where prompts go on behind other text (see `make_batch`).

    Raises ModelError if the label words are not single tokens.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        loss: Loss,
        device: torch.device,
        dtype: torch.dtype,
        *,
        begin: bool = True,
    ) -> None:
        self.language_model = language_model
        self.kind = loss
        self.device = device
        self.dtype = dtype
        self.begin = begin
        self.words = label_word_ids(language_model.tokenizer)
        self.counter = Counter(language_model.model)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """The packed prompts of `examples`, on the model's device."""
        packed = make_batch(self.language_model.tokenizer, examples, begin=self.begin)
        return packed.to(self.device, self.dtype)

    def batches(self, examples: Sequence[Example]) -> Iterator[Batch]:
        """All of `examples`, in order, in batches for evaluation."""
        for start in range(0, len(examples), EVALUATION_BATCH):
            yield self.batch(examples[start : start + EVALUATION_BATCH])

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy of the right label words, in 32 bits."""
        return prompt_loss(
            last_logits(self.language_model, batch), batch.labels, self.words, self.kind
        )

    @torch.no_grad()
    def score(
        self, examples: Sequence[Example], between: Callable[[], None] = lambda: None
    ) -> Score:
        """Loss and accuracy of `examples`; `between` is called before every batch."""
        words = torch.tensor(self.words, device=self.device)
        loss, right = 0.0, 0
        for batch in self.batches(examples):
            between()
            logits = last_logits(self.language_model, batch)
            mean = prompt_loss(logits, batch.labels, self.words, self.kind)
            loss += float(mean) * len(batch.labels)
            right += int((logits[:, words].argmax(1) == batch.labels).sum())
        return Score(loss / len(examples), right / len(examples), len(examples))
