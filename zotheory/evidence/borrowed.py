"""What is timed on: a real language model, real text, and the methods at work on them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zotheory.context import Context
from zotheory.evidence.modelled import BATCH_SIZE, sentences
from zotheory.model.language_model import LanguageModel
from zotheory.model.prompts import label_word_ids, last_logits, make_batch, prompt, prompt_loss

Closure = Callable[[], Tensor]


def prompts_loss(model: LanguageModel, context: Context, words: int | None = None) -> Closure:
    """The closure of one batch of review prompts, as the papers fine-tune on SST-2.

    words: the length of a sentence, at most.
    """
    batch = make_batch(model.tokenizer, sentences(context, words)[:BATCH_SIZE])
    ids = label_word_ids(model.tokenizer)

    @torch.no_grad()
    def loss() -> Tensor:
        return prompt_loss(last_logits(model, batch), batch.labels, ids, "vocabulary")

    return loss


def row_loss(model: LanguageModel, context: Context, length: int) -> Closure:
    """The closure of one row of `length` tokens of reviews, the loss that of the next token."""
    text = " ".join(prompt(example.sentence) for example in sentences(context)[:400])
    tokens = torch.tensor(model.tokenizer(text).input_ids[: length + 1])
    if len(tokens) <= length:
        raise ValueError(f"the reviews hold fewer than {length + 1} tokens")

    @torch.no_grad()
    def loss() -> Tensor:
        row = tokens[None, :-1]
        logits = model.model(input_ids=row, logits_to_keep=1, use_cache=False).logits
        return cross_entropy(logits[:, -1], tokens[-1:])

    return loss


def rows_loss(model: LanguageModel, context: Context, rows: int, length: int) -> Closure:
    """The closure of a batch of rows of `length` tokens of reviews, the loss of every next token.

    Raises ValueError if the reviews hold fewer tokens.
    """
    text = " ".join(prompt(example.sentence) for example in sentences(context)[:400])
    tokens = torch.tensor(model.tokenizer(text).input_ids[: rows * length])
    if len(tokens) < rows * length:
        raise ValueError(f"the reviews hold fewer than {rows * length} tokens")
    batch = tokens.view(rows, length)

    @torch.no_grad()
    def loss() -> Tensor:
        logits = model.model(input_ids=batch, use_cache=False).logits[:, :-1]
        return cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())

    return loss


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """The model's repeated layers: its longest list of modules."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len)
