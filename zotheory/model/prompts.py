"""The sentiment prompt of the zeroth-order papers, and batches of it without padding.

MeZO's template for SST-2, which the later papers share: the model reads "<sentence> It was" and the
next word, " terrible" or " great", is the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from zotheory.model.language_model import ModelError
from zotheory.model.reviews import Example

LABEL_WORDS = (" terrible", " great")


def prompt(sentence: str) -> str:
    """What the model reads before it names the label word."""
    return f"{sentence} It was"


@dataclass(frozen=True)
class Batch:
    """B prompts, one behind the other in one row of N tokens, which do not see each other.

    ``tokens`` and ``positions`` have shape (1, N), ``mask`` (1, 1, N, N) holds 0 where a token may
    attend and the least number of its type elsewhere, ``last`` (B,) the place of each prompt's last
    token and ``labels`` (B,) the label, 0 or 1. Padding would take 1.7 times the tokens.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    last: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """The batch on a model's device, with a mask of the model's type."""
        mask = self.mask.clamp(min=torch.finfo(dtype).min).to(device, dtype)
        rest = (self.tokens, self.positions, self.last, self.labels)
        tokens, positions, last, labels = (tensor.to(device) for tensor in rest)
        return Batch(tokens, positions, mask, last, labels)


def label_word_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Token ids of " terrible" and " great", each of which has to be one token after the prompt.

    Raises:
        ModelError: a label word is not a single token behind the prompt, or they are the same one.
    """
    context = prompt("A film.")
    before = tokenizer(context).input_ids
    ids = []
    for word in LABEL_WORDS:
        tokens = tokenizer(context + word).input_ids
        if tokens[:-1] != before or tokens[-1] == tokenizer.unk_token_id:
            raise ModelError(f"the label word {word!r} is not one token of this model's tokenizer")
        ids.append(tokens[-1])
    if ids[0] == ids[1]:
        raise ModelError("this model's tokenizer gives both label words the same token")
    return ids[0], ids[1]


def make_batch(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], *, begin: bool = True
) -> Batch:
    """Tokenise and pack the prompts of ``examples``.

    Args:
        tokenizer: the model's.
        examples: at least one.
        begin: whether the prompts begin a text, with the tokens that mark its beginning, or go on
            behind one.

    Raises:
        ValueError: no examples, or a label other than 0 and 1.
    """
    if not examples:
        raise ValueError("a batch needs at least one example")
    if any(example.label not in (0, 1) for example in examples):
        raise ValueError("labels are 0 (negative) and 1 (positive)")
    rows = [tokenizer(prompt(e.sentence), add_special_tokens=begin).input_ids for e in examples]
    lengths = torch.tensor([len(row) for row in rows])
    owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
    visible = (owner[:, None] == owner).tril()
    return Batch(
        tokens=torch.tensor([token for row in rows for token in row])[None],
        positions=torch.cat([torch.arange(length) for length in lengths.tolist()])[None],
        mask=torch.where(visible, 0.0, torch.finfo(torch.float32).min)[None, None],
        last=lengths.cumsum(0) - 1,
        labels=torch.tensor([example.label for example in examples]),
    )
