"""The text: a task's sentences, the split into parts, and the batch of every step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zotheory.files import read_text
from zotheory.model.prompts import prompt
from zotheory.model.reviews import Example, Split, examples, load_reviews, split
from zotheory.training.setup import Setup, TrainingError

OWN_TASK = "reviews"  # the task that comes with the package

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
    if setup.max_tokens is not None:
        lengths = (len(tokenizer(prompt(e.sentence)).input_ids) for e in sentences)
        short = zip(sentences, lengths, strict=True)
        sentences = [example for example, length in short if length <= setup.max_tokens]
    asked = setup.train + setup.validation + setup.test
    if asked > len(sentences):
        short = f" of at most {setup.max_tokens} tokens" if setup.max_tokens else ""
        raise TrainingError(
            f"{asked} sentences are asked for, {setup.task} has {len(sentences)}{short}"
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
