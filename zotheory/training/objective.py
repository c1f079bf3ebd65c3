"""The loss of sentences at a model's present weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from zotheory.files import read_text
from zotheory.model.language_model import LanguageModel
from zotheory.model.prompts import (
    Batch,
    Loss,
    label_word_ids,
    last_logits,
    make_batch,
    prompt,
    prompt_loss,
)
from zotheory.model.reviews import Example, Split, examples, load_reviews, split
from zotheory.training.setup import Setup, TrainingError, at_most
from zotheory.training.state import Counter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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


# The text: a task's sentences, the split into parts, and the batch of every step.


OWN_TASK = "reviews"  # the task that comes with the package


def load_task(task: str) -> list[Example]:
    """The labelled sentences of "reviews", or of a file with `label<TAB>sentence` on each line.

    Raises:
        AssetError: the download of the reviews is missing or corrupt.
        TrainingError: no such file, an empty one, or a line of it is something else.
    """
    if task == OWN_TASK:
        return examples(load_reviews())
    try:
        lines = read_text(Path(task)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(f"cannot read the task {task!r}: {reason}") from error
    if not lines:
        raise TrainingError(f"the task {task!r} is empty: it needs lines label<TAB>sentence")
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        label, tab, sentence = line.partition("\t")
        if label not in ("0", "1") or not tab or not sentence.strip():
            raise TrainingError(f"{task}, line {number}: need 0 or 1, a tab and a sentence")
        found.setdefault(sentence, int(label))
    return [Example(sentence, label) for sentence, label in found.items()]


def make_split(setup: Setup, tokenizer: PreTrainedTokenizerBase) -> Split:
    """The parts that the setup asks for; which sentence is where depends on the seed alone.

    Raises:
        AssetError, TrainingError: as `load_task`, or there are too few sentences.
    """
    sentences = load_task(setup.task)
    if setup.max_words is not None:
        sentences = [e for e in sentences if len(e.sentence.split()) <= setup.max_words]
    if setup.max_tokens is not None:
        lengths = (len(tokenizer(prompt(e.sentence)).input_ids) for e in sentences)
        short = zip(sentences, lengths, strict=True)
        sentences = [example for example, length in short if length <= setup.max_tokens]
    asked = setup.train + setup.validation + setup.test
    if asked > len(sentences):
        limits = at_most(setup.max_words, setup.max_tokens)
        which = f" of {limits}" if limits else ""
        raise TrainingError(
            f"{asked} sentences are asked for, {setup.task} has {len(sentences)}{which}"
        )
    parts = split(sentences, seed=setup.seed, train=setup.train, validation=setup.validation)
    return Split(parts.train, parts.validation, parts.test[: setup.test])


def batch_at(train: Sequence[Example], step: int, size: int, seed: int) -> list[Example]:
    """The batch of a step: `size` sentences from an endless row of shuffled epochs.

    A function of its arguments alone, so that a resumed run sees the batches it would have seen.
    """
    places = range(step * size, (step + 1) * size)
    orders = {
        epoch: np.random.default_rng([seed, epoch]).permutation(len(train))
        for epoch in {place // len(train) for place in places}
    }
    return [train[orders[place // len(train)][place % len(train)]] for place in places]
